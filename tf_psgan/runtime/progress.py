"""What a run says on standard error, how fast it trains, and when something is due again."""

import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any

from tf_psgan.config import TrainingConfig

TERMINAL_SECONDS, LOG_SECONDS = 1.0, 10.0


class Schedule:
    """Something that is due every so many minutes and, besides, every so many steps; 0 for never by that measure.

    Args:
      minutes, steps: between two times.
      seconds: now; all times are seconds of the run.
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
        """Begins the next wait."""
        self._next = seconds + self._wait


class Speed:
    """Steps a second of training alone: without previews, saves and a process's first step, which builds the graph."""

    def __init__(self) -> None:
        self.steps, self.seconds = -1, 0.0

    def add(self, seconds: float) -> None:
        """Notes a step that took so long."""
        self.steps += 1
        self.seconds += seconds if self.steps else 0.0

    def since(self, earlier: tuple[int, float]) -> float | None:
        """The speed since an earlier (steps, seconds); None where no step was counted."""
        steps, seconds = self.steps - earlier[0], self.seconds - earlier[1]
        return steps / seconds if steps > 0 and seconds > 0 else None


class Progress:
    """Tells how a run goes: one line that changes on a terminal, a line now and then in a log."""

    def __init__(self, training: TrainingConfig) -> None:
        self.training, self.speed = training, Speed()
        self._terminal = sys.stderr.isatty()
        self._last, self._seen = time.monotonic(), (0, 0.0)
        self._pictures = ""

    def step(self, step: int, seconds: float, losses: Mapping[str, Any]) -> None:
        """Says that `step` steps are done after so many seconds, if the last word was long enough ago."""
        now = time.monotonic()
        if now - self._last < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        rate = self.speed.since(self._seen) or 0.0
        self._last, self._seen = now, (self.speed.steps, self.speed.seconds)
        line = (
            f"step {step}  {rate:.2f} steps/s  {self._left(step, seconds, rate)}  "
            f"G {float(losses['generator_loss']):.3f}  D {float(losses['discriminator_loss']):.3f}{self._pictures}"
        )
        _write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")

    def metrics(self, measured: Mapping[str, float]) -> None:
        """Takes the newest picture metrics into the line."""
        self._pictures = (
            f"  peak {measured['peak_offset_pixels']:.1f} px, {measured['peak_height']:.2f} high"
            if measured["periodic"]
            else ""
        )
        self._pictures += f"  patches {measured['sliced_wasserstein']:.3f}  spectrum {measured['log_spectrum']:.2f}"

    def end(self) -> None:
        """Leaves the line standing."""
        if self._terminal:
            _write("\n")

    @staticmethod
    def say(message: str) -> None:
        """A line of its own."""
        _write(f"\r\x1b[K{message}\n" if sys.stderr.isatty() else f"{message}\n")

    @staticmethod
    def show(message: str) -> None:
        """A line that the next one replaces on a terminal; a line of its own in a log."""
        _write(f"\r\x1b[K{message}" if sys.stderr.isatty() else f"{message}\n")

    @staticmethod
    def clear() -> None:
        """Takes the line that `show` left off the terminal."""
        if sys.stderr.isatty():
            _write("\r\x1b[K")

    def _left(self, step: int, seconds: float, rate: float) -> str:
        limits = []
        if self.training.steps and rate:
            limits.append((self.training.steps - step) / rate)
        if self.training.minutes:
            limits.append(60 * self.training.minutes - seconds)
        if not limits:
            return "--:-- left"
        left = max(0, int(min(limits)))
        return f"{left // 60:02d}:{left % 60:02d} left"


def _write(text: str) -> None:
    with contextlib.suppress(OSError):  # a closed terminal is no reason to end a run
        sys.stderr.write(text)
        sys.stderr.flush()
