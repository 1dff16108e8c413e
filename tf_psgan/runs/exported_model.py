"""Reads an exported model back: the weights and the textures of a SavedModel that `exporting` wrote.

The weights are read as arrays from its variables; the graph is not loaded.
"""

import json
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_psgan.config import ModelConfig, check_schema, from_dict
from tf_psgan.detail.exemplar import Exemplar, FormatError
from tf_psgan.errors import ExportError
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.runtime import files
from tf_psgan_serving.version_files import checksums

EXTRA = "assets.extra"
"""Folder of a version for files of any kind: not a part of TensorFlow's format, which leaves it to others."""

DESCRIPTION = Path(EXTRA) / "description.json"
"""Settings of the network and stored textures, beside the weights. Keys: `schema_version`, `dtype`, `model`,
`textures` and others that are only informative."""

_DAMAGED = (
    ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error, tf.errors.OpError,
)  # fmt: skip
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


MAX_VERSION = 2**63 - 1
"""TensorFlow Serving's version numbers are int64."""

_VERSION = re.compile(r"[1-9][0-9]{0,18}")

EXEMPLAR = Path(EXTRA) / "exemplar.npz"
"""The photographs of the detail stage, in a model that has one."""


def read(path: Path) -> tuple[FoldedGenerator, dict[str, tuple[float, ...]], Exemplar | None]:
    """The generator of an exported model, its stored textures, and the exemplar of its detail stage if it has one.

    Args:
      path: a version's folder, or a model's, for its newest version.

    Raises:
      ExportError: there is no SavedModel of this package, or it is damaged: a file differs from its checksum.
    """
    check_name(path)
    folder = path if (path / "saved_model.pb").exists() else path / str(max(versions(path), default=0))
    try:
        checksums.check(folder)
        values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        schema = values.get("schema_version", 1)
        check_schema(schema)
        config = from_dict(ModelConfig, values["model"], schema)
        if config.maps:
            raise ValueError("an export has one picture of a material")
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        stored = reader.get_variable_to_shape_map()

        def arrays(prefix: str) -> tuple[np.ndarray, ...]:
            count = sum(name.startswith(prefix) and name.endswith(_VALUE) for name in stored)
            return tuple(reader.get_tensor(f"{prefix}{i}{_VALUE}") for i in range(count))

        pairs = [arrays(f"blocks/{i}/") for i in range(len(config.filters) + 1)]
        blocks = tuple((kernel, bias) for kernel, bias in pairs)
        names = {name: tuple(vector) for name, vector in values["textures"].items()}
        exemplar = (
            Exemplar.from_bytes((folder / EXEMPLAR).read_bytes()) if values.get("detail", "none") != "none" else None
        )
        return FoldedGenerator(config, values["dtype"], blocks, arrays("waves/")), names, exemplar
    except OSError as error:
        problem, allowed = f"cannot be read ({error.strerror})", "give the folder of an exported model"
        raise ExportError(str(folder), problem, allowed) from None
    except FormatError:
        problem = "the photographs of its detail stage were stored by another version of this package"
        raise ExportError(str(folder), problem, "export it again") from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise ExportError(str(folder), f"not a SavedModel of this package ({reason})", "export it again") from None


def check_name(folder: Path) -> None:
    """Raises ExportError for a path where TensorFlow would write a SavedModel and not find it again."""
    if problem := files.tensorflow_problem(folder):
        raise ExportError(str(folder), problem, "choose a folder with another name", settings=("out",))


def is_here(path: Path) -> bool:
    """Whether a folder is a SavedModel, or holds versions of one."""
    return (path / "saved_model.pb").exists() or bool(versions(path))


def versions(folder: Path) -> list[int]:
    """Numbers of the versions in a model's folder, in no order. Larger ones than `MAX_VERSION` are not served."""
    found = [int(entry.name) for entry in folder.glob("[1-9]*") if _VERSION.fullmatch(entry.name) and entry.is_dir()]
    return [number for number in found if number <= MAX_VERSION]
