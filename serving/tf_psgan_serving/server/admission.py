"""Limits on the server's load: concurrent and waiting requests, requests per second, distinct input shapes.

Excess requests are rejected at once with RESOURCE_EXHAUSTED and a delay for the retry. A long queue would only make
every client wait.
"""

import collections
import contextlib
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import grpc

from tf_psgan_serving.server.status import StatusError

UNREAD_RESPONSES = 16
"""Responses that slow clients have not read yet, beyond the running and waiting requests."""

MAX_ADDRESSES = 1024
"""Client addresses whose rate is tracked; the longest idle one is dropped first."""

LINGER = 1.0
"""Seconds between the last response and closing the connections; closing discards what a client has not read yet."""

DAY = 86400.0
"""Seconds; stands for no deadline."""


class AdmissionQueue:
    """Admits a limited number of concurrent requests and lets a limited number wait, first in, first out.

    A waiting request whose client has gone or whose deadline has passed is never run.

    Args:
      running: concurrent requests, at least 1.
      waiting: further requests that may wait.
      clock: seconds.
      sleep: waits for seconds.
    """

    def __init__(
        self,
        running: int,
        waiting: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._max_running, self._max_waiting = running, waiting
        self._running, self._open = 0, 0
        self._waiting: collections.deque[object] = collections.deque()
        self._changed = threading.Condition()
        self._mean_seconds = 0.05  # of a request, an exponential moving average
        self._draining, self._last_closed = False, -math.inf

    @contextlib.contextmanager
    def admit(self, context: Any) -> Iterator[None]:
        """Waits until the request may run; the block is its run.

        Args:
          context: gRPC's context of the request.

        Raises:
          StatusError: RESOURCE_EXHAUSTED, the queue is full; UNAVAILABLE, the server is stopping; DEADLINE_EXCEEDED or
            CANCELLED from `check_alive`.
        """
        self._enter(context)
        start = self._clock()
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._mean_seconds += 0.1 * (self._clock() - start - self._mean_seconds)
                self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Admits no more requests, and waits until all have ended and their clients have read the responses.

        Args:
          seconds: longest wait.
        """
        with self._changed:
            self._draining = True
            self._changed.wait_for(lambda: not self._open, seconds)
            linger = self._last_closed + LINGER - self._clock()
        self._sleep(max(0.0, min(seconds, linger)))

    def _enter(self, context: Any) -> None:
        ticket = object()
        with self._changed:
            if self._draining:
                raise StatusError(
                    grpc.StatusCode.UNAVAILABLE, "the server is stopping; use another one or retry later."
                )
            present, most = self._running + len(self._waiting), self._max_running + self._max_waiting
            if present >= most or self._open >= most + UNREAD_RESPONSES:
                delay = int(1000 * self._mean_seconds * (len(self._waiting) + 1) / self._max_running) + 1
                text = f"busy: {self._running} requests run and {len(self._waiting)} wait; retry in {delay} ms."
                raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text, delay)
            self._open += 1
            self._waiting.append(ticket)
        if not context.add_callback(self._close):  # called when the call ends, for whatever reason
            self._close()
        with self._changed:
            try:
                self._changed.wait_for(
                    lambda: (
                        not _is_alive(context) or (self._waiting[0] is ticket and self._running < self._max_running)
                    ),
                    timeout=remaining_seconds(context),
                )
                check_alive(context)
                self._running += 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _close(self) -> None:
        with self._changed:
            self._open -= 1
            self._last_closed = self._clock()
            self._changed.notify_all()


class RateLimiter:
    """A token bucket for each client address.

    Args:
      rate: requests per second from one address, and the bucket's capacity; 0 for no limit.
      clock: seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def acquire(self, peer: str) -> None:
        """Counts one request.

        Args:
          peer: gRPC's name of the client, such as ipv4:127.0.0.1:40000.

        Raises:
          StatusError: RESOURCE_EXHAUSTED, the address exceeds the rate.
        """
        if not self._rate:
            return
        address, capacity = peer.rpartition(":")[0] or peer, max(1.0, self._rate)
        with self._lock:
            now = self._clock()
            tokens, updated = self._buckets.pop(address, (capacity, now))
            tokens = min(capacity, tokens + (now - updated) * self._rate)
            self._buckets[address] = (tokens - 1.0 if tokens >= 1.0 else tokens, now)
            while len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        if tokens < 1.0:
            delay = int(1000 * (1.0 - tokens) / self._rate) + 1
            text = f"more than {self._rate:g} requests per second from one address; retry in {delay} ms."
            raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text, delay)


class ShapeLimiter:
    """Limits the number of distinct input shapes: TensorFlow keeps memory for each until the process ends.

    Args:
      most: number of distinct shapes; 0 for no limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[Hashable] = set()
        self._lock = threading.Lock()

    def check(self, shape: Hashable) -> None:
        """Accepts known shapes, and new ones up to the limit.

        Args:
          shape: everything that determines the memory that TensorFlow keeps.

        Raises:
          StatusError: RESOURCE_EXHAUSTED, the shape is new and the limit is reached.
        """
        with self._lock:
            if self._most and shape not in self._known and len(self._known) >= self._most:
                text = f"inputs of {self._most} distinct shapes have been run, and the server keeps memory for each; "
                text += "use one of those shapes, or a signature whose inputs are scalars, such as window."
                raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
            self._known.add(shape)


def remaining_seconds(context: Any) -> float:
    """Seconds to a request's deadline, at most `DAY`."""
    seconds = context.time_remaining()
    return DAY if seconds is None else min(DAY, seconds)


def check_alive(context: Any) -> None:
    """Raises StatusError DEADLINE_EXCEEDED or CANCELLED for a request whose client no longer waits."""
    if remaining_seconds(context) <= 0:
        text = "the deadline has passed; allow more time, or request a smaller picture."
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, text)
    if not context.is_active():
        raise StatusError(grpc.StatusCode.CANCELLED, "the client has cancelled the request.")


def _is_alive(context: Any) -> bool:
    return context.is_active() and remaining_seconds(context) > 0
