"""Starts the workers of one machine, each a process with a device of its own, and ends all of them when one fails."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from tf_psgan.runtime import accelerator, threads
from tf_psgan.runtime.cluster import VARIABLE, Cluster
from tf_psgan.runtime.signals import StopSignals

GRACE_SECONDS = 10.0
"""Time in which the others end by themselves after one has failed."""
_POLL_SECONDS = 0.1
_PACKAGES = Path(__file__).resolve().parents[2]  # workers import the same files


class Outcome(NamedTuple):
    """How a group of workers ended.

    Args:
      code: 0, or that of the first worker that failed; negative for a signal.
      worker: which one that was; -1 for none.
      reason: the last line that it wrote to standard error.
      first_code: exit code of the first worker, which has written to this process's standard error itself.
      output: of the first worker to standard output.
      stopped_by: the signal that was passed on to all of them; 0 for none.
    """

    code: int
    worker: int
    reason: str
    first_code: int
    output: str
    stopped_by: int


def launch(command: Sequence[str], count: int, use_gpus: bool) -> Outcome:
    """Runs a command as so many workers on this machine and waits for their end.

    The first one has this process's standard error; of the others only the last line is kept. Each gets a GPU or, on
    processors, an equal part of the cores. SIGINT and SIGTERM are passed on to all.

    Args:
      command: the program and its arguments. It finds its cluster in `TF_CONFIG`, and has to call
        `child_processes.end_with_parent`, or it would outlive a launcher that is killed.
      count: of workers.
      use_gpus: gives worker i the i-th GPU of this machine, of which there must be as many.
    """
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(count))
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
        output = stack.enter_context(tempfile.TemporaryFile())
        stopping = stack.enter_context(StopSignals())
        workers = stack.enter_context(_ending([]))
        for index in range(count):
            environment = os.environ | {
                VARIABLE: Cluster(addresses, index).to_json(),
                "PYTHONPATH": os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]),
            }
            if use_gpus:
                environment["CUDA_VISIBLE_DEVICES"] = accelerator.gpus()[index]
            # In a session of its own: a Ctrl-C of the terminal reaches this process alone, which passes it on once.
            worker = subprocess.Popen(
                command,
                env=environment,
                start_new_session=True,
                stdin=subprocess.PIPE,  # ends with this process
                stdout=subprocess.DEVNULL if index else output,
                stderr=logs[index] if index else None,
            )
            workers.append(worker)
            if not use_gpus:
                threads.confine(worker.pid, index, count)
        failed = _wait(workers, stopping)
        codes = [worker.returncode for worker in workers]
        output.seek(0)
        text = output.read().decode("utf-8", "surrogateescape")
        code, reason = (0, "") if failed < 0 else (codes[failed], _last_line(logs[failed]) if failed else "")
        return Outcome(code, failed, reason, codes[0], text, stopping.number)


def _wait(workers: Sequence[subprocess.Popen], stopping: StopSignals) -> int:
    """Waits until all have ended, or should have; the first one that failed, or -1."""
    failed, limit, has_passed_on = -1, float("inf"), False
    while True:
        runs = any([worker.poll() is None for worker in workers])
        if stopping.requested and not has_passed_on:
            has_passed_on = True
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
        if failed < 0:
            failed = next((i for i, worker in enumerate(workers) if worker.returncode), -1)
            if failed >= 0 or workers[0].returncode == 0:
                limit = min(limit, time.monotonic() + GRACE_SECONDS)
        if not runs or time.monotonic() > limit:
            break
        time.sleep(_POLL_SECONDS)
    _end(workers)
    return failed


@contextlib.contextmanager
def _ending(workers: list[subprocess.Popen]) -> Iterator[list[subprocess.Popen]]:
    """A list of processes that end with the context."""
    try:
        yield workers
    finally:
        _end(workers)


def _end(workers: Sequence[subprocess.Popen]) -> None:
    """Ends those that still run."""
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
    for worker in workers:
        worker.wait()


def _free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _last_line(stream: IO[bytes]) -> str:
    stream.seek(0)
    lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")
