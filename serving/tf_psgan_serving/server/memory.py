"""Returns the memory of unloaded versions to the operating system."""

import contextlib
import ctypes
import gc


def release() -> None:
    """Collects dead objects and trims the heap.

    A graph of TensorFlow refers to itself, so that it waits for the cyclic collector, and glibc keeps freed memory.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
