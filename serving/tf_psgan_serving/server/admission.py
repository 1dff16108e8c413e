"""Limits on concurrent and waiting requests.

Excess requests are rejected at once with RESOURCE_EXHAUSTED and a delay for the retry. A long queue would only make
every client wait.
"""

import contextlib
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from tf_psgan_serving.server import cost
from tf_psgan_serving.server.lanes import Lane, Ticket
from tf_psgan_serving.server.status import StatusError

LEAST_COST = 128.0**2
"""Pixels that count for any request, so that empty ones are not free."""

LINGER = 1.0
"""Seconds between the last response and closing the connections; closing discards what a client has not read yet."""

READ_SECONDS = 3.0
"""Seconds that clients have to read their responses when the server stops and nothing runs any more."""

DAY = 86400.0
"""Seconds; stands for no deadline."""


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
        self._small, self._large = Lane(running, waiting), Lane(1, large - 1)
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
        ticket = Ticket(context, LEAST_COST + pixels, next(self._arrivals))
        self._enter(lane, ticket)
        try:
            self._wait(lane, ticket)
            yield
        finally:
            with self._changed:
                lane.leave(ticket, self._clock())
                self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Admits no more requests, and waits until all have run and their clients have read the responses.

        A client that does not read is waited for only `READ_SECONDS` after the last request has run.

        Args:
          seconds: longest wait.
        """
        with self._changed:
            self._draining, end = True, self._clock() + seconds
            lanes = (self._small, self._large)
            self._changed.wait_for(lambda: not any(lane.active or lane.waiting for lane in lanes), seconds)
            self._changed.wait_for(lambda: not self._open, max(0.0, min(READ_SECONDS, end - self._clock())))
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

    def _enter(self, lane: Lane, ticket: Ticket) -> None:
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

    def _wait(self, lane: Lane, ticket: Ticket) -> None:
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
