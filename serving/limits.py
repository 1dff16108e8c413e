"""How much the server takes on: requests at a time, requests in line, requests a second, sizes of input.

What is too much is refused at once with RESOURCE_EXHAUSTED and a word when to come again: a long
line would make every client wait and help none.
"""

import collections
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from serving.refusals import Refusal

UNREAD = 16
"""Answers under way to clients that read them slowly, beside the requests that run and wait."""

ADDRESSES = 1024
"""Clients whose rate is kept; the one that was quiet longest is forgotten first."""

LINGER = 1.0
"""Seconds that a connection stays open after its last answer was handed over: a socket that is closed while its client
still talks drops what the client has not read."""

DAY = 86400.0
"""Seconds; stands for no deadline."""


class Line:
    """Lets so many requests run and so many wait, first come, first served.

    A waiting request whose client has gone, or whose deadline has passed, is never run.

    Args:
      running: requests at a time, at least 1.
      waiting: how many more may wait.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._most, self._waiting = running, waiting
        self._running, self._open = 0, 0
        self._line: collections.deque[object] = collections.deque()
        self._changed = threading.Condition()
        self._seconds = 0.05  # a request takes, as a running mean
        self._ending, self._last = False, -math.inf

    @contextlib.contextmanager
    def turn(self, context: Any) -> Iterator[None]:
        """Waits for the request's turn; the block is its run.

        Args:
          context: gRPC's, of the request.

        Raises:
          Refusal: RESOURCE_EXHAUSTED when the line is full; DEADLINE_EXCEEDED or CANCELLED from `check_alive`.
        """
        self._enter(context)
        start = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._seconds += 0.1 * (time.monotonic() - start - self._seconds)
                self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Lets nobody in any more, and waits until all are out and have read their answers.

        Args:
          seconds: to wait at most.
        """
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: not self._open, seconds)
            linger = self._last + LINGER - time.monotonic()
        time.sleep(max(0.0, min(seconds, linger)))

    def _enter(self, context: Any) -> None:
        ticket = object()
        with self._changed:
            if self._ending:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, "the server is stopping; ask another, or later.")
            present = self._running + len(self._line)
            if present >= self._most + self._waiting or self._open >= self._most + self._waiting + UNREAD:
                wait = int(1000 * self._seconds * (len(self._line) + 1) / self._most) + 1
                text = f"busy: {self._running} requests run and {len(self._line)} wait; try again in {wait} ms."
                raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text, wait)
            self._open += 1
            self._line.append(ticket)
        if not context.add_callback(self._closed):  # called when the call is over, by whatever end
            self._closed()
        with self._changed:
            try:
                self._changed.wait_for(
                    lambda: not _alive(context) or (self._line[0] is ticket and self._running < self._most),
                    timeout=remaining(context),
                )
                check_alive(context)
                self._running += 1
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _closed(self) -> None:
        with self._changed:
            self._open -= 1
            self._last = time.monotonic()
            self._changed.notify_all()


class Rate:
    """A bucket of requests for each client address, refilled evenly.

    Args:
      rate: requests a second from one address, and as many at once; 0 for no limit.
      clock: seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def take(self, peer: str) -> None:
        """Counts one request.

        Args:
          peer: gRPC's name of the other end, as ipv4:127.0.0.1:40000.

        Raises:
          Refusal: RESOURCE_EXHAUSTED where the address has asked for more than its rate.
        """
        if not self._rate:
            return
        address, most = peer.rpartition(":")[0] or peer, max(1.0, self._rate)
        with self._lock:
            now = self._clock()
            left, seen = self._buckets.pop(address, (most, now))
            left = min(most, left + (now - seen) * self._rate)
            self._buckets[address] = (left - 1.0 if left >= 1.0 else left, now)
            while len(self._buckets) > ADDRESSES:
                self._buckets.popitem(last=False)
        if left < 1.0:
            wait = int(1000 * (1.0 - left) / self._rate) + 1
            text = f"more than {self._rate:g} requests a second from one address; try again in {wait} ms."
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text, wait)


class Sizes:
    """Remembers the input sizes that have been run: TensorFlow keeps memory for each, to the end of the process.

    Args:
      most: different sizes that are run; 0 for no limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[Any] = set()
        self._lock = threading.Lock()

    def admit(self, size: Any) -> None:
        """Lets known sizes pass, and new ones up to the limit.

        Args:
          size: whatever the memory depends on; hashable.

        Raises:
          Refusal: RESOURCE_EXHAUSTED for one too many.
        """
        with self._lock:
            if self._most and size not in self._known and len(self._known) >= self._most:
                text = f"inputs of {self._most} different sizes have been run and memory is kept for each; "
                text += "ask for one of those sizes, or for a window, whose size may vary freely."
                raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
            self._known.add(size)


def remaining(context: Any) -> float:
    """Seconds to a request's deadline, at most `DAY`."""
    seconds = context.time_remaining()
    return DAY if seconds is None else min(DAY, seconds)


def check_alive(context: Any) -> None:
    """Refuses a request that nobody waits for any more: DEADLINE_EXCEEDED or CANCELLED."""
    if remaining(context) <= 0:
        raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline has passed; allow more time, or ask for less.")
    if not context.is_active():
        raise Refusal(grpc.StatusCode.CANCELLED, "the client has gone.")


def _alive(context: Any) -> bool:
    return context.is_active() and remaining(context) > 0
