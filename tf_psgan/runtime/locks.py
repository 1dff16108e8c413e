"""Lock files: one process at a time works in a folder. The lock ends with the process, however that ends."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor

from tf_psgan.errors import InputError


@contextlib.contextmanager
def locked(path: Path, busy: InputError) -> Iterator[None]:
    """Holds a lock on a file, made where it is missing.

    Args:
      path: the lock file; its folder exists.
      busy: raised where another process holds the lock, or has just removed the file.

    Raises:
      InputError: `busy`, or an error of its kind about a file system without locks.
      OSError: the file cannot be made.
    """
    with path.open("a") as stream:
        try:
            free = lock_descriptor(stream.fileno(), blocking=False)
        except (OSError, NotImplementedError) as error:  # ENOLCK, ENOSYS, EOPNOTSUPP and others of network file systems
            reason = getattr(error, "strerror", None) or str(error)
            raise type(busy)(
                busy.subject,
                f"the file system does not support file locks ({reason})",
                "choose a folder on a local disk",
                settings=busy.settings,
            ) from error
        if not free or not _is_at(path, stream.fileno()):
            raise busy
        yield


def _is_at(path: Path, handle: int) -> bool:
    """Whether an open file still has this name: its holder may have removed it before it let go of the lock."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
