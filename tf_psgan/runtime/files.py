"""What makes a rename safe against a power cut: data and names brought to the disk."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Returns when a file's data, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
