"""How far a long piece of work is, said now and then: every second on a terminal, every ten in a log."""

import sys
import time
from collections.abc import Callable

from tf_psgan.runtime.progress import LOG_SECONDS, TERMINAL_SECONDS


class Tally:
    """Counts what is done and says it, if the last word was long enough ago.

    Args:
      count: how many there are to do.
      unit: what they are, in the plural.
      say: takes a line.
    """

    def __init__(self, count: int, unit: str, say: Callable[[str], None]) -> None:
        self._count, self._unit, self._say = count, unit, say
        self._wait = TERMINAL_SECONDS if sys.stderr.isatty() else LOG_SECONDS
        self._done, self._last, self._seen = 0, time.monotonic(), 0

    def add(self, done: int = 1) -> None:
        """Notes that so many more are done."""
        self._done += done
        now = time.monotonic()
        if now - self._last < self._wait:
            return
        rate = (self._done - self._seen) / (now - self._last)
        left = round((self._count - self._done) / rate)
        self._last, self._seen = now, self._done
        self._say(
            f"{self._done} of {self._count} {self._unit}  {100 * self._done // self._count} %  "
            f"{rate:.2f} {self._unit}/s  {left // 60:02d}:{left % 60:02d} left"
        )
