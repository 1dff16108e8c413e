"""A run on disk: one folder with everything that is known about a run.

config.json      all settings, written before the first step
manifest.json    the pictures: paths, sizes, hashes, and why some were skipped
conditions.json  hardware and versions that the exact bits depend on, and their changes on the way
checkpoints/     previews/   logs/ (TensorBoard)
metrics.jsonl    one line per evaluation
textures/        global vectors by name, one file each
exemplar.npz     the photographs as the detail stage needs them
adaptation.json  how they fit the generator of the newest checkpoint
report.md        with its pictures, at the end
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_psgan import config as configs
from tf_psgan import material
from tf_psgan.data import manifest
from tf_psgan.detail.exemplar import Exemplar, FormatError
from tf_psgan.errors import RunError
from tf_psgan.latents import texture_names
from tf_psgan.plane.adaptation import Adaptation
from tf_psgan.runs import checkpoint, metric_rows
from tf_psgan.runtime import files, locks

FREE = frozenset(
    {
        "images",
        "steps",
        "minutes",
        "until",
        "checkpoint_minutes",
        "checkpoint_steps",
        "max_to_keep",
        "evaluate_minutes",
        "samples",
        "sample_pixels",
        "detail",
    }
)
"""Settings that a resumed run may change: they decide when it ends and how often it writes. The pictures may move:
the manifest tells whether they are the same."""

_ANOTHER = "choose another run folder"
_RESTORE = f"restore it or {_ANOTHER}"


@dataclasses.dataclass(frozen=True)
class StoredTexture:
    """A global vector.

    Args:
      vector: the vector.
      step: of the model that it was found for; None for one that was learned and is valid at every step.
      picture: the picture that it is of; "" where that is not known.
    """

    vector: tuple[float, ...]
    step: int | None
    picture: str = ""


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The files of a run. Each is written completely or not at all; reading a damaged one raises RunError."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the training state, for `checkpoint.save`."""
        return self.path / "checkpoints"

    @property
    def previews(self) -> Path:
        """Folder of contact sheets, one per evaluation."""
        return self.path / "previews"

    @property
    def logs(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "logs"

    @property
    def metrics(self) -> Path:
        """File of the evaluations, one JSON line each."""
        return self.path / "metrics.jsonl"

    @property
    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "config.json").exists()

    def has_begun(self) -> bool:
        """Whether there is a checkpoint to resume from.

        Raises:
          RunError: there are evaluations but no checkpoint.
        """
        if any(True for name in ("step-*", ".replaced-step-*") for _ in self.checkpoints.glob(name)):
            return True
        if rows := self.read_metrics():
            problem = f"no checkpoint is left of this run's {rows[-1]['step']} steps"
            raise _error(self.checkpoints, problem, f"put one back or {_ANOTHER}")
        return False

    def preview(self, step: int) -> Path:
        """The contact sheet of a step."""
        return self.previews / f"step-{step:08d}.png"

    def read_config(self) -> configs.Config:
        """The settings of the run, migrated from older versions.

        Raises:
          RunError: there is no run, or its file is damaged.
        """
        if not self.exists:
            raise _error(self.path, "no run here (no config.json)", "train one first or choose another folder")
        with self._reading("config.json", _RESTORE) as text:
            return configs.from_dict(configs.Config, json.loads(text))

    def check_config(self, config: configs.Config) -> None:
        """Checks that a run resumed here has the settings that it began with.

        Raises:
          RunError: names the first setting outside `FREE` that differs.
        """
        if not self.has_begun():
            return  # it failed before its first checkpoint, perhaps because of a setting
        before = self.read_config()
        for part in ("model", "data", "training", "rendering"):
            if different := configs.difference(getattr(config, part), getattr(before, part), FREE):
                problem = f"the run there has other settings ({different} there)"
                raise _error(self.path, problem, f"{_ANOTHER} or the run's own settings")

    def write_config(self, config: configs.Config) -> None:
        """Writes the settings of a new run, or of a resumed one after `check_config`."""
        self.check_config(config)
        self.write("config.json", configs.to_json(config))

    def read_manifest(self) -> manifest.Manifest:
        """The pictures that the run learns from."""
        with self._reading("manifest.json", _RESTORE) as text:
            return manifest.from_json(text)

    def pictures(self) -> list[Path]:
        """Paths of the pictures that the run learns from, as far as its manifest can be read."""
        with contextlib.suppress(RunError):
            return [Path(entry.path) for entry in self.read_manifest().usable]
        return []

    def inputs(self) -> list[Path]:
        """Paths of all files that the run learns from: `pictures`, and their maps where it learns a material."""
        pictures = self.pictures()
        maps: tuple[str, ...] = ()
        with contextlib.suppress(RunError):
            maps = self.read_config().model.maps
        return [*pictures, *(material.path(picture, name) for picture in pictures for name in maps)]

    def check_manifest(self, pictures: manifest.Manifest) -> None:
        """Checks that a run resumed here has the pictures that it began with.

        Raises:
          RunError: names the first picture that differs.
        """
        if self.has_begun() and (different := manifest.difference(self.read_manifest(), pictures)):
            raise _error(self.path, different, f"put the pictures back or {_ANOTHER}", ("images", "run"))

    def read_conditions(self) -> dict[str, Any]:
        """What the run computes on, by name; `changes` lists what was different before, if anything was."""
        remedy = "delete it to resume, without knowing whether the last bits are those of an uninterrupted run"
        with self._reading("conditions.json", remedy) as text:
            found = json.loads(text)
            if not isinstance(found, dict) or not isinstance(found.get("changes", []), list):
                raise ValueError("not an object of conditions")
            return found

    def write_conditions(self, conditions: dict[str, Any]) -> None:
        """Writes what the run computes on."""
        self.write("conditions.json", json.dumps(conditions, indent=2) + "\n")

    def note_conditions(self, conditions: dict[str, Any], step: int) -> list[str]:
        """Compares with what the run computed on before, and stores the changes at this step.

        Returns:
          The new changes, one line each.
        """
        before = self.read_conditions()
        found = [
            f"step {step}: {name} was {before.get(name)} and is {value}"
            for name, value in conditions.items()
            if before.get(name, value) != value  # earlier versions recorded fewer
        ]
        if found:
            self.write_conditions(conditions | {"changes": before.get("changes", []) + found})
        return found

    def write(self, name: str, text: str) -> None:
        """Writes a text file of the run, completely or not at all."""
        files.write(self.path / name, text)

    def read_metrics(self) -> list[dict[str, Any]]:
        """The evaluations so far, without a last line that a kill has cut off."""
        if not self.metrics.exists():
            return []
        with self._reading("metrics.jsonl", "delete that line or the file to resume") as text:
            return [metric_rows.parsed(number, line) for number, line in enumerate(text.split("\n")[:-1], start=1)]

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Appends an evaluation, and returns when it is on the disk."""
        with files.naming(self.metrics), self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, allow_nan=False) + "\n")
            stream.flush()
            files.sync_data(stream.fileno())

    def read_textures(self, channels: int) -> dict[str, StoredTexture]:
        """The stored textures by name.

        Args:
          channels: global channels of the model.

        Raises:
          RunError: a file is damaged, or holds no vector of so many channels.
        """
        found = {}
        for file in sorted((self.path / "textures").glob("[!.]*.json")):
            with self._reading(f"textures/{file.name}", "delete it and find the texture again") as text:
                values = json.loads(text)
                step = values["step"] if values["step"] is None else int(values["step"])
                stored = StoredTexture(
                    tuple(values["vector"]), step, str(values.get("picture") or values.get("like", ""))
                )
                if len(stored.vector) != channels or not all(abs(value) <= 1.0 for value in stored.vector):
                    raise ValueError(f"not {channels} numbers from -1 to 1")
                found[texture_names.normal(file.stem)] = stored
        return found

    def texture_name(self, picture: Path, name: str, channels: int) -> str:
        """The name under which the texture of a picture can be stored without replacing that of another picture.

        Args:
          picture: its file.
          name: the wanted name; "" for that of the picture, with a number where it is taken.
          channels: global channels of the model.

        Raises:
          RunError: the wanted name is that of a learned texture, or of one found for another picture.
        """
        taken = {
            each: stored.step is None or os.path.realpath(stored.picture) != os.path.realpath(picture)
            for each, stored in self.read_textures(channels).items()
        }
        if not name:
            return texture_names.free(texture_names.of_path(picture), {each for each in taken if taken[each]})
        if taken.get(name):
            file = self.path / "textures" / f"{name}.json"
            raise _error(file, f"the texture {name} is of another picture", "choose another name", ("name",))
        return name

    def write_texture(self, name: str, vector: Sequence[float], about: Mapping[str, Any]) -> None:
        """Stores a global vector under a name.

        Args:
          about: what else is known; its `step` is that of `StoredTexture`.
        """
        (self.path / "textures").mkdir(exist_ok=True)
        self.write(f"textures/{name}.json", json.dumps({"vector": list(vector), **about}, indent=2) + "\n")

    @property
    def exemplar(self) -> Path:
        """File of the photographs as the detail stage needs them."""
        return self.path / "exemplar.npz"

    def read_exemplar(self) -> Exemplar | None:
        """The exemplar; None where none was written, or where another version of this package wrote it.

        Raises:
          RunError: the file is damaged.
        """
        if not self.exemplar.exists():
            return None
        remedy = "delete it, and it is measured again"
        try:
            return Exemplar.from_bytes(self.exemplar.read_bytes())
        except FormatError:
            return None
        except OSError as error:
            raise _error(self.exemplar, f"cannot be read ({error.strerror})", remedy) from None
        except ValueError as error:
            raise _error(self.exemplar, f"cannot be used ({error})", remedy) from None

    def write_exemplar(self, exemplar: Exemplar) -> None:
        """Writes the exemplar."""
        files.write(self.exemplar, exemplar.to_bytes())

    def read_adaptation(self, key: str) -> Adaptation | None:
        """How the exemplar fits a generator; None where that was not written, or for others.

        Args:
          key: of the exemplar and the generator.

        Raises:
          RunError: the file is damaged.
        """
        if not (self.path / "adaptation.json").exists():
            return None
        with self._reading("adaptation.json", "delete it, and it is measured again") as text:
            values = json.loads(text)
            return Adaptation.from_dict(values) if values["key"] == key else None

    def write_adaptation(self, key: str, adaptation: Adaptation) -> None:
        """Writes how the exemplar fits a generator."""
        self.write("adaptation.json", json.dumps({"key": key, **adaptation.to_dict()}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops the evaluations of later steps, before the run resumes from this one."""
        rows = [row for row in self.read_metrics() if row["step"] <= step]
        self.write("metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        for file in self.previews.glob("step-*.png"):
            if file > self.preview(step):
                file.unlink()

    def check_place(self) -> None:
        """Checks that a run can be written here. Writes nothing.

        Raises:
          RunError: a path that TensorFlow cannot use, a file in the way, or no permission.
        """
        checkpoint.check_name(self.path)
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not there.is_dir():
            raise _error(self.path, f"{there} is a file")
        if not os.access(there, os.W_OK | os.X_OK):
            raise _error(self.path, f"no permission to write in {there}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other processes from training in it. The lock ends with the process.

        Raises:
          RunError: as `check_place`; another process trains here; or the file system has no locks.
        """
        self.check_place()
        lock = self.path / ".lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.touch()
        except OSError as error:
            raise _error(self.path, f"cannot be written ({error.strerror})") from None
        with locks.locked(lock, self._busy()):
            files.remove_temporaries(self.path)
            yield

    def check_unlocked(self) -> None:
        """Raises RunError where another process trains in the folder. Writes nothing."""
        if (self.path / ".lock").exists():
            with locks.locked(self.path / ".lock", self._busy()):
                pass

    def _busy(self) -> RunError:
        return _error(self.path, "another process trains in it", f"wait for it or {_ANOTHER}")

    @contextlib.contextmanager
    def _reading(self, name: str, remedy: str) -> Iterator[str]:
        """The text of a file. What is wrong with it, inside too, becomes a RunError with the file and the remedy."""
        file = self.path / name
        try:
            yield file.read_text(encoding="utf-8")
        except OSError as error:
            raise _error(file, f"cannot be read ({error.strerror})", remedy) from None
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            reason = str(error).partition("; restore")[0].rstrip(".")
            raise _error(file, f"cannot be used ({reason})", remedy) from None


def _error(path: Path, problem: str, allowed: str = _ANOTHER, settings: tuple[str, ...] = ("run",)) -> RunError:
    return RunError(str(path), problem, allowed, value=str(path), settings=settings)
