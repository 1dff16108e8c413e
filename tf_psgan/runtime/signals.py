"""Ctrl-C and SIGTERM ask for an end instead of making one: the run saves and ends by itself."""

import signal
from types import FrameType, TracebackType


class StopSignals:
    """A context in which the signals set `asked`; a second Ctrl-C does not wait for the end.

    Raises:
      KeyboardInterrupt: at a Ctrl-C when an end was already asked for.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "StopSignals":
        """Takes the signals over."""
        self._previous = {number: signal.signal(number, self._on_signal) for number in self.SIGNALS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Gives them back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt("stopped at once; the same command goes on from what was saved last.")
        self.asked = True
