"""Ctrl-C and SIGTERM request an end: the work saves what it has and ends by itself."""

import signal
import threading
from types import FrameType, TracebackType


class StopSignals:
    """A context in which these signals set `requested` instead of ending the process.

    Outside the main thread, where Python allows no handlers, the signals keep their meaning.

    Raises:
      KeyboardInterrupt: at a Ctrl-C when an end was requested before.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> "StopSignals":
        """Installs the handlers."""
        self._previous = {}
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._on_signal) for number in self.SIGNALS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Restores the earlier handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not installed by Python

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt("stopped at once; the same command resumes from what was saved last.")
        self.requested = True
