"""TensorFlow's threads: how many compute one operation, and how many operations run at a time.

A training step has two nearly independent chains of operations, and so has a chunk of a picture. One core per chain is
faster than splitting every operation across all cores, which would synchronise them hundreds of times a step.
"""

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


def set_defaults() -> None:
    """Sets the environment variables that the user has not set; before TensorFlow starts."""
    for name, count in zip((INTRA_OP, INTER_OP), split(cores()), strict=True):
        os.environ.setdefault(name, str(count))
