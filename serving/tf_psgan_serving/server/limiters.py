"""Limits on the requests of one address per second, and on the number of distinct input shapes."""

import collections
import threading
import time
from collections.abc import Callable, Hashable

import grpc

from tf_psgan_serving.server import peers
from tf_psgan_serving.server.status import StatusError

MAX_ADDRESSES = 1024
"""Client addresses whose rate is tracked; the longest idle one is dropped first."""


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
