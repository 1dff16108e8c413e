"""Checkpoints, each complete or absent: saves one, restores the newest good one, and reports why others are rejected.

A checkpoint is a folder `step-00001200/` with one TensorFlow tensor bundle (`variables.index`, `variables.data-...`;
every tensor and every index block carries a CRC). The notes are a JSON string in the bundle, covered by the same CRC.

The folder is renamed to that name after its data was read back, found equal and finite, and synced. A process killed at
any moment leaves at most folders whose names start with a dot, which `clean` removes. One process writes to a folder;
any number may read from it at the same time.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.errors import RunError
from tf_psgan.runtime import files

BUNDLE = "variables"
NOTES = ".notes"
"""The tensor with the step and the notes."""

REPLACED, REMOVED = ".replaced-", ".removed-"
_WRITING = ".writing-"  # of earlier versions, which a killed one may have left

# What TensorFlow and JSON raise for damaged files; UnicodeDecodeError and JSONDecodeError are ValueErrors.
_UNREADABLE = (OSError, tf.errors.OpError, ValueError, LookupError, RuntimeError, TypeError)


class NoGoodCheckpoint(RunError):
    """A folder holds checkpoints, but none that can be used."""


@dataclasses.dataclass(frozen=True)
class Restored:
    """What `restore` found.

    Args:
      step, notes: of the checkpoint; 0 and empty without one.
      path: None where the folder holds no checkpoint and no variable was changed.
      rejected: one line for each newer checkpoint that was passed over, newest first.
    """

    step: int
    notes: dict[str, Any]
    path: Path | None
    rejected: tuple[str, ...]


def save(folder: Path, step: int, variables: Mapping[str, tf.Variable], notes: Mapping[str, Any], keep: int) -> Path:
    """Writes one checkpoint, replacing one of the same step, then removes the oldest.

    Checkpoints of later steps are neither removed nor counted: a run that resumed from an earlier step has rejected
    them.

    Args:
      folder: made where it is missing.
      step: not negative.
      variables: by name; names do not begin with a dot.
      notes: JSON values without NaN and infinity.
      keep: how many checkpoints up to this step stay, this one included; at least 1.

    Returns:
      The checkpoint's own folder.

    Raises:
      ValueError: a variable or a note is not finite, or the folder's name cannot be used. Nothing was written.
      OSError: it could not be written, for example on a full disk. Earlier checkpoints are unchanged.
    """
    check_name(folder)
    if keep < 1 or step < 0:
        raise ValueError(f"{folder}: keep is {keep} and step {step}, but keep must be at least 1 and step at least 0.")
    values = {name: variable.numpy() for name, variable in variables.items()}
    for name, value in values.items():
        if not _finite(value):
            raise ValueError(f"{name} holds NaN or infinity at step {step}; no checkpoint was written.")
    sealed = json.dumps({"step": step, "notes": dict(notes)}, allow_nan=False)
    final = folder / f"step-{step:08d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clean(folder)
        with files.replacing(final) as writing:
            _write(writing, {**values, NOTES: np.array(sealed.encode(), object)})
            _read_back(writing, values, sealed)
            if final.exists():
                final.rename(folder / (REPLACED + final.name))
        files.sync(folder.absolute().parent)
    except _UNREADABLE as error:
        raise OSError(
            f"{final}: could not be written ({_one_line(error)}); earlier checkpoints are unchanged. "
            "Make room on the disk, then resume."
        ) from error
    finally:
        clean(folder)
    upto = [path for path in _newest_first(folder) if _step(path) <= step]
    for old in upto[keep:]:
        old.rename(folder / (REMOVED + old.name))  # a rename is atomic, deleting is not
    clean(folder)
    return final


def restore(folder: Path, variables: Mapping[str, tf.Variable], only: bool = False) -> Restored:
    """Sets the variables to the newest good checkpoint, all of them or none. Changes no file.

    Args:
      folder: may be missing.
      variables: as given to `save`.
      only: allows the checkpoint to hold more than these variables; the others are not read.

    Raises:
      NoGoodCheckpoint: there are checkpoints, and each was rejected: damaged, not finite, or of another model.
    """
    check_name(folder)
    rejected = []
    candidates = _newest_first(folder)
    for path in candidates:
        try:
            values, notes = _read(path, variables, only)
        except _UNREADABLE as error:
            rejected.append(f"{path.name}: {_one_line(error)}")
            continue
        for name, variable in variables.items():
            variable.assign(values[name])
        return Restored(_step(path), notes, path, tuple(rejected))
    if not candidates:
        return Restored(0, {}, None, ())
    if _newest_first(folder) != candidates:  # a training process saved one and removed another meanwhile
        return restore(folder, variables, only)
    problem = f"no checkpoint can be used ({'; '.join(rejected)})"
    allowed = "put back a good copy, or start over in another run folder"
    raise NoGoodCheckpoint(str(folder), problem, allowed, settings=("run",))


def clean(folder: Path) -> None:
    """Removes what a killed `save` left, and puts back a checkpoint that it was about to replace.

    Only for the process that writes to the folder: a reader would remove what is being written.
    """
    for path in list(folder.glob(".*")):
        final = folder / path.name.removeprefix(REPLACED)
        if path.name.startswith(REPLACED) and not final.exists():
            path.rename(final)
        elif path.name.startswith((_WRITING, REPLACED, REMOVED)) or path.name.endswith(files.TEMPORARY):
            shutil.rmtree(path, ignore_errors=True)


def check_name(folder: Path) -> None:
    """Raises RunError for a path where TensorFlow would write a checkpoint and not find it again."""
    if problem := files.tensorflow_problem(folder):
        raise RunError(str(folder), problem, "choose a run folder with another name", settings=("run",))


def _newest_first(folder: Path) -> list[Path]:
    """The checkpoints; one that was replaced comes after the one that replaces it."""
    names = re.compile(rf"({re.escape(REPLACED)})?step-\d{{8,}}")
    # Not glob, which finds nothing in a folder without read permission: training would start over.
    found = [path for path in (folder.iterdir() if folder.exists() else ()) if names.fullmatch(path.name)]
    return sorted(found, key=lambda path: (-_step(path), path.name.startswith(REPLACED)))


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _write(path: Path, values: Mapping[str, np.ndarray]) -> None:
    path.mkdir()
    with tf.device("/CPU:0"):
        tf.raw_ops.SaveV2(
            prefix=str(path / BUNDLE),
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=[tf.constant(value) for value in values.values()],
        )


def _read_back(path: Path, expected: Mapping[str, np.ndarray], sealed: str) -> None:
    """Raises OSError unless the files hold the expected values, bit for bit."""
    reader = tf.train.load_checkpoint(str(path / BUNDLE))
    if set(reader.get_variable_to_shape_map()) != {*expected, NOTES} or reader.get_tensor(NOTES) != sealed.encode():
        raise OSError("the names or the notes read back differ")
    for name, value in expected.items():
        found = np.asarray(reader.get_tensor(name))
        if (found.shape, found.dtype, found.tobytes()) != (value.shape, value.dtype, value.tobytes()):
            raise OSError(f"{name} read back differs")


def _read(path: Path, variables: Mapping[str, tf.Variable], only: bool) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The values and the notes, verified; raises one of _UNREADABLE with the reason as its text."""
    missing = [name for name in (f"{BUNDLE}.index", f"{BUNDLE}.data-00000-of-00001") if not (path / name).is_file()]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    try:
        reader = tf.train.load_checkpoint(str(path / BUNDLE))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        sealed = json.loads(reader.get_tensor(NOTES))
        step, notes = int(sealed["step"]), dict(sealed["notes"])
        values = {name: np.asarray(reader.get_tensor(name)) for name in variables if name in shapes}
    except _UNREADABLE as error:
        raise ValueError(f"data is damaged ({_one_line(error)})") from error
    if step != _step(path):
        raise ValueError(f"was saved as step {step}")
    for name, variable in variables.items():
        here = f"{variable.dtype.name} {variable.shape.as_list()}"
        there = f"{dtypes[name].name} {shapes[name]}" if name in shapes else "absent"
        if here != there:
            raise ValueError(f"is of another model ({name} is {here} in this model, {there} in the checkpoint)")
        if not _finite(values[name]):
            raise ValueError(f"{name} holds NaN or infinity")
    extra = sorted(set(shapes) - {*variables, NOTES})
    if extra and not only:
        raise ValueError(f"is of another model ({extra[0]} is absent in this model)")
    return values, notes


def _finite(value: np.ndarray) -> bool:
    return bool(np.isfinite(value).all())


def _one_line(error: BaseException) -> str:
    text = error.message if isinstance(error, tf.errors.OpError) else getattr(error, "strerror", None) or str(error)
    text = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]", "", text)  # the place in TensorFlow's code
    return " ".join(text.split())[:300] or type(error).__name__
