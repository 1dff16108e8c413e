"""One model: finds its versions, loads the newest one that works, and unloads the previous one.

A model's folder holds the versions 1, 2, ... A version is loaded and tested beside the one in service and replaces it
only afterwards. The previous version is closed when its last request has ended. A version that fails to load, perhaps
because it is still being copied, is retried with growing delays.
"""

import contextlib
import dataclasses
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc

from tf_psgan_serving.server.status import StatusError
from tf_psgan_serving.server.version import Version, fingerprint
from tf_psgan_serving.version_files.errors import VersionError

LOG = logging.getLogger("tf_psgan_serving")
_NUMBER = re.compile(r"[1-9][0-9]{0,99}")  # of ASCII digits; longer ones are slow to convert

LONGEST_DELAY = 60.0
"""Seconds between two attempts to load a version."""

MAX_ENDED_STATES = 20
"""Unloaded versions of a model whose state is remembered."""

MAX_NUMBER = 2**63 - 1
"""Versions are int64 in TensorFlow Serving's messages."""

LOADING, AVAILABLE, UNLOADING, ENDED = "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclasses.dataclass
class State:
    """One of TensorFlow Serving's states of a version, and for clients why it failed to load."""

    state: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether the version failed to load."""
        return bool(self.reason)


@dataclasses.dataclass
class _Attempt:
    """What is known about a version that is not loaded."""

    fingerprint: tuple[Any, ...]
    failures: int = 0
    reason: str = ""
    next_time: float = 0.0


class _Loaded:
    """A loaded version, and the number of requests that use it."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.users, self.retired = 0, False


class Model:
    """A folder of versions, and the version in service.

    Args:
      name: the model's name for clients.
      folder: of its versions.
      load: loads a version from its folder, or raises.
      poll: seconds between two scans; the delays of retries grow from it.
    """

    def __init__(self, name: str, folder: Path, load: Callable[[Path], Version], poll: float) -> None:
        self.name, self._folder, self._load, self._poll = name, folder, load, poll
        self._lock = threading.Lock()
        self._current: _Loaded | None = None
        self._states: dict[int, State] = {}
        self._attempts: dict[int, _Attempt] = {}
        self._ignored: set[str] = set()
        self._gone_scans = 0
        self.released = False

    def scan(self, require_unchanged: bool = True) -> None:
        """Looks for a newer version than the one in service, and swaps it in.

        A version whose folder is missing in two scans is unloaded, because its pictures may not be shown any more.

        Args:
          require_unchanged: load a new folder only if its files have not changed since the previous scan.

        Raises:
          OSError: the model's folder cannot be read; the version in service stays.
        """
        found = self._folders()
        for gone in self._attempts.keys() - found.keys():
            del self._attempts[gone]
        current = self.number
        for number in sorted(found, reverse=True):
            if number == current:
                break
            if self._is_due(number, found[number], require_unchanged) and self._load_and_swap(number, found[number]):
                break
        self._gone_scans = self._gone_scans + 1 if self.number and self.number not in found else 0
        if self._gone_scans > 1 or (self._gone_scans and not require_unchanged):
            LOG.warning("%s: version %d has vanished and is unloaded", self.name, self.number)
            self.close()

    @property
    def number(self) -> int:
        """The version in service; 0 for none."""
        current = self._current
        return current.version.number if current else 0

    @contextlib.contextmanager
    def use(self, number: int | None) -> Iterator[Version]:
        """The version in service, kept open during the block.

        Args:
          number: the version that is required; None for any.

        Raises:
          StatusError: NOT_FOUND, another version or none is in service.
        """
        with self._lock:
            current = self._current
            if current is None:
                raise StatusError(grpc.StatusCode.NOT_FOUND, f"{self.name}: none of its versions is loaded.")
            if number not in (None, current.version.number):
                text = f"{self.name}: version {number} is not loaded; version {current.version.number} is."
                raise StatusError(grpc.StatusCode.NOT_FOUND, text)
            current.users += 1
        try:
            yield current.version
        finally:
            with self._lock:
                current.users -= 1
            self._close_if_unused(current)

    def states(self) -> dict[int, State]:
        """The state of each known version, by its number."""
        with self._lock:
            return {number: dataclasses.replace(state) for number, state in sorted(self._states.items())}

    def close(self) -> None:
        """Unloads the version in service once its requests have ended."""
        with self._lock:
            previous, self._current = self._current, None
        self._retire(previous)

    def _folders(self) -> dict[int, Path]:
        """The versions by number, without those beyond int64, which are named once in the log."""
        found = version_folders(self._folder)
        for number in [number for number in found if number > MAX_NUMBER]:
            name = str(found.pop(number).name)
            if name not in self._ignored:
                self._ignored.add(name)
                LOG.warning("%s: version %s is ignored; the largest number is %d", self.name, name[:40], MAX_NUMBER)
        return found

    def _is_due(self, number: int, folder: Path, require_unchanged: bool) -> bool:
        """Whether to try to load a version now."""
        try:
            files = fingerprint(folder)
        except FileNotFoundError:  # the folder is being moved or removed
            return False
        except OSError as error:
            self._record_failure(number, f"{type(error).__name__}: {error.strerror}", "its files cannot be read")
            return False
        attempt = self._attempts.get(number)
        if attempt is None or attempt.fingerprint != files:
            self._attempts[number] = _Attempt(files, reason=attempt.reason if attempt else "")
            return not require_unchanged
        return time.monotonic() >= attempt.next_time

    def _load_and_swap(self, number: int, folder: Path) -> bool:
        """Loads a version and puts it into service; whether that succeeded."""
        start = time.monotonic()
        self._set_state(number, State(LOADING))
        try:
            version = self._load(folder)
        except Exception as error:  # a damaged folder makes TensorFlow raise many types
            known = isinstance(error, VersionError | StatusError)
            public = str(error) if known else "the version cannot be loaded; the server's log has the reason."
            self._record_failure(number, " ".join(f"{type(error).__name__}: {error}".split())[:500], public)
            return False
        with self._lock:
            previous, self._current = self._current, _Loaded(version)
        self._set_state(number, State(AVAILABLE))
        del self._attempts[number]
        replaced = f", replaces version {previous.version.number}" if previous else ""
        LOG.info("%s: version %d is loaded%s, %.1f s", self.name, number, replaced, time.monotonic() - start)
        self._retire(previous)
        return True

    def _record_failure(self, number: int, reason: str, public: str) -> None:
        self._set_state(number, State(ENDED, public))
        attempt = self._attempts.setdefault(number, _Attempt(()))
        if reason != attempt.reason:
            LOG.warning("%s: version %d cannot be loaded: %s", self.name, number, reason)
        attempt.reason = reason
        attempt.failures += 1
        attempt.next_time = time.monotonic() + min(LONGEST_DELAY, self._poll * 2**attempt.failures)

    def _retire(self, previous: _Loaded | None) -> None:
        if previous is not None:
            self._set_state(previous.version.number, State(UNLOADING))
            with self._lock:
                previous.retired = True
            self._close_if_unused(previous)

    def _close_if_unused(self, loaded: _Loaded) -> None:
        with self._lock:
            unused = loaded.retired and not loaded.users
            loaded.retired = loaded.retired and not unused  # only one thread closes it
        if unused:
            loaded.version.close()
            self._set_state(loaded.version.number, State(ENDED))
            self.released = True

    def _set_state(self, number: int, state: State) -> None:
        with self._lock:
            self._states.pop(number, None)
            self._states[number] = state
            ended = [key for key, value in self._states.items() if value.state == ENDED]
            for key in ended[: max(0, len(ended) - MAX_ENDED_STATES)]:
                del self._states[key]


def version_folders(folder: Path) -> dict[int, Path]:
    """The entries of a model's folder whose names are numbers. Other entries, such as partial copies, are ignored.

    Raises:
      OSError: the folder cannot be read; a missing one has no versions.
    """
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {int(path.name): path for path in entries if _NUMBER.fullmatch(path.name) and not _is_file(path)}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # it may not be looked at; loading it will say why
        return False
