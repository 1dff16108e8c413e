"""Latencies of honest clients."""

import dataclasses
import time
from collections.abc import Callable

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.server.processes import HANG_SECONDS, NAME
from tf_psgan_serving.client import Client, ServingError


@dataclasses.dataclass
class Latencies:
    """Seconds of the answers of one kind of request, and the requests that got none.

    Attributes:
      seconds: of each answer.
      errors: codes of the others.
    """

    seconds: list[float] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)

    def percentiles(self) -> dict[str, float]:
        """Milliseconds: p50, p99 and the longest; and the numbers of answers and of refused requests."""
        p50, p99, most = np.percentile(np.array(self.seconds or [np.nan]) * 1e3, (50, 99, 100)).tolist()
        return {"p50": p50, "p99": p99, "longest": most, "answers": len(self.seconds), "refused": len(self.errors)}


def measure(request: Callable[[], object], seconds: float, into: Latencies, pause: float = 0.0) -> None:
    """Sends requests one after the other for a time.

    Args:
      request: sends one, and raises ServingError if it is refused.
      seconds: the time.
      into: where the latencies go.
      pause: seconds between an answer and the next request.
    """
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        try:
            request()
            into.seconds.append(time.perf_counter() - start)
        except ServingError as error:
            into.errors.append(error.code)
        time.sleep(pause)


def small_client(address: str) -> Client:
    """A client that retries nothing."""
    return Client(address, NAME, retries=0, timeout=HANG_SECONDS)


class HealthClient:
    """Asks for the server's health over a connection of its own."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._stub = health_pb2_grpc.HealthStub(self._channel)

    def check(self) -> None:
        """One request."""
        answer = self._stub.Check(health_pb2.HealthCheckRequest(), timeout=HANG_SECONDS)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ServingError("NOT_SERVING", "not serving")

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


def table(head: str, rows: list[tuple[str, dict[str, float]]]) -> list[str]:
    """A Markdown table of `Latencies.percentiles`, a row each."""
    lines = [f"| {head} | answers | refused | p50 ms | p99 ms | longest ms |", "|---|---|---|---|---|---|"]
    return lines + [
        f"| {name} | {row['answers']} | {row['refused']} | {row['p50']:.1f} | {row['p99']:.1f} | {row['longest']:.1f} |"
        for name, row in rows
    ]
