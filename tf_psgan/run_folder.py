"""A run on disk: one folder with everything that a run knows, and the models that are read back from it.

  config.json    every setting, written before step 1
  manifest.json  the pictures, their sizes, hashes and verdicts
  conditions.json  what the exact bits depend on
  checkpoints/   previews/   logs/ (TensorBoard)
  metrics.jsonl  a line per evaluation
  report.md      and its pictures, at the end
"""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tf_psgan import checkpoint, device
from tf_psgan import config as configs
from tf_psgan.generator import SpatialGenerator
from tf_psgan.plane import Plane

# Settings that say how long a run goes on and how often it writes; a resume may change them.
FREE = frozenset(
    ("steps", "minutes", "checkpoint_minutes", "checkpoint_steps", "keep", "evaluate_minutes", "samples", "sample_pixels")
)


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where `checkpoint.save` puts the training state."""
        return self.path / "checkpoints"

    @property
    def previews(self) -> Path:
        """One contact sheet per evaluation."""
        return self.path / "previews"

    @property
    def logs(self) -> Path:
        """TensorBoard's events."""
        return self.path / "logs"

    @property
    def metrics(self) -> Path:
        """One JSON line per evaluation."""
        return self.path / "metrics.jsonl"

    def read_config(self) -> configs.Config:
        """The run's settings; ValueError where there is no run or its file is damaged."""
        file = self.path / "config.json"
        try:
            return configs.from_json(configs.Config, file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{self.path}: no run here (no config.json); train one first or correct --run.") from None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    def check_config(self, config: configs.Config) -> None:
        """Raises ValueError naming a setting, other than the `FREE` ones, that differs from the run's own."""
        before = self.read_config()
        for part in ("model", "data", "training"):
            if different := configs.difference(getattr(config, part), getattr(before, part), FREE):
                raise ValueError(
                    f"{self.path}: a run with another {different} in the run; "
                    "choose another --run folder or the run's own settings."
                )

    def write_config(self, config: configs.Config) -> None:
        """Writes the settings of a new run, or of a resumed one after `check_config`."""
        if (self.path / "config.json").exists():
            self.check_config(config)
        self.write("config.json", configs.to_json(config))

    def write(self, name: str, text: str) -> None:
        """Writes a text file of the run whole or not at all."""
        file = self.path / name
        partial = file.with_name(f".{name}.partial")
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)

    def read_metrics(self) -> list[dict[str, Any]]:
        """The evaluations so far; a line cut off by a kill is left out."""
        lines = self.metrics.read_text(encoding="utf-8").splitlines() if self.metrics.exists() else []
        rows = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return rows

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Adds one evaluation."""
        with self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops evaluations later than a step, before the run goes on from there."""
        rows = [row for row in self.read_metrics() if row["step"] <= step]
        self.write("metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other processes from training in it; the lock ends with the process."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{self.path}: cannot be a run folder ({error.strerror}); choose another --run.") from None
        with (self.path / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(
                    f"{self.path}: another process trains in it; wait for it or choose another --run."
                ) from None
            yield


def load_generator(path: Path, dtype: str = "auto") -> SpatialGenerator:
    """The newest good averaged generator of a run, settled and ready to make pictures.

    Raises:
      ValueError: no run, a damaged config, no checkpoint yet, or none that is good.
    """
    folder = RunFolder(path)
    config = folder.read_config()
    generator = SpatialGenerator(config.model, dtype=device.compute_type(dtype), name="averaged")
    found = checkpoint.restore(folder.checkpoints, {v.path: v.value for v in generator.variables}, only=True)
    if found.path is None:
        raise ValueError(f"{path}: no checkpoint yet; train longer or choose another --run.")
    return generator


def load_plane(path: Path, dtype: str = "auto") -> Plane:
    """The plane of a run's newest good checkpoint; ValueError as `load_generator`."""
    return Plane(load_generator(path, dtype))
