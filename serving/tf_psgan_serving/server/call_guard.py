"""Bounds the calls that wait for their peer: those whose message has not arrived and those whose response is unread.

gRPC keeps a thread for each such call, and the message in memory, for as long as the peer likes. A guard ends a call
after a time limit. When too many wait, it ends the oldest call of the peer that has the most, so that calls that make
progress are never refused because others do not.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tf_psgan_serving.server.peers import Counts


class CallGuard:
    """The calls in one state, with limits on their time and their total weight.

    Args:
      seconds: longest time of a call in this state.
      most: largest sum of the calls' weights.
      clock: seconds.
    """

    def __init__(self, seconds: float, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._lock = threading.Lock()
        self._calls: dict[object, _Call] = {}  # the oldest first
        self._weights = Counts()
        self.ended = 0

    @property
    def weight(self) -> float:
        """The sum of the calls' weights."""
        return self._weights.total

    @contextlib.contextmanager
    def track(self, context: Any, weight: float = 1.0) -> Iterator[None]:
        """Counts a call during the block. If the guard ends the call, the block's read or write ends with it.

        Args:
          context: gRPC's context of the call.
          weight: its share of the limit.
        """
        key, call = object(), _Call(context, weight, self._clock() + self._seconds)
        with self._lock:
            excess = []
            while self._calls and self._weights.total + weight > self._most:
                excess.append(self._pop(self._heaviest()))
            self._calls[key] = call
            self._weights.add(call.peer, weight)
        self._end(excess)
        try:
            yield
        finally:
            with self._lock:
                if key in self._calls:
                    self._pop(key)

    def expire(self) -> None:
        """Ends the calls whose time is over."""
        with self._lock:
            now = self._clock()
            late = [self._pop(key) for key in [key for key, call in self._calls.items() if call.end <= now]]
        self._end(late)

    def _heaviest(self) -> object:
        """The oldest call of the peer with the most."""
        return max(self._calls, key=lambda key: self._weights.of(self._calls[key].peer))  # the first of equals

    def _pop(self, key: object) -> "_Call":
        call = self._calls.pop(key)
        self._weights.add(call.peer, -call.weight)
        return call

    def _end(self, calls: list["_Call"]) -> None:
        self.ended += len(calls)
        for call in calls:
            call.context.cancel()


class _Call:
    def __init__(self, context: Any, weight: float, end: float) -> None:
        self.context, self.weight, self.end = context, weight, end
        self.peer: str = context.peer()
