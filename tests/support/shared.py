"""Folders that are made once in a run of the tests, also if several processes share it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

parent = Path()
"""The folder of this run of the tests; `tests/conftest.py` sets it."""


def made(name: str, make: Callable[[Path], object]) -> Path:
    """The folder with this name, which tests must not change.

    Args:
      name: the same for the same contents.
      make: writes the folder; called by the first process that needs it, while the others wait.
    """
    path, partial = parent / name, parent / f"{name}.partial"
    with FileLock(parent / f"{name}.lock"):
        if not path.exists():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(path)
    return path
