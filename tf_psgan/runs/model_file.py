"""A model as a small folder: the weights of a folded generator in half precision, without a program to execute.

model.npz          kernels and biases (float16), wave numbers (float32)
description.json   settings of the network, stored textures, checksums
exemplar.npz       the photographs of the detail stage, where the model has one
card.md            what it was trained on, for people; the card of a Hugging Face repository

Nothing that is read is executed. Names, types and shapes of the arrays follow from the settings; a file of others is
refused before any is loaded.
"""

import dataclasses
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan import material
from tf_psgan.config import SCHEMA_VERSION, ModelConfig, check_detail, check_maps, check_schema, from_dict, to_json
from tf_psgan.detail.exemplar import Exemplar, FormatError
from tf_psgan.errors import ExportError
from tf_psgan.latents import texture_names
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.runtime import files

WEIGHTS, DESCRIPTION, EXEMPLAR, CARD = "model.npz", "description.json", "exemplar.npz", "card.md"
FILES = (WEIGHTS, DESCRIPTION, EXEMPLAR, CARD)

FORMAT = 1
"""Counts up when the folder gets other contents."""

_MOST_BYTES = {DESCRIPTION: 4 << 20, CARD: 4 << 20, WEIGHTS: 1 << 30, EXEMPLAR: 1 << 30}
"""Larger files are not read; of exemplar.npz that holds for what it unpacks to, too."""

_ABOUT = {"name": str, "step": int, "source_licence": str, "made_by": str}
"""Values of the description that other files and pages show, and their types."""

_MOST_CHARACTERS = 500
"""Of such a text."""

_DAMAGED = (
    ValueError, LookupError, TypeError, AttributeError, EOFError, OverflowError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What damaged files raise; RuntimeError is zipfile's for encrypted members and for unknown compressions."""


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A model as it is stored.

    Args:
      folded: the generator, whose weights have been rounded to float16.
      textures: stored textures, global vectors by name.
      exemplar: of the detail stage; None without one.
      about: what else the description says: `name`, `step`, `source_licence` and others; those in one line each.
      card: what people should know of the model, in Markdown; "" without one.
    """

    folded: FoldedGenerator
    textures: Mapping[str, Sequence[float]]
    exemplar: Exemplar | None
    about: Mapping[str, Any]
    card: str = ""


def is_here(folder: Path) -> bool:
    """Whether a folder is a model of this form."""
    return (folder / DESCRIPTION).is_file() and (folder / WEIGHTS).is_file()


def write(folder: Path, model: Model) -> None:
    """Writes a model, all files or none.

    Args:
      folder: a new one.
      model: with its card.

    Raises:
      ExportError: the folder exists, a weight is beyond half precision, or what `about` says is not in one line.
      OSError: it cannot be written.
    """
    if folder.exists():
        raise ExportError(str(folder), "exists already", "choose another folder", settings=("out",))
    try:
        _about(model.about)
    except ValueError as error:
        raise ExportError(
            str(folder), str(error), "give text in one line", settings=("out", "source_licence")
        ) from None
    contents = {WEIGHTS: _packed(model.folded)}
    if model.exemplar:
        contents[EXEMPLAR] = model.exemplar.to_bytes()
    description = {
        **model.about,
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "model": json.loads(to_json(model.folded.config)),
        "textures": {name: list(vector) for name, vector in model.textures.items()},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(folder) as partial:
        partial.mkdir()
        for name, content in contents.items():
            (partial / name).write_bytes(content)
        (partial / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        (partial / CARD).write_text(model.card, encoding="utf-8")


def read(folder: Path, dtype: str) -> Model:
    """Reads a model.

    Args:
      folder: as `write` made it.
      dtype: what the convolutions are to be computed in, "float32" or "bfloat16".

    Raises:
      ExportError: no such model, one of a newer version, or a damaged one.
    """
    try:
        values = json.loads(_bytes(folder, DESCRIPTION).decode("utf-8"))
        if values["format"] != FORMAT:
            problem = f"a model of format {values['format']!r}, which this version does not read"
            raise ExportError(str(folder), problem, "use a newer tf_psgan")
        check_schema(values["schema_version"])
        config = from_dict(ModelConfig, values["model"], values["schema_version"])
        check_maps(config)
        sums = values["sha256"]
        if WEIGHTS not in sums or not sums.keys() <= {WEIGHTS, EXEMPLAR}:
            raise ValueError("checksums of other files")
        contents = {name: _checked(folder, name, expected) for name, expected in sums.items()}
        folded = _unpacked(contents[WEIGHTS], config, dtype)
        textures = {_name(name): _vector(vector, config) for name, vector in values["textures"].items()}
        exemplar = None
        if EXEMPLAR in contents:
            check_detail(config)
            exemplar = Exemplar.from_bytes(_unpackable(contents[EXEMPLAR]))
        about = _about(values)
        has_card = (folder / CARD).is_file()
        card = _bytes(folder, CARD).decode("utf-8", errors="replace") if has_card else ""
        return Model(folded, textures, exemplar, about, card)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ExportError(str(error.filename or folder), problem, "give the folder of a model") from None
    except FormatError:
        problem = "the photographs of its detail stage were stored by another version of this package"
        raise ExportError(str(folder), problem, "make it again from its run") from None
    except ExportError:
        raise
    except _DAMAGED as error:
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise ExportError(str(folder), f"not a model of this package ({reason})", "get it again") from None


def _about(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a description says beside what the model is read by; what of it is shown elsewhere has its type."""
    known = ("format", "schema_version", "model", "textures", "sha256")
    about = {name: value for name, value in values.items() if name not in known}
    for name, kind in _ABOUT.items():
        if name in about and (type(about[name]) is not kind or (kind is str and not _is_line(about[name]))):
            wanted = f"line of at most {_MOST_CHARACTERS} characters" if kind is str else "number"
            raise ValueError(f"{name} is no {wanted}")
    return about


def _is_line(text: str) -> bool:
    return len(text) <= _MOST_CHARACTERS and text.isprintable()


def _packed(folded: FoldedGenerator) -> bytes:
    """The bytes of model.npz."""
    arrays = {}
    for i, (kernel, bias) in enumerate(folded.blocks):
        with np.errstate(over="ignore"):  # looked for below
            arrays[f"kernel_{i}"], arrays[f"bias_{i}"] = kernel.astype(np.float16), bias.astype(np.float16)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ExportError("model", "a weight is beyond half precision", "export a SavedModel instead")
    arrays |= {f"waves_{i}": np.asarray(array, np.float32) for i, array in enumerate(folded.waves)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpacked(content: bytes, config: ModelConfig, dtype: str) -> FoldedGenerator:
    """The generator of the bytes of model.npz.

    Raises:
      ValueError, zipfile.BadZipFile: an array is missing, of another type or shape, not finite, or one too many.
    """
    expected = _shapes(config)
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if len(entries) != len(archive.infolist()) or entries.keys() != {f"{name}.npy" for name in expected}:
            raise ValueError(f"{WEIGHTS} has other arrays than the settings describe")
        for name, (kind, shape) in expected.items():
            entry = entries[f"{name}.npy"]
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            if entry.compress_type != zipfile.ZIP_STORED or not size < entry.file_size <= size + 1024:
                raise ValueError(f"{name} has not the size that the settings describe")
            stream = io.BytesIO(archive.read(entry))
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError(f"{name} is no array")
            found, order, stored = np.lib.format.read_array_header_1_0(stream)
            if found != shape or order or stored != np.dtype(kind):
                raise ValueError(f"{name} has not the shape or the type that the settings describe")
            array = np.frombuffer(stream.read(), kind).reshape(shape).astype(np.float32)
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has numbers that are not finite")
            arrays[name] = array
    blocks = tuple((arrays[f"kernel_{i}"], arrays[f"bias_{i}"]) for i in range(len(config.filters) + 1))
    waves = tuple(arrays[name] for name in expected if name.startswith("waves_"))
    return FoldedGenerator(config, dtype, blocks, waves)


def _shapes(config: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Types and shapes of the arrays of model.npz, by name."""
    channels = config.local_channels + config.global_channels + config.waves * (2 if config.quadrature else 1)
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for i, made in enumerate((*config.filters, material.channels(config.maps))):
        found[f"kernel_{i}"], found[f"bias_{i}"] = ("<f2", (3, 3, channels, 4 * made)), ("<f2", (4 * made,))
        channels = made
    shapes: list[tuple[int, ...]] = []
    if config.waves and config.global_channels:
        hidden, made = config.wave_hidden, 2 * config.waves
        shapes = [(config.global_channels, hidden), (hidden,), (hidden, made), (made,)]
    elif config.waves:
        shapes = [(config.waves, 2)]
    return found | {f"waves_{i}": ("<f4", shape) for i, shape in enumerate(shapes)}


def _bytes(folder: Path, name: str) -> bytes:
    file = folder / name
    if file.stat().st_size > _MOST_BYTES[name]:
        raise ValueError(f"{name} has more than {_MOST_BYTES[name]} bytes")
    return file.read_bytes()


def _checked(folder: Path, name: str, expected: str) -> bytes:
    content = _bytes(folder, name)
    if hashlib.sha256(content).hexdigest() != expected:
        raise ValueError(f"{name} differs from its checksum")
    return content


def _unpackable(content: bytes) -> bytes:
    """The bytes of exemplar.npz, whose arrays are compressed, if they are not too large when unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES[EXEMPLAR]:
            raise ValueError(f"{EXEMPLAR} has more than {_MOST_BYTES[EXEMPLAR]} bytes when unpacked")
    return content


def _name(name: str) -> str:
    if texture_names.normal(name) != name or not texture_names.is_name(name):
        raise ValueError(f"{name!r} is no name of a texture")
    return name


def _vector(values: Any, config: ModelConfig) -> tuple[float, ...]:
    vector = tuple(float(value) for value in values)
    if len(vector) != config.global_channels or not all(abs(value) <= 1.0 for value in vector):
        raise ValueError(f"a texture is not {config.global_channels} numbers from -1 to 1")
    return vector
