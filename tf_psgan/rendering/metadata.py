"""What a file's metadata says: the settings of its specification, the model, and a digest of what fixes its pixels."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from tf_psgan._version import __version__
from tf_psgan.latents import texture_fields
from tf_psgan.latents.texture_fields import Texture
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering.composition import Composition
from tf_psgan.rendering.spec import Animation, Change, Drift, Morph, Painting, Quilt, RenderSpec, Walk


def identity(spec: RenderSpec, composition: Composition, plane: TexturePlane, model: str) -> dict[str, str]:
    """Everything that makes a file's pixels what they are, as text by name.

    Args:
      model: the run's name and step.
    """
    return {
        **settings(spec, composition),
        "model": model,
        "dtype": plane.folded.dtype,
        **({"detail": "patches"} if plane.exemplar else {}),
        "pixels": digest(plane, composition.scene.field),
        "Software": f"tf_psgan {__version__}",
    }


def settings(spec: RenderSpec, composition: Composition) -> dict[str, str]:
    """The window as it was made, seed and texture; other settings where they differ from their defaults."""
    values: dict[str, Any] = {name: getattr(composition, name) for name in ("height", "width", "top", "left")}
    values |= {"seed": spec.seed, "texture": 0}
    if spec.tile:
        edges = spec.tile.edges
        values |= {"tile": spec.tile.axes, "repeat": spec.tile.repeat and _grid(*spec.tile.repeat)}
        values |= {"shared_edge": edges if edges is None or isinstance(edges, str) else _joined(edges)}
    match spec.content:
        case Quilt() as quilt:
            values |= {"texture": quilt.first, "quilt": _grid(quilt.rows, quilt.cols)}
            values |= {"border": _changed(quilt.border, Quilt.border), "textures": _joined(quilt.textures) or None}
        case Morph(knots):
            values |= {"morph": "/".join(_joined(row) for row in knots)}
        case Painting() as painting:
            palette = ",".join(f"{colour:06x}={_text(texture)}" for colour, texture in painting.palette.items())
            values |= {"paint": painting.map, "palette": palette}
            values |= {"border": _changed(painting.border, Painting.border)}
        case texture:
            values |= {"texture": _text(texture)}
    if spec.inversion:
        values |= {"like": spec.inversion.picture, "name": spec.inversion.name}
    if spec.animation:
        values |= _animation(spec.animation)
    return {name: str(value) for name, value in values.items() if value is not None}


def digest(plane: TexturePlane, field: texture_fields.Field) -> str:
    """Sixteen hexadecimal digits that differ where the pixels of one window may.

    That is where the model, the detail stage's photographs, a stored texture or a painting's map differs.
    """
    found = hashlib.sha256(plane.folded.fingerprint().encode())
    found.update((plane.exemplar.fingerprint() if plane.exemplar else "none").encode())
    found.update(plane.vectors(list(dict.fromkeys(field.textures))).tobytes())
    if isinstance(field, texture_fields.Painting):
        found.update(np.ascontiguousarray(field.labels).tobytes())
    return found.hexdigest()[:16]


def _animation(animation: Animation) -> dict[str, Any]:
    values: dict[str, Any] = {
        "frames": _changed(animation.frames, Animation.frames),
        "frames_per_second": _changed(animation.frames_per_second, Animation.frames_per_second),
    }
    match animation.path:
        case Drift(offset):
            return {"animate": "drift", **values, "drift": offset and _joined(offset)}
        case Walk(textures):
            return {"textures": _joined(textures), "animate": "walk", **values}
        case Change(amount):
            return {"animate": "change", **values, "amount": _changed(amount, Change.amount)}


def _changed(value: Any, default: Any) -> Any:
    return None if value == default else value


def _grid(rows: int, cols: int) -> str:
    return f"{rows}x{cols}"


def _joined(items: Iterable[Texture]) -> str:
    return ",".join(_text(item) for item in items)


def _text(texture: Texture) -> str:
    """A number, a name, or a vector's numbers separated by spaces."""
    return " ".join(map(repr, texture)) if isinstance(texture, tuple) else str(texture)
