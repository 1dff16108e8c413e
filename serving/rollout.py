"""Which version of a model is served: found, tried, swapped in, and closed when its last request is done.

A model's folder holds versions 1, 2, ...; the newest that works is served. A version is loaded and
tried beside the one in service and takes its place only then. One that fails, perhaps because it is
still being copied, is tried again later and later.
"""

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc

from serving.refusals import Refusal
from serving.versions import Version, fingerprint

LOG = logging.getLogger("serving")
LONGEST_PAUSE = 60.0
"""Seconds between two tries of a version that does not load."""

MOST_STATES = 20
"""Versions of a model whose state is kept after their end."""

LOADING, AVAILABLE, UNLOADING, ENDED = "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclasses.dataclass
class State:
    """Where a version stands: one of TensorFlow Serving's states, and whether it ended by a failure."""

    state: str
    failed: bool = False


@dataclasses.dataclass
class _Attempt:
    """What is known of a version that is not in service."""

    print: tuple[Any, ...]
    failures: int = 0
    reason: str = ""
    next_time: float = 0.0


class _Service:
    """A version in service, and the number of requests that it is busy with."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.users, self.retired = 0, False


class Model:
    """A folder of versions and the one in service.

    Args:
      name: clients know it by.
      folder: of its versions.
      load: makes a version from its folder, or raises.
      poll: seconds between two looks, which the pauses between tries grow from.
    """

    def __init__(self, name: str, folder: Path, load: Callable[[Path], Version], poll: float) -> None:
        self.name, self._folder, self._load, self._poll = name, folder, load, poll
        self._lock = threading.Lock()
        self._service: _Service | None = None
        self._states: dict[int, State] = {}
        self._attempts: dict[int, _Attempt] = {}

    def look(self, settle: bool = True) -> None:
        """Looks for a better version than the one in service and swaps it in.

        Args:
          settle: leaves a new folder alone until it has looked the same twice.
        """
        found = versions(self._folder)
        for gone in self._attempts.keys() - found.keys():
            del self._attempts[gone]
        serving = self.number
        for number in sorted(found, reverse=True):
            if number == serving:
                break
            if self._is_due(number, found[number], settle) and self._take(number, found[number]):
                break

    @property
    def number(self) -> int:
        """The version in service; 0 for none."""
        service = self._service
        return service.version.number if service else 0

    @contextlib.contextmanager
    def use(self, number: int | None) -> Iterator[Version]:
        """The version in service, kept open during the block.

        Args:
          number: the one that must be; None for any.

        Raises:
          Refusal: NOT_FOUND, it is another or none.
        """
        with self._lock:
            service = self._service
            if service is None:
                raise Refusal(grpc.StatusCode.NOT_FOUND, f"{self.name}: none of its versions is served now.")
            if number not in (None, service.version.number):
                text = f"{self.name}: version {number} is not served; version {service.version.number} is."
                raise Refusal(grpc.StatusCode.NOT_FOUND, text)
            service.users += 1
        try:
            yield service.version
        finally:
            with self._lock:
                service.users -= 1
            self._close_if_done(service)

    def states(self) -> dict[int, State]:
        """The state of each version that was tried, by its number."""
        with self._lock:
            return {number: dataclasses.replace(state) for number, state in sorted(self._states.items())}

    def close(self) -> None:
        """Takes the model out of service once its requests are done."""
        with self._lock:
            old, self._service = self._service, None
        self._retire(old)

    def _is_due(self, number: int, folder: Path, settle: bool) -> bool:
        """Whether a version should be tried now."""
        try:
            seen = fingerprint(folder)
        except OSError:  # it is being moved or removed
            return False
        attempt = self._attempts.get(number)
        if attempt is None or attempt.print != seen:
            self._attempts[number] = _Attempt(seen, reason=attempt.reason if attempt else "")
            return not settle
        return time.monotonic() >= attempt.next_time

    def _take(self, number: int, folder: Path) -> bool:
        """Loads a version and swaps it in; whether that succeeded."""
        start = time.monotonic()
        self._note(number, State(LOADING))
        try:
            version = self._load(folder)
        except Exception as error:  # whatever a damaged folder makes TensorFlow raise
            self._failed(number, " ".join(f"{type(error).__name__}: {error}".split())[:500])
            return False
        with self._lock:
            old, self._service = self._service, _Service(version)
        self._note(number, State(AVAILABLE))
        del self._attempts[number]
        instead = f" in place of version {old.version.number}" if old else ""
        LOG.info("%s: version %d is served%s, %.1f s", self.name, number, instead, time.monotonic() - start)
        self._retire(old)
        return True

    def _failed(self, number: int, reason: str) -> None:
        self._note(number, State(ENDED, failed=True))
        attempt = self._attempts[number]
        if reason != attempt.reason:
            LOG.warning("%s: version %d is not served: %s", self.name, number, reason)
        attempt.reason = reason
        attempt.failures += 1
        attempt.next_time = time.monotonic() + min(LONGEST_PAUSE, self._poll * 2**attempt.failures)

    def _retire(self, old: _Service | None) -> None:
        if old is not None:
            self._note(old.version.number, State(UNLOADING))
            with self._lock:
                old.retired = True
            self._close_if_done(old)

    def _close_if_done(self, service: _Service) -> None:
        with self._lock:
            done = service.retired and not service.users
            service.retired = service.retired and not done  # closed by one thread only
        if done:
            service.version.close()
            self._note(service.version.number, State(ENDED))

    def _note(self, number: int, state: State) -> None:
        with self._lock:
            self._states.pop(number, None)
            self._states[number] = state
            ended = [key for key, value in self._states.items() if value.state == ENDED]
            for key in ended[: max(0, len(ended) - MOST_STATES)]:
                del self._states[key]


def versions(folder: Path) -> dict[int, Path]:
    """The versions of a model's folder by their numbers; other names, as of folders being written, do not count."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        return {}
    return {
        int(path.name): path
        for path in entries
        if path.name.isascii() and path.name.isdecimal() and path.name[0] != "0" and path.is_dir()
    }
