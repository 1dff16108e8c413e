"""Limits on the server's load: concurrent and waiting requests of each client, requests per second, distinct shapes.

Excess requests are rejected at once with RESOURCE_EXHAUSTED and a delay for the retry. A long queue would only make
every client wait.
"""

import collections
import contextlib
import itertools
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import grpc

from tf_psgan_serving.server import cost, peers
from tf_psgan_serving.server.peers import Counts
from tf_psgan_serving.server.status import StatusError

MAX_ADDRESSES = 1024
"""Client addresses whose rate is tracked; the longest idle one is dropped first."""

LEAST_COST = 128.0**2
"""Pixels that count for any request, so that empty ones are not free."""

LINGER = 1.0
"""Seconds between the last response and closing the connections; closing discards what a client has not read yet."""

DAY = 86400.0
"""Seconds; stands for no deadline."""


class _Ticket:
    """A request in a lane."""

    def __init__(self, context: Any, cost: float, arrival: int) -> None:
        self.context, self.cost, self.arrival = context, cost, arrival
        self.peer: str = context.peer()
        self.start = math.inf  # time at which it began to run
        self.displaced = False


class _Lane:
    """Requests of one kind that share running and waiting places.

    The next to run is the request of the client that has had the least so far (start-time fair queueing, Goyal et al.,
    1997, over addresses and then connections). If all places are taken, a client with fewer requests displaces the
    latest waiting one of the client with the most.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self.running, self.places = running, running + waiting
        self.waiting: list[_Ticket] = []  # in the order of arrival
        self.active: list[_Ticket] = []
        self.mean_seconds = 0.05  # of a request, an exponential moving average
        self._counts = Counts()
        self._used: dict[str, float] = {}  # cost so far by address and by connection
        self._floor = dict.fromkeys((0, 1), 0.0)  # the least that a client counts as having had

    def enter(self, ticket: _Ticket) -> None:
        """Adds a request, or raises RESOURCE_EXHAUSTED."""
        if sum(not one.displaced for one in self.waiting) + len(self.active) >= self.places:
            self._displace(ticket.peer)
        for level, key in enumerate(_levels(ticket.peer)):
            self._used[key] = max(self._used.get(key, 0.0), self._floor[level])
        self._counts.add(ticket.peer, 1)
        self.waiting.append(ticket)

    def next(self) -> "_Ticket | None":
        """The waiting request that may run now."""
        if len(self.active) >= self.running:
            return None
        living = [ticket for ticket in self.waiting if not ticket.displaced]
        return min(living, key=lambda one: (*map(self._used.__getitem__, _levels(one.peer)), one.arrival), default=None)

    def begin(self, ticket: _Ticket, now: float) -> None:
        """Moves a request from waiting to running."""
        self.waiting.remove(ticket)
        self.active.append(ticket)
        ticket.start = now
        for level, key in enumerate(_levels(ticket.peer)):
            self._floor[level] = self._used[key]
            self._used[key] += ticket.cost

    def leave(self, ticket: _Ticket, now: float) -> None:
        """Removes a request, which ran or did not."""
        if ticket in self.active:
            self.active.remove(ticket)
            self.mean_seconds += 0.1 * (now - ticket.start - self.mean_seconds)
        else:
            self.waiting.remove(ticket)
        self._counts.add(ticket.peer, -1)
        present = {key for one in (*self.waiting, *self.active) for key in _levels(one.peer)}
        least = min(self._floor.values())
        self._used = {key: used for key, used in self._used.items() if key in present or (present and used > least)}

    def busy(self) -> StatusError:
        """The error for a request that finds no place."""
        delay = int(1000 * self.mean_seconds * (len(self.waiting) + 1) / self.running) + 1
        text = f"busy: {len(self.active)} requests run and {len(self.waiting)} wait; retry in {delay} ms."
        return StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text, delay)

    def _displace(self, peer: str) -> None:
        """Makes room for one more request of a client, or raises RESOURCE_EXHAUSTED."""
        address, connection = self._counts.of(peer)
        candidates = [ticket for ticket in reversed(self.waiting) if not ticket.displaced]
        victim = max(candidates, key=lambda ticket: self._counts.of(ticket.peer), default=None)
        if victim is None:
            raise self.busy()
        elsewhere = peers.address(victim.peer) != peers.address(peer)
        if self._counts.of(victim.peer) <= (address + elsewhere, connection + 1):
            raise self.busy()
        victim.displaced = True


class AdmissionQueue:
    """Admits a limited number of concurrent requests and lets a limited number wait, fairly between clients.

    Large requests have places of their own, one of which runs, so that small ones wait for small ones only. A waiting
    request whose client has gone or whose deadline has passed is never run.

    Args:
      running: concurrent requests, at least 1.
      waiting: further requests that may wait.
      large: large requests that may run or wait, at least 1; one runs at a time.
      clock: seconds.
      sleep: waits for seconds.
    """

    def __init__(
        self,
        running: int,
        waiting: int,
        large: int = 2,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._small, self._large = _Lane(running, waiting), _Lane(1, large - 1)
        self._open, self._arrivals = 0, itertools.count()
        self._changed = threading.Condition()
        self._draining, self._last_closed = False, -math.inf

    @contextlib.contextmanager
    def admit(self, context: Any, pixels: float = 0.0) -> Iterator[None]:
        """Waits until the request may run; the block is its run.

        Args:
          context: gRPC's context of the request.
          pixels: its cost.

        Raises:
          StatusError: RESOURCE_EXHAUSTED, the queue is full; UNAVAILABLE, the server is stopping; DEADLINE_EXCEEDED or
            CANCELLED from `check_alive`.
        """
        lane = self._large if pixels > cost.LARGE else self._small
        ticket = _Ticket(context, LEAST_COST + pixels, next(self._arrivals))
        self._enter(lane, ticket)
        try:
            self._wait(lane, ticket)
            yield
        finally:
            with self._changed:
                lane.leave(ticket, self._clock())
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

    def counts(self) -> tuple[int, int]:
        """The numbers of running and of waiting requests."""
        with self._changed:
            lanes = (self._small, self._large)
            return sum(len(lane.active) for lane in lanes), sum(len(lane.waiting) for lane in lanes)

    def longest_run(self) -> float:
        """Seconds since the oldest running request began; 0 for none."""
        with self._changed:
            starts = [ticket.start for lane in (self._small, self._large) for ticket in lane.active]
            return self._clock() - min(starts) if starts else 0.0

    def _enter(self, lane: _Lane, ticket: _Ticket) -> None:
        with self._changed:
            if self._draining:
                raise StatusError(
                    grpc.StatusCode.UNAVAILABLE, "the server is stopping; use another one or retry later."
                )
            lane.enter(ticket)
            self._open += 1
            self._changed.notify_all()
        if not ticket.context.add_callback(self._close):  # called when the call ends, for whatever reason
            self._close()

    def _wait(self, lane: _Lane, ticket: _Ticket) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: not _is_alive(ticket.context) or ticket.displaced or lane.next() is ticket,
                timeout=remaining_seconds(ticket.context),
            )
            check_alive(ticket.context)
            if ticket.displaced:
                raise lane.busy()
            lane.begin(ticket, self._clock())
            self._changed.notify_all()  # another place may be free

    def _close(self) -> None:
        with self._changed:
            self._open -= 1
            self._last_closed = self._clock()
            self._changed.notify_all()


def _levels(peer: str) -> tuple[str, str]:
    return peers.address(peer) + ":", peer


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
        address, capacity = peers.address(peer), max(1.0, self._rate)
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

    def add(self, shape: Hashable) -> None:
        """Counts a shape that has been run."""
        with self._lock:
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
