"""A run on disk: one folder with everything that a run knows, and the models that are read back from it.

config.json    every setting, written before step 1
manifest.json  the pictures, their sizes, hashes and verdicts
conditions.json  what the exact bits depend on, and what of it changed on the way
checkpoints/   previews/   logs/ (TensorBoard)
metrics.jsonl  a line per evaluation
textures/      global vectors of pictures, found or learned, one file a name
report.md      and its pictures, at the end
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_psgan import config as configs
from tf_psgan.data import manifest
from tf_psgan.errors import RunError
from tf_psgan.exporting import saved_model
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs import checkpoint
from tf_psgan.runtime import device, files, locks

# Settings that say how long a run goes on and how often it writes; a resume may change them. The
# pictures may move: the manifest says whether they are the same.
FREE = frozenset(
    {
        "images",
        "steps",
        "minutes",
        "checkpoint_minutes",
        "checkpoint_steps",
        "max_to_keep",
        "evaluate_minutes",
        "samples",
        "sample_pixels",
    }
)


@dataclasses.dataclass(frozen=True)
class StoredTexture:
    """A global vector, and the step of the model in which it means its texture; None for one that always does."""

    vector: tuple[float, ...]
    step: int | None


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The paths of a run; files are written whole or not at all, and a damaged one is a ValueError that names it."""

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

    @property
    def exists(self) -> bool:
        """Whether a run was set up here."""
        return (self.path / "config.json").exists()

    def has_begun(self) -> bool:
        """Whether there is a checkpoint to go on from; ValueError where there was one and it is gone."""
        if any(True for name in ("step-*", ".replaced-step-*") for _ in self.checkpoints.glob(name)):
            return True
        if rows := self.read_metrics():
            raise ValueError(
                f"{self.checkpoints}: no checkpoint is left of this run's {rows[-1]['step']} steps; "
                "put one back or choose another --run folder."
            )
        return False

    def preview(self, step: int) -> Path:
        """The contact sheet of a step."""
        return self.previews / f"step-{step:08d}.png"

    def read_config(self) -> configs.Config:
        """The run's settings; ValueError where there is no run or its file is damaged."""
        if not self.exists:
            raise ValueError(f"{self.path}: no run here (no config.json); train one first or correct --run.")
        with self._reading("config.json", "restore it or choose another --run folder") as text:
            return configs.from_dict(configs.Config, json.loads(text))

    def check_config(self, config: configs.Config) -> None:
        """Raises ValueError naming a setting, other than the `FREE` ones, that differs from the begun run's own."""
        if not self.has_begun():
            return  # it failed before its first checkpoint, perhaps because of a setting
        before = self.read_config()
        for part in ("model", "data", "training"):
            if different := configs.difference(getattr(config, part), getattr(before, part), FREE):
                raise ValueError(
                    f"{self.path}: the run there has other settings ({different} there); "
                    "choose another --run folder or the run's own settings."
                )

    def write_config(self, config: configs.Config) -> None:
        """Writes the settings of a new run, or of a resumed one after `check_config`."""
        self.check_config(config)
        self.write("config.json", configs.to_json(config))

    def read_manifest(self) -> manifest.Manifest:
        """The pictures that the run learns from."""
        with self._reading("manifest.json", "restore it or choose another --run folder") as text:
            return manifest.from_json(text)

    def check_manifest(self, pictures: manifest.Manifest) -> None:
        """Raises ValueError where the run begun here learned from other pictures."""
        if self.has_begun() and (different := manifest.difference(self.read_manifest(), pictures)):
            raise ValueError(f"{self.path}: {different}; put the pictures back or choose another --run folder.")

    def read_conditions(self) -> dict[str, Any]:
        """What the run computes on, by name; `changes` lists what was otherwise before, if anything was."""
        remedy = "delete it to go on, without knowing whether the last bits are those of an unbroken run"
        with self._reading("conditions.json", remedy) as text:
            found = json.loads(text)
            if not isinstance(found, dict) or not isinstance(found.get("changes", []), list):
                raise ValueError("not an object of conditions")
            return found

    def write_conditions(self, conditions: dict[str, Any]) -> None:
        """Writes what the run computes on."""
        self.write("conditions.json", json.dumps(conditions, indent=2) + "\n")

    def note_conditions(self, conditions: dict[str, Any], step: int) -> list[str]:
        """Compares with what the run computed on before and writes down what changed at this step; the new changes."""
        before = self.read_conditions()
        found = [
            f"step {step}: {name} was {before.get(name)} and is {value}"
            for name, value in conditions.items()
            if before.get(name) != value
        ]
        if found:
            self.write_conditions(conditions | {"changes": before.get("changes", []) + found})
        return found

    def write(self, name: str, text: str) -> None:
        """Writes a text file of the run whole or not at all."""
        files.write(self.path / name, text)

    def read_metrics(self) -> list[dict[str, Any]]:
        """The evaluations so far; a last line cut off by a kill is left out."""
        if not self.metrics.exists():
            return []
        with self._reading("metrics.jsonl", "delete that line, or the file, to go on") as text:
            return [_row(number, line) for number, line in enumerate(text.split("\n")[:-1], start=1)]

    def read_textures(self, channels: int) -> dict[str, "StoredTexture"]:
        """The stored textures by name; a file that holds none of so many channels is a ValueError."""
        found = {}
        for file in sorted((self.path / "textures").glob("[!.]*.json")):
            with self._reading(f"textures/{file.name}", "delete it and find the texture again") as text:
                values = json.loads(text)
                step = values["step"] if values["step"] is None else int(values["step"])
                stored = StoredTexture(tuple(values["vector"]), step)
                if len(stored.vector) != channels or not all(abs(value) <= 1.0 for value in stored.vector):
                    raise ValueError(f"not {channels} numbers from -1 to 1")
                found[file.stem] = stored
        return found

    def write_texture(self, name: str, vector: Sequence[float], about: Mapping[str, Any]) -> None:
        """Stores a global vector under a name, with what is known about it."""
        (self.path / "textures").mkdir(exist_ok=True)
        self.write(f"textures/{name}.json", json.dumps({"vector": list(vector), **about}, indent=2) + "\n")

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Adds one evaluation."""
        with self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, allow_nan=False) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops evaluations later than a step, before the run goes on from there."""
        rows = [row for row in self.read_metrics() if row["step"] <= step]
        self.write("metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        for file in self.previews.glob("step-*.png"):
            if file > self.preview(step):
                file.unlink()

    def check_place(self) -> None:
        """Raises ValueError where this cannot be a run's folder. Writes nothing."""
        checkpoint.check_name(self.path)
        there = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
        if not there.is_dir():
            raise ValueError(f"{self.path}: {there} is a file; choose another --run folder.")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ValueError(f"{self.path}: {there} may not be written to; choose another --run folder.")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other processes from training in it; the lock ends with the process."""
        self.check_place()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / ".lock").touch()
        except OSError as error:
            reason = f"cannot be written ({error.strerror})"
            raise ValueError(f"{self.path}: {reason}; choose another --run folder.") from None
        busy = RunError(
            str(self.path),
            "another process trains in it",
            "wait for it or choose another folder",
            settings=("run",),
        )
        with locks.locked(self.path / ".lock", busy):
            files.remove_temporaries(self.path)
            yield

    @contextlib.contextmanager
    def _reading(self, name: str, remedy: str) -> Iterator[str]:
        """The text of a file of the run; a ValueError, inside too, names the file and the remedy."""
        file = self.path / name
        try:
            yield file.read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{file}: cannot be read ({error.strerror}); {remedy}.") from None
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            reason = str(error).partition("; restore")[0].rstrip(".")
            raise ValueError(f"{file}: cannot be used ({reason}); {remedy}.") from None


def load(path: str | Path, dtype: str = "auto") -> tuple[SpatialGenerator, checkpoint.Restored]:
    """The newest good averaged generator of a run, settled and ready to make pictures, and where it was found.

    Raises:
      ValueError: no run, a damaged config, no checkpoint yet, or none that is good.
    """
    folder = RunFolder(Path(path))
    config = folder.read_config()
    generator = SpatialGenerator.from_model_config(config.model, dtype=device.compute_type(dtype), name="averaged")
    found = checkpoint.restore(folder.checkpoints, {v.path: v.value for v in generator.variables}, only=True)
    if found.path is None:
        raise ValueError(f"{path}: no checkpoint yet; train longer or choose another --run.")
    return generator, found


def load_generator(path: str | Path, dtype: str = "auto") -> SpatialGenerator:
    """The generator of `load`."""
    return load(path, dtype)[0]


def plane_of(path: str | Path, generator: SpatialGenerator) -> TexturePlane:
    """The plane of a run's generator, which knows the run's stored textures by name."""
    stored = RunFolder(Path(path)).read_textures(generator.global_channels)
    return TexturePlane(fold(generator), {name: texture.vector for name, texture in stored.items()})


def load_plane(path: str | Path, dtype: str = "auto") -> TexturePlane:
    """The plane of a run's newest good checkpoint, or of a SavedModel that `export.py` wrote.

    Args:
      path: a run's folder; a SavedModel's; or a model's, for its newest version.
      dtype: compute type of a run's plane, "float32", "mixed_bfloat16" or "auto"; a SavedModel has its own.

    Raises:
      ValueError: as `load`, or for a damaged stored texture or SavedModel.
    """
    if saved_model.is_here(Path(path)):
        folded, names = saved_model.read(Path(path))
        return TexturePlane(folded, names)
    return plane_of(path, load_generator(path, dtype))


def _row(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if not isinstance(row["step"], int) or not isinstance(row["seconds"], int | float):
            raise TypeError
    except (ValueError, TypeError, LookupError):
        raise ValueError(f"line {number} is not one of an evaluation") from None
    return row
