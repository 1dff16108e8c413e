"""From a request to what a plane is to show: the scene, and the window of it."""

import dataclasses
from pathlib import Path

import numpy as np

from tf_psgan.data import images
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.latents.texture_fields import Texture
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering import request
from tf_psgan.rendering.request import Request

DEFAULT_PIXELS = 512
MAP_PIXELS = 2**26
"""Pixels of a --paint map at most; stretched over a larger picture it serves as well."""

WANG = (0, 0, 1, 1)
"""Edge colours around a closed row of tiles in which each pair of two colours comes once (Wei 2004)."""


@dataclasses.dataclass(frozen=True)
class Composition:
    """A window of a scene, in pixels."""

    scene: Scene
    top: int
    left: int
    height: int
    width: int


def compose(asked: Request, plane: TexturePlane, found: Texture | None = None) -> Composition:
    """What a picture shows.

    Args:
      found: the texture to show instead of the request's own.

    Raises:
      ValueError: a setting that cannot be read, or does not go with the model or with another.
      OSError: the map cannot be read.
    """
    labels, palette = _labels(asked)
    natural = labels.shape if asked.paint and labels is not None else (DEFAULT_PIXELS, DEFAULT_PIXELS)
    height, width = asked.height or natural[0], asked.width or natural[1]
    rows = plane.cells("height", height) if "y" in asked.tile else 0
    cols = plane.cells("width", width) if "x" in asked.tile else 0
    # A tile's picture starts at its first cell; --top and --left only say which of its pixels comes first.
    extent = {"top": 0 if rows else asked.top, "left": 0 if cols else asked.left, "height": height, "width": width}
    field: texture_fields.Field
    if labels is not None:
        wrap = (bool(rows), bool(cols))
        field = texture_fields.Painting(labels, palette, asked.border, wrap=wrap, **extent)
    elif asked.morph:
        field = texture_fields.Morph(request.knots(asked.morph), **extent)
    else:
        field = texture_fields.Uniform(request.texture(asked.texture) if found is None else found)
    if len(set(field.textures)) > 1 and not plane.config.global_channels:
        raise ValueError(f"{_of(asked)}: the model has one texture only; choose a run with --global_channels.")
    edges = request.edges(asked.shared_edge) if asked.shared_edge not in ("", "all") else None
    scene = Scene(asked.seed, field, rows, cols, edges)
    plane.check_fit(scene)
    return Composition(scene, asked.top, asked.left, height, width)


def wang_tiles(composition: Composition) -> list[list[Composition]]:
    """The 16 tiles of two colours an edge, so laid that neighbours fit: across, down, and around the whole.

    Each with a seed of its own, counted on from the composition's.
    """
    count, tiles = len(WANG), []
    for i in range(count):
        row = []
        for j in range(count):
            edges = (WANG[i], WANG[(j + 1) % count], WANG[(i + 1) % count], WANG[j])
            scene = dataclasses.replace(composition.scene, seed=composition.scene.seed + count * i + j, edges=edges)
            row.append(dataclasses.replace(composition, scene=scene))
        tiles.append(row)
    return tiles


def _labels(asked: Request) -> tuple[np.ndarray | None, tuple[Texture, ...]]:
    """The map of a painting or of a quilt, and its textures; None for a picture that is neither."""
    if asked.quilt:
        rows, cols = request.grid("quilt", asked.quilt)
        if asked.textures:
            return texture_fields.quilt([request.texture(item) for item in asked.textures], rows, cols)
        first = request.texture(asked.texture)
        if not isinstance(first, int):
            raise ValueError(f"quilt: {first!r} is one texture; name the blocks' by --textures, or give a number.")
        return texture_fields.quilt([first + i for i in range(rows * cols)], rows, cols)
    if not asked.paint:
        return None, ()
    named = request.colours(asked.palette)
    page = images.decode(Path(asked.paint).expanduser(), MAP_PIXELS).astype(np.int32)
    seen, labels = np.unique(page @ np.array([1 << 16, 1 << 8, 1], np.int32), return_inverse=True)
    if unknown := [colour for colour in seen.tolist() if colour not in named]:
        share = np.mean(np.isin(seen, unknown)[labels])
        raise ValueError(
            f"{asked.paint}: {len(unknown)} of its colours, as {unknown[0]:06x}, are not in --palette "
            f"({100 * share:.2g} % of the map); add them, or save the map as a PNG without smoothed edges."
        )
    return labels.reshape(page.shape[:2]), tuple(named[colour] for colour in seen.tolist())


def _of(asked: Request) -> str:
    return next(name for name in ("quilt", "morph", "paint") if getattr(asked, name))
