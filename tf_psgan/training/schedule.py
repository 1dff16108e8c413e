"""When a training run is to do something again, and how fast it trains."""


class Schedule:
    """Something due every so many minutes and, besides, every so many steps; 0 turns either measure off.

    Args:
      minutes, steps: intervals.
      seconds: the present time; all times are seconds of the run.
      first: due after so many seconds for the first time, if that is sooner.
    """

    def __init__(self, minutes: float, steps: int, seconds: float, first: float = float("inf")) -> None:
        self._wait = 60 * minutes or float("inf")
        self._steps = steps
        self._next = seconds + (min(self._wait, first) if minutes else self._wait)

    def is_due(self, seconds: float, step: int) -> bool:
        """Whether it is time, `step` steps being done."""
        return seconds >= self._next or bool(self._steps and step % self._steps == 0)

    def done(self, seconds: float) -> None:
        """Starts the next interval."""
        self._next = seconds + self._wait


class Speed:
    """Steps per second of training alone: without previews, checkpoints and a process's first call, which traces."""

    def __init__(self) -> None:
        self.steps, self.seconds = 0, 0.0
        self._has_traced = False

    def add(self, seconds: float, steps: int = 1) -> None:
        """Counts the steps of one call that took so long."""
        if self._has_traced:
            self.steps += steps
            self.seconds += seconds
        self._has_traced = True

    @property
    def steps_per_second(self) -> float | None:
        """None before the second call."""
        return self.steps / self.seconds if self.steps > 0 and self.seconds > 0 else None
