"""Child processes side by side: each ends by itself, with a request to stop, or with the parent.

A child reads its standard input, of which nothing comes: its end is the request to stop. It comes when the parent asks
for it and when the parent is gone, whatever ended it.
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tf_psgan.runtime import threads

POLL_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Child:
    """A process to run.

    Args:
      name: of what it does.
      command: the program and its arguments.
      log: the file of its standard output and standard error, replaced when it starts.
    """

    name: str
    command: Sequence[str]
    log: Path


@dataclasses.dataclass(frozen=True)
class Slot:
    """A place in which one child after the other runs.

    Args:
      environment: variables that its children have besides the parent's.
      index, count: which part of the cores its children may use, as for `threads.confine`.
    """

    environment: Mapping[str, str]
    index: int = 0
    count: int = 1


def run(
    children: Iterable[Child],
    slots: Sequence[Slot],
    is_stopping: Callable[[], bool],
    on_end: Callable[[Child, int], None],
) -> None:
    """Runs all children, as many at a time as there are slots.

    Args:
      children: in this order.
      slots: one or more.
      is_stopping: whether an end is requested. Then no further child starts, and those that run are asked to stop.
      on_end: called with a child that has ended and its exit code, the negative number of the signal that killed it.

    Raises:
      OSError: a child cannot be started, or its log not be written. As at any exception, the others are asked to stop
        and waited for; at one that comes while they stop (a second Ctrl-C) they are killed.
    """
    waiting, free = deque(children), deque(slots)
    running: dict[subprocess.Popen, tuple[Child, Slot]] = {}
    try:
        while running or (waiting and not is_stopping()):
            while waiting and free and not is_stopping():
                child, slot = waiting.popleft(), free.popleft()
                running[_started(child, slot)] = child, slot
            if is_stopping():
                _ask_to_stop(running)
            for process in [process for process in running if process.poll() is not None]:
                child, slot = running.pop(process)
                free.append(slot)
                on_end(child, process.returncode)
            time.sleep(POLL_SECONDS)
    finally:
        if is_stopping():
            for process in running:
                process.kill()
        _ask_to_stop(running)
        for process in running:
            process.wait()


def end_with_parent() -> None:
    """To be called by a child at its start: at the end of its standard input SIGTERM is raised in this process."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _started(child: Child, slot: Slot) -> subprocess.Popen:
    with child.log.open("wb") as log:
        process = subprocess.Popen(
            child.command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | slot.environment,
            start_new_session=True,  # a Ctrl-C is for the parent, which asks each child once
        )
    if slot.count > 1:
        threads.confine(process.pid, slot.index, slot.count)
    return process


def _ask_to_stop(running: Iterable[subprocess.Popen]) -> None:
    for process in running:
        if process.stdin and not process.stdin.closed:
            process.stdin.close()
