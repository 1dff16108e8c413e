"""TensorFlow's threads: how many compute one operation, and how many operations run at a time.

A training step has two nearly independent chains of operations, and so has a chunk of a picture. One core per chain is
faster than splitting every operation across all cores, which would synchronise them hundreds of times a step.
"""

import contextlib
import os

INTRA_OP, INTER_OP = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
"""Environment variables that TensorFlow reads when it starts."""


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def split(count: int) -> tuple[int, int]:
    """Threads within an operation and operations at a time, for so many cores."""
    return (count + 1) // 2, count


def confine(pid: int, index: int, count: int) -> None:
    """Gives a process its part of the cores of this one; where there are fewer cores than processes, they share them.

    Threads that it starts later inherit it. Without effect on systems that cannot confine a process (macOS).

    Args:
      pid: of the process; nothing happens where it has ended.
      index: of the part.
      count: of all parts.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    own = sorted(os.sched_getaffinity(0))
    first, last = index * len(own) // count, (index + 1) * len(own) // count
    with contextlib.suppress(ProcessLookupError):
        os.sched_setaffinity(pid, own[first:last] or [own[index % len(own)]])


def set_defaults() -> None:
    """Sets the environment variables that the user has not set; before TensorFlow starts."""
    for name, count in zip((INTRA_OP, INTER_OP), split(cores()), strict=True):
        os.environ.setdefault(name, str(count))
