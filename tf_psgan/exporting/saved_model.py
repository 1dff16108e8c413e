"""A generator as a SavedModel: versioned folders that TensorFlow Serving and any TensorFlow program can load.

Each weight is one variable, batch norm folded in, and for windows a constant of the graph besides. A version is written
under a temporary name, read back the way a server reads it, and only then renamed.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.config import SCHEMA_VERSION, to_json
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Limits, Signatures
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.runs.exported_model import DESCRIPTION, EXTRA, versions
from tf_psgan.runtime import files


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
    target = folder / str(version or max(versions(folder), default=0) + 1)
    if target.exists():
        raise ValueError(f"{target}: is there already; leave --version out for the next one, or choose another.")
    limits = limits or Limits()
    chunk_pixels = chunks.cells(folded.pixels_per_cell) * folded.pixels_per_cell
    description = json.dumps(
        {
            **about,
            "schema_version": SCHEMA_VERSION,
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
    folder.mkdir(parents=True, exist_ok=True)
    with files.replacing(target) as partial:
        module = Signatures(folded, description, limits)
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(partial), module.signatures(), options)
        (partial / DESCRIPTION).parent.mkdir()
        (partial / DESCRIPTION).write_text(description, encoding="utf-8")
        with SessionModel(partial) as model:
            _read_back(model, folded)
            for add in extras:
                add(Draft(partial, target, folded, limits, model))
    return target


def _read_back(model: SessionModel, folded: FoldedGenerator) -> None:
    """Asks the network itself, as a server does, and compares."""
    latents = np.linspace(-1, 1, 6 * 7 * folded.blocks[0][0].shape[2], dtype=np.float32).reshape(1, 6, 7, -1)
    expected = inference.generate(chunks.cast(folded.blocks, folded.dtype), latents, folded.dtype)
    if not np.allclose(model.run("serving_default", latents=latents), expected, atol=2e-2):
        raise OSError("read back, the export makes another picture; the disk or the memory may be broken.")
