"""How far a long piece of work is: a bar on a terminal, otherwise a log record now and then."""

import logging
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

from tf_psgan.runtime import stderr

BAR_SECONDS, LOG_SECONDS = 0.5, 10.0
"""Least time between two states of the bar, and between two log records."""

SHORT_SECONDS = 2.0
"""Delay of the bar for work that is often over at once."""

_LARGE = 100_000  # counts from here on are written with a prefix, as in 38.4M

logger = logging.getLogger("tf_psgan.progress")


class Progress:
    """Counts what is done. A context manager; its end leaves the bar on the terminal.

    Args:
      total: how much there is to do; None where that is unknown. The attribute may change on the way.
      unit: what is counted, in the plural.
      description: what the work is.
      display: draws a bar if standard error is a terminal. Otherwise records go to the logger `tf_psgan.progress`.
      initial: how much was done before.
      delay: seconds until the bar appears; shorter work shows none.
    """

    def __init__(
        self,
        total: float | None,
        unit: str,
        *,
        description: str = "",
        display: bool = False,
        initial: float = 0,
        delay: float = 0,
    ) -> None:
        self.total, self.done = total, initial
        self._unit, self._description = unit, description
        self._values: dict[str, Any] = {}
        self._shown_at, self._shown_done = time.monotonic(), initial
        self._bar: tqdm | None = None
        if display and stderr.STREAM.isatty():
            self._bar = _Bar(
                total=total,
                initial=initial,
                desc=description or None,
                unit=f" {unit}",
                unit_scale=(total or 0) >= _LARGE,
                dynamic_ncols=True,
                mininterval=0,
                miniters=0,
                delay=delay,
                file=stderr.STREAM,
            )

    def update(self, done: float = 1, **values: Any) -> None:
        """Adds to what is done.

        Args:
          done: how much more.
          values: numbers or text, shown by name until they are given anew. Read only when they are shown.
        """
        self.done += done
        self._values |= values
        now = time.monotonic()
        if now - self._shown_at < (LOG_SECONDS if self._bar is None else BAR_SECONDS):
            return
        if self._bar is None:
            logger.info("%s", self._record(now))
        else:
            self._draw(self._bar)
        self._shown_at, self._shown_done = now, self.done

    def __enter__(self) -> "Progress":
        """The progress itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Draws the last state of the bar and ends its line."""
        if self._bar is not None:
            self._draw(self._bar)
            self._bar.close()

    def _draw(self, bar: tqdm) -> None:
        bar.total = self.total
        bar.set_postfix_str(self._text_of_values(), refresh=False)
        bar.update(self.done - bar.n)

    def _record(self, now: float) -> str:
        rate = (self.done - self._shown_done) / max(now - self._shown_at, 1e-9)
        count = f"{_number(self.done)} of {_number(self.total)}" if self.total else _number(self.done)
        parts = [f"{count} {self._unit}"]
        if self.total:
            parts.append(f"{100 * self.done / self.total:.0f} %")
        parts.append(f"{tqdm.format_sizeof(rate) if rate >= _LARGE else f'{rate:.2f}'} {self._unit}/s")
        if self.total and rate > 0:
            parts.append(f"{tqdm.format_interval(max(0.0, (self.total - self.done) / rate))} left")
        if self._values:
            parts.append(self._text_of_values())
        return f"{self._description}: {', '.join(parts)}" if self._description else ", ".join(parts)

    def _text_of_values(self) -> str:
        return ", ".join(
            f"{name} {value if isinstance(value, str | int) else f'{float(value):.3f}'}"
            for name, value in self._values.items()
        )


class _Bar(tqdm):
    monitor_interval = 0  # no thread that redraws


def _number(value: float) -> str:
    return tqdm.format_sizeof(value) if value >= _LARGE else f"{value:.0f}"
