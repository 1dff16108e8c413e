"""Ctrl-C and SIGTERM request an end: the work saves what it has and ends by itself, or removes what is unfinished."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType


class StopSignals:
    """A context in which these signals set `requested` instead of ending the process.

    Outside the main thread, where Python allows no handlers, the signals keep their meaning.

    Attributes:
      requested: whether an end was requested.
      number: of the first signal; 0 for none.

    Raises:
      KeyboardInterrupt: at a Ctrl-C when an end was requested before.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested, self.number = False, 0

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
        self.requested, self.number = True, self.number or number


class Terminated(KeyboardInterrupt):
    """A signal asks the process to end.

    Args:
      number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}.")
        self.number = number


@contextlib.contextmanager
def terminations_raised() -> Iterator[None]:
    """SIGTERM and SIGHUP raise `Terminated` inside, so that unfinished files are removed as after Ctrl-C.

    Signals that the process ignores (nohup), and all outside the main thread, keep their meaning.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated(number)

    changed = []
    if threading.current_thread() is threading.main_thread():
        names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
        changed = [getattr(signal, name) for name in names if signal.getsignal(getattr(signal, name)) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
