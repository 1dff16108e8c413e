"""What a process of an engine does: it opens the view once and then makes the shards that it is given."""

import importlib.util
import threading
from pathlib import Path

from tf_psgan.errors import PictureError, SettingError
from tf_psgan.rendering.raster import shards
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.runtime.signals import StopSignals


class ShardWorker:
    """Makes shards of a picture.

    Args:
      out: the picture; where all workers reach it.
      planned: its plan.
      open_view: called once, with the first shard: Ray starts an actor again whose constructor fails.
    """

    def __init__(self, out: Path | str, planned: Plan, open_view: shards.OpenView) -> None:
        self._out, self._planned, self._open_view = out, planned, open_view
        self._maker: shards.ShardMaker | None = None
        self._lock = threading.Lock()

    def make(self, index: tuple[int, int]) -> tuple[int, int]:
        """Makes the shard of a row and a column unless it is there and whole; returns them.

        Raises:
          InputError: as `shards.ShardMaker`; the view cannot be opened; another process makes the shard.
          KeyboardInterrupt: a stop signal.
        """
        with self._lock:  # Beam's threads share a worker
            if self._maker is None:
                self._maker = shards.ShardMaker(self._out, self._planned, self._open_view())
        with StopSignals() as stopping:
            if not self._maker.make(*index, stopping):
                raise KeyboardInterrupt(f"{self._out}: stopped; run the same again to continue.")
        return index


def check_installed(engine: str, module: str) -> None:
    """Raises SettingError where the package of an engine is missing."""
    if importlib.util.find_spec(module) is None:
        raise SettingError(
            "engine",
            f"{engine!r} needs a package that is not installed",
            f"pip install 'tf_psgan[{engine}]'",
            value=engine,
        )


def failed(out: Path | str, reason: str) -> PictureError:
    """An error about a worker that the engine has given up."""
    return PictureError(str(out), f"a worker failed ({reason})", "mend that; the same command continues")


def pixels(planned: Plan, index: tuple[int, int]) -> int:
    """Number of pixels of a shard."""
    height, width = planned.extent(*index)
    return height * width
