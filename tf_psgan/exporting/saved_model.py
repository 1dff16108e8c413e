"""A generator as a SavedModel: versioned folders that TensorFlow Serving and any TensorFlow program can load.

Each weight is one variable, batch norm folded in, and for windows a constant of the graph besides. A version is written
under a temporary name, read back the way a server reads it, and only then renamed.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.config import ModelConfig, from_dict, to_json
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Limits, Signatures
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator

EXTRA = "assets.extra"
"""Not a part of TensorFlow's format, which leaves this folder of a version to others."""

DESCRIPTION = Path(EXTRA) / "description.json"
"""What the arrays are."""

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True)
class Draft:
    """A version that is written and can be asked, and that is not published yet.

    Args:
      folder: where it stands for now.
      target: where it is going to stand.
    """

    folder: Path
    target: Path
    folded: FoldedGenerator
    limits: Limits
    model: SessionModel

    @property
    def extra(self) -> Path:
        """The folder for files of any kind that go along."""
        return self.folder / EXTRA


def write(
    folded: FoldedGenerator,
    folder: Path,
    names: Mapping[str, Sequence[float]],
    about: Mapping[str, Any],
    version: int = 0,
    limits: Limits | None = None,
    extras: Sequence[Callable[[Draft], None]] = (),
) -> Path:
    """Writes the next version of a model.

    Args:
      folder: of the model; made where it is missing. Versions are its folders 1, 2, ...
      names: stored textures, global vectors by name.
      about: what else the description is to say, as JSON values.
      version: 0 for the one after the newest.
      limits: what one request may ask for.
      extras: called in turn before the version is published, to add files; if one raises, nothing is published.

    Returns:
      The version's folder.

    Raises:
      ValueError: that version is there already, or the folder is none.
      OSError: it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; choose another --out.")
    versions = _versions(folder)
    target = folder / str(version or max(versions, default=0) + 1)
    if target.exists():
        raise ValueError(f"{target}: is there already; leave --version out for the next one, or choose another.")
    limits = limits or Limits()
    chunk_pixels = chunks.cells(folded.pixels_per_cell) * folded.pixels_per_cell
    description = json.dumps(
        {
            **about,
            "dtype": folded.dtype,
            "pixels_per_cell": folded.pixels_per_cell,
            "chunk_pixels": chunk_pixels,
            "tile_pixels": chunk_pixels,  # its former name, for clients of version 1
            "limits": {"height": limits.side, "width": limits.side, "pixels": limits.pixels},
            "textures": {name: list(vector) for name, vector in names.items()},
            "model": json.loads(to_json(folded.config)),
        },
        indent=2,
    )
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        module = Signatures(folded, description, limits)
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(partial), module.signatures(), options)
        (partial / DESCRIPTION).parent.mkdir()
        (partial / DESCRIPTION).write_text(description, encoding="utf-8")
        with SessionModel(partial) as model:
            _read_back(model, folded)
            for add in extras:
                add(Draft(partial, target, folded, limits, model))
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def read(path: Path) -> tuple[FoldedGenerator, dict[str, tuple[float, ...]]]:
    """The generator of a SavedModel that `write` made, and its stored textures.

    Args:
      path: a version's folder, or a model's, for its newest version.

    Raises:
      ValueError: none of this project's SavedModels is there, or it is damaged.
    """
    folder = path if (path / "saved_model.pb").exists() else path / str(max(_versions(path), default=0))
    try:
        values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        config = from_dict(ModelConfig, values["model"])
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        stored = reader.get_variable_to_shape_map()

        def arrays(prefix: str) -> tuple[np.ndarray, ...]:
            count = sum(name.startswith(prefix) and name.endswith(_VALUE) for name in stored)
            return tuple(reader.get_tensor(f"{prefix}{i}{_VALUE}") for i in range(count))

        pairs = [arrays(f"blocks/{i}/") for i in range(len(config.filters) + 1)]
        blocks = tuple((kernel, bias) for kernel, bias in pairs)
        names = {name: tuple(vector) for name, vector in values["textures"].items()}
        return FoldedGenerator(config, values["dtype"], blocks, arrays("waves/")), names
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read ({error.strerror}); give a folder that export.py wrote.") from None
    except (ValueError, LookupError, TypeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{folder}: no SavedModel of this project ({reason}); export it again.") from None


def is_here(path: Path) -> bool:
    """Whether a folder is a SavedModel, or holds versions of one."""
    return (path / "saved_model.pb").exists() or bool(_versions(path))


def _versions(folder: Path) -> list[int]:
    return [int(entry.name) for entry in folder.glob("[1-9]*") if entry.name.isdecimal() and entry.is_dir()]


def _read_back(model: SessionModel, folded: FoldedGenerator) -> None:
    """Asks the network itself, as a server does, and compares."""
    latents = np.linspace(-1, 1, 6 * 7 * folded.blocks[0][0].shape[2], dtype=np.float32).reshape(1, 6, 7, -1)
    expected = inference.generate(chunks.cast(folded.blocks, folded.dtype), latents, folded.dtype)
    if not np.allclose(model.run("serving_default", latents=latents), expected, atol=2e-2):
        raise OSError("read back, the export makes another picture; the disk or the memory may be broken.")
