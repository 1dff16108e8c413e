"""Atomic, durable writing: a file or a folder appears under its final name complete, or not at all.

It is written in a hidden folder beside it, brought to the disk (fsync), renamed, and the folder's entry is brought to
the disk too. A reader sees the old or the new content, whenever the process or the machine stops.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

TEMPORARY = ".tmp"
"""Suffix of the hidden folders, whose names begin with a dot."""

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # some network file systems cannot sync a folder

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a used-up quota, and a file above the limit of its size."""


def write(path: str | Path, content: bytes | memoryview | str) -> None:
    """Writes a whole file; text as UTF-8.

    Raises:
      OSError: it cannot be written. An older file of that name is unchanged.
    """
    path = Path(path)
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path; the file or folder that the body makes there becomes `path`, or is removed on an error.

    A file replaces an older file of that name. A folder needs a free name. What killed processes left on their way to
    the same name is removed.

    Raises:
      OSError: it cannot be written; the error names `path`.
    """
    _remove_left(path)
    place, lock = None, None
    try:
        with naming(path, path.parent / _prefix(path)):
            place, lock = _claimed(path)
            temporary = place / "content"
            yield temporary
            _sync_tree(temporary)
            move(temporary, path)
    finally:
        if place and lock:
            lock.close()  # before the removal: Windows removes no open file
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def naming(path: Path | str, temporary: Path | None = None) -> Iterator[None]:
    """Puts the user's path into errors of the system that name a temporary path or none.

    What TensorFlow raises about a full disk becomes such an error, too.
    """
    try:
        yield
    except OSError as error:
        named = error.filename is not None and not (temporary and str(error.filename).startswith(str(temporary)))
        if named or not error.errno:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except Exception as error:
        for code in _FULL:
            if os.strerror(code) in str(error):
                raise OSError(code, os.strerror(code), str(path)) from error
        raise


def scheme(text: str) -> str:
    """The scheme of a text that is an address and no path, as "gs" of "gs://bucket/name"; "" for a path."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    return found[1] if found and not os.path.exists(text) else ""


def tensorflow_problem(path: Path) -> str:
    """Why TensorFlow could write checkpoints and SavedModels under a path and not find them again; "" if it can."""
    if {"[", "\\"} & set(path.as_posix()):
        return "TensorFlow reads [ and \\ in a path as a pattern"
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return "TensorFlow cannot use a path that is not UTF-8"
    return ""


def move(source: Path, target: Path) -> None:
    """Renames within a file system, replacing a file, and returns when the new name is on the disk."""
    os.replace(source, target)
    sync(target.absolute().parent)


def sync(path: Path) -> None:
    """Returns when a file's content, or the names in a folder, are on the disk.

    Does nothing for a folder where the system cannot do that (Windows, some network file systems).
    """
    posix = hasattr(os, "O_DIRECTORY")
    folder = path.is_dir()
    if folder and not posix:
        return
    handle = os.open(path, os.O_RDONLY if posix else os.O_RDWR)  # Windows syncs only what may be written
    try:
        os.fsync(handle)
    except OSError as error:
        if not folder or error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def sync_data(handle: int) -> None:
    """Returns when the content written to an open file is on the disk; its dates may follow later."""
    getattr(os, "fdatasync", os.fsync)(handle)  # macOS and Windows have no fdatasync


def remove_temporaries(folder: Path) -> None:
    """Removes what killed processes left in a folder. Only for the one process that writes there."""
    for path in folder.glob(f".*{TEMPORARY}"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    """With what the temporary names for a path begin.

    They do not grow with the name, which may have the 255 bytes that file systems allow, and differ for any two names.
    """
    return f".{path.name[:20]}.{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]}."


def _claimed(path: Path) -> tuple[Path, IO[bytes]]:
    """A new temporary folder beside a path, and the open file in it whose lock says that its process lives."""
    while True:
        place = path.with_name(f"{_prefix(path)}{secrets.token_hex(6)}{TEMPORARY}")
        place.mkdir()
        try:
            lock = (place / "lock").open("wb")
        except FileNotFoundError:  # another process took the empty folder for one that was left
            continue
        except OSError:
            place.rmdir()
            raise
        try:
            if lock_descriptor(lock.fileno(), blocking=False):
                return place, lock
        except (OSError, NotImplementedError):  # a file system without locks
            return place, lock
        lock.close()  # the same, a moment later


def _remove_left(path: Path) -> None:
    """Removes the temporary folders of a path whose processes were killed."""
    prefix = _prefix(path)
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if not (entry.name.startswith(prefix) and entry.name.endswith(TEMPORARY)):
                continue
            place = path.with_name(entry.name)
            try:
                with (place / "lock").open("r+b") as lock:
                    left = lock_descriptor(lock.fileno(), blocking=False)
            except FileNotFoundError:  # killed between the two: it is empty
                with contextlib.suppress(OSError):
                    place.rmdir()
                continue
            except (OSError, NotImplementedError):
                continue
            if left:
                shutil.rmtree(place, ignore_errors=True)


def _sync_tree(path: Path) -> None:
    for parent, _, names in os.walk(path, topdown=False):  # nothing, for a file
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))
    if not path.is_dir():
        sync(path)
