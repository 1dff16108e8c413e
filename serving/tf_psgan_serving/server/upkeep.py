"""Periodic work of the server."""

import logging
import threading
from collections.abc import Callable, Sequence

LOG = logging.getLogger("tf_psgan_serving")


class Upkeep:
    """Calls functions again and again from a thread of its own, between `start` and `close`.

    Args:
      tasks: without arguments; an exception is logged and ends nothing.
      interval: seconds.
    """

    def __init__(self, tasks: Sequence[Callable[[], None]], interval: float = 0.1) -> None:
        self._tasks, self._interval = tasks, interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            for task in self._tasks:
                try:
                    task()
                except Exception:
                    LOG.exception("upkeep")
