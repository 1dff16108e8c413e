"""Interleaved timing: each round times every variant once, so that disturbances of the machine affect all equally."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

WARM = 2


def interleave(runs: Mapping[Any, Callable[[], Any]], rounds: int) -> dict[Any, list[float]]:
    """Milliseconds of each function, `rounds` values each, after WARM untimed calls.

    An untimed call precedes each timed one: the threads of the previous engine still spin for a while, and its data
    occupy the caches.
    """
    for run in runs.values():
        for _ in range(WARM):
            run()
    times: dict[Any, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            began = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - began))
    return times


def spread(times: list[float]) -> tuple[float, float, float]:
    """(median, lower quartile, upper quartile)."""
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return median, low, high
