"""Timing in turn: every way once a round, so that what slows the machine slows all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

WARM = 2


def interleave(runs: Mapping[Any, Callable[[], Any]], rounds: int) -> dict[Any, list[float]]:
    """Milliseconds of each, `rounds` times, after WARM calls that do not count.

    Each timed call comes right behind one that is not timed: the engine before has threads that wait actively for a
    while, and its data fill the caches.
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
    """The median and the quartiles around it."""
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return median, low, high
