"""Writes a generator as a SavedModel: versioned folders that TensorFlow Serving and any TensorFlow program can load.

Each weight is stored once, as a variable, with batch norm folded in; the graph of windows holds them as constants too.
A version is written under a temporary name, read back the way a server reads it, and then renamed.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan._version import __version__
from tf_psgan.config import SCHEMA_VERSION, to_json
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.errors import ExportError
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import NAMES, Limits, Signatures
from tf_psgan.latents import noise
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.runs import outputs
from tf_psgan.runs.exported_model import DESCRIPTION, EXEMPLAR, EXTRA, MAX_VERSION, versions
from tf_psgan.runtime import files
from tf_psgan_serving.version_files import checksums

PARTS = 3
"""Of the work of `write`: the graph, the files, and reading them back."""

GRAPH_BYTES = 4 << 20
"""What the graph of the signatures, samples and warm-up requests take on the disk at most, without weights."""


@dataclasses.dataclass(frozen=True)
class Draft:
    """A version that is written and loaded, but not published yet.

    Args:
      folder: its temporary folder.
      target: its final folder.
      folded: the generator.
      limits: of one request.
      model: the version in a session.
      copies: whether a detail stage copies the pixels of the training pictures, which the version then contains.
    """

    folder: Path
    target: Path
    folded: FoldedGenerator
    limits: Limits
    model: SessionModel
    copies: bool = False

    @property
    def extra(self) -> Path:
        """The folder for further files of any kind."""
        return self.folder / EXTRA


def write(
    folded: FoldedGenerator,
    folder: Path,
    names: Mapping[str, Sequence[float]],
    about: Mapping[str, Any],
    version: int = 0,
    limits: Limits | None = None,
    extras: Sequence[Callable[[Draft], None]] = (),
    exemplar: Exemplar | None = None,
    done: Callable[[], None] = lambda: None,
) -> Path:
    """Writes the next version of a model.

    Args:
      folded: the generator.
      folder: of the model, created if it is missing. Versions are its folders 1, 2, ...
      names: stored textures, global vectors by name.
      about: further entries of the description, JSON values.
      version: 0 for the one after the newest.
      limits: the largest picture of one request.
      extras: called in turn before the version is published, to add files; if one raises, nothing is published.
      exemplar: of the detail stage; None for the generator's own pictures.
      done: called after each of `PARTS` parts of the work and after each of the extras.

    Returns:
      The version's folder.

    Raises:
      InputError: the disk has no room for it.
      ExportError: that version exists already or is out of range, the folder is a file, or the model gives other
        pictures when read back.
      OSError: it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ExportError(str(folder), "is a file", "choose a folder", settings=("out",))
    number = version or max(versions(folder), default=0) + 1
    if not 1 <= number <= MAX_VERSION:
        problem, allowed = f"{number} is outside 1 .. {MAX_VERSION}", "choose a version inside"
        raise ExportError("version", problem, allowed, value=number, settings=("version",))
    target = folder / str(number)
    if target.exists():
        raise ExportError(
            str(target), "exists already", "choose another version, or 0 for the next", settings=("version",)
        )
    limits = limits or Limits()
    chunk_pixels = chunks.cells(folded.pixels_per_cell) * folded.pixels_per_cell
    described = {
        **about,
        "schema_version": SCHEMA_VERSION,
        "dtype": folded.dtype,
        "detail": "patches" if exemplar else "none",
        "pixels_per_cell": folded.pixels_per_cell,
        "chunk_pixels": chunk_pixels,
        "tile_pixels": chunk_pixels,  # its name for clients of schema 1
        "limits": {"height": limits.side, "width": limits.side, "pixels": limits.pixels},
        "signatures": list(NAMES),
        "texture_numbers": _numbers(names, folded.config.global_channels),
        "textures": {name: list(vector) for name, vector in names.items()},
        "model": json.loads(to_json(folded.config)),
        "made_by": {"tf_psgan": __version__, "tensorflow": tf.__version__},
    }
    content = exemplar.to_bytes() if exemplar else b""
    described["identity"] = _identity(described, folded, content)
    description = json.dumps(described, indent=2)
    outputs.check_space(target, _bytes(folded, content), "make room, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with files.replacing(target) as partial:
        module = Signatures(folded, description, limits, exemplar)
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        signatures = module.signatures()
        done()
        tf.saved_model.save(module, str(partial), signatures, options)
        done()
        (partial / DESCRIPTION).parent.mkdir()
        (partial / DESCRIPTION).write_text(description, encoding="utf-8")
        if exemplar:
            (partial / EXEMPLAR).write_bytes(content)
        with SessionModel(partial) as model:
            _read_back(model, folded)
            done()
            for add in extras:
                add(Draft(partial, target, folded, limits, model, exemplar is not None))
                done()
        checksums.write(partial)
    return target


def _numbers(names: Mapping[str, Any], channels: int) -> dict[str, int]:
    """The numbers by which requests ask for textures that have names, where a name is that of one of the first numbers.

    Args:
      names: global vectors by name.
      channels: global channels of the model.
    """
    of_numbers = noise.global_vector(np.arange(len(names)), channels).numpy()
    found = {}
    for name, vector in names.items():
        same: Any = np.flatnonzero((of_numbers == np.asarray(vector, np.float32)).all(axis=1)) if channels else []
        if len(same):
            found[name] = int(same[0])
    return found


def _bytes(folded: FoldedGenerator, exemplar: bytes) -> int:
    """About what a version takes on the disk: weights as variables, as constants and as ONNX, and the detail stage's
    pictures compressed and as variables."""
    weights = sum(array.nbytes for array in (*(part for block in folded.blocks for part in block), *folded.waves))
    return GRAPH_BYTES + 3 * weights + 3 * len(exemplar)


def _identity(described: Mapping[str, Any], folded: FoldedGenerator, exemplar: bytes) -> str:
    """SHA-256 of everything that a version is made from: the description, the weights, the detail stage's pictures.

    Without `cost_per_pixel`, which is measured anew by each export and changes no picture.
    """
    values = {name: value for name, value in described.items() if name != "cost_per_pixel"}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for array in (*(part for block in folded.blocks for part in block), *folded.waves):
        digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    digest.update(exemplar)
    return digest.hexdigest()


def _read_back(model: SessionModel, folded: FoldedGenerator) -> None:
    """Runs the network in the session, as a server does, and compares the result with the weights' own."""
    latents = np.linspace(-1, 1, 6 * 7 * folded.blocks[0][0].shape[2], dtype=np.float32).reshape(1, 6, 7, -1)
    expected = inference.generate(chunks.cast(folded.blocks, folded.dtype), latents, folded.dtype)
    if not np.allclose(model.run("serving_default", latents=latents), expected, atol=2e-2):
        raise ExportError("export", "gives other pictures when read back", "check the disk and the memory")
