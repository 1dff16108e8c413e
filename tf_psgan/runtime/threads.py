"""How TensorFlow shares a machine's cores: within operations and between them.

A training step is two chains of operations that seldom wait for each other, and so is a tile of a picture. A core for
each chain: an operation that is cut up for two cores waits for the slower one, hundreds of times a step.
"""

import os

WITHIN, BETWEEN = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # not on Macs


def split(count: int) -> tuple[int, int]:
    """How many threads compute one operation, and how many operations run at a time, on so many cores."""
    return (count + 1) // 2, count


def set_defaults() -> None:
    """What a TensorFlow that is not told otherwise will do; before it starts. A user's own environment stays."""
    for name, count in zip((WITHIN, BETWEEN), split(cores()), strict=True):
        os.environ.setdefault(name, str(count))
