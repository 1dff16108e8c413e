"""The progress line on standard error: step, speed, time left, losses and the latest picture metrics."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from tf_psgan.config import TrainingConfig

TERMINAL_SECONDS, LOG_SECONDS = 1.0, 10.0


class Progress:
    """Tells how a run goes: one line that changes on a terminal, a line now and then in a log."""

    def __init__(self, training: TrainingConfig, step: int, seconds: float) -> None:
        self.training = training
        self.losses: Mapping[str, Any] = {}
        self._terminal = sys.stderr.isatty()
        self._last, self._seen = time.monotonic(), (step, seconds)
        self._pictures = ""

    def step(self, step: int, seconds: float, losses: Mapping[str, Any]) -> None:
        """Notes that a step is done, and says so if the last word was long enough ago."""
        self.losses = losses
        now = time.monotonic()
        if now - self._last < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        rate = (step - self._seen[0]) / max(seconds - self._seen[1], 1e-9)
        self._last, self._seen = now, (step, seconds)
        left = self._left(step, seconds, rate)
        line = (
            f"step {step}  {rate:.2f} steps/s  {left // 60:02d}:{left % 60:02d} left  "
            f"G {float(losses['generator_loss']):.3f}  D {float(losses['discriminator_loss']):.3f}{self._pictures}"
        )
        print(f"\r\x1b[K{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr, flush=True)

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
            print(file=sys.stderr, flush=True)

    @staticmethod
    def say(message: str) -> None:
        """A line of its own."""
        print(message, file=sys.stderr, flush=True)

    def _left(self, step: int, seconds: float, rate: float) -> int:
        limits = []
        if self.training.steps:
            limits.append((self.training.steps - step) / max(rate, 1e-9))
        if self.training.minutes:
            limits.append(60 * self.training.minutes - seconds)
        return max(0, int(min(limits)))
