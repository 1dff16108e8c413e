"""From a specification to what a plane shows: the scene, and the window of it."""

import dataclasses

import numpy as np

from tf_psgan.data import images
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.latents.texture_fields import Texture
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering.spec import Morph, Painting, Quilt, RenderSpec

DEFAULT_PIXELS = 512
"""Height and width of a window that names none."""

MAP_PIXELS = 2**26
"""Pixels of a painting's map at most; a map is stretched over the window, so larger ones add nothing."""

WANG = (0, 0, 1, 1)
"""Edge colours around a closed row of tiles in which each pair of two colours occurs once (Wei 2004)."""


@dataclasses.dataclass(frozen=True)
class Composition:
    """A window of a scene, in pixels."""

    scene: Scene
    top: int
    left: int
    height: int
    width: int


def compose(spec: RenderSpec, plane: TexturePlane) -> Composition:
    """What a picture shows.

    Raises:
      InputError: a setting that does not go with the model, or a map with a colour that the palette lacks.
      OSError: the map cannot be read.
    """
    labels, palette = _labels(spec.content)
    _check_scale(spec, plane.pixels_per_cell)
    height, width = extent(spec, None if labels is None or spec.kind != "paint" else labels.shape)
    axes = spec.tile.axes if spec.tile else ""
    rows = plane.cells("height", height) if "y" in axes else 0
    cols = plane.cells("width", width) if "x" in axes else 0
    # A tile's picture starts at its first cell; top and left only choose which of its pixels comes first.
    top, left = 0 if rows else spec.window.top, 0 if cols else spec.window.left
    field: texture_fields.Field
    match spec.content:
        case Quilt(border=border) | Painting(border=border):
            assert labels is not None
            wrap = (bool(rows), bool(cols))
            field = texture_fields.Painting(labels, palette, border, top, left, height, width, wrap)
        case Morph(knots):
            field = texture_fields.Morph(knots, top, left, height, width)
        case texture:
            field = texture_fields.Uniform(texture)
    if len(set(field.textures)) > 1 and not plane.config.global_channels:
        raise SettingError(spec.kind, "the model has one texture only", "choose a run with global channels")
    edges = spec.tile.edges if spec.tile and isinstance(spec.tile.edges, tuple) else None
    scene = Scene(spec.seed, field, rows, cols, edges)
    plane.check_fit(scene)
    return Composition(scene, spec.window.top, spec.window.left, height, width)


def _check_scale(spec: RenderSpec, cell: int) -> None:
    """Raises SettingError for more blocks or knots than the window has cells, where weights are evaluated."""
    height, width = extent(spec)
    match spec.content:
        case Quilt(rows, cols):
            what = "blocks"
        case Morph(knots):
            rows, cols, what = max(1, len(knots) - 1), max(1, len(knots[0]) - 1), "intervals between textures"
        case _:
            return
    if height < rows * cell or width < cols * cell:
        problem = f"{what} of {height / rows:.3g}x{width / cols:.3g} pixels are smaller than the model's cell of {cell}"
        allowed = f"give fewer, or at least {rows * cell}x{cols * cell} pixels"
        raise SettingError(spec.kind, problem, allowed, settings=(spec.kind, "height", "width"))


def extent(spec: RenderSpec, natural: tuple[int, ...] | None = None) -> tuple[int, int]:
    """Height and width in pixels: the specification's, or the content's own, or the default."""
    height, width = natural or (DEFAULT_PIXELS, DEFAULT_PIXELS)
    return spec.window.height or height, spec.window.width or width


def wang_tiles(composition: Composition) -> list[list[Composition]]:
    """The 16 tiles of two colours an edge, arranged so that neighbours fit: across, down, and around the whole.

    Each has its own seed, counted on from the composition's.
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


def _labels(content: object) -> tuple[np.ndarray | None, tuple[Texture, ...]]:
    """The label map of a painting or a quilt, integers [rows, cols], and its textures; None for other content."""
    if isinstance(content, Quilt):
        textures = content.textures or tuple(content.first + i for i in range(content.rows * content.cols))
        return texture_fields.quilt(textures, content.rows, content.cols)
    if isinstance(content, Painting):
        return _painted(content)
    return None, ()


def _painted(painting: Painting) -> tuple[np.ndarray, tuple[Texture, ...]]:
    pixels = images.decode(painting.map.expanduser(), MAP_PIXELS, managed=False).astype(np.int32)
    seen, labels = np.unique(pixels @ np.array([1 << 16, 1 << 8, 1], np.int32), return_inverse=True)
    if unknown := [colour for colour in seen.tolist() if colour not in painting.palette]:
        share = np.mean(np.isin(seen, unknown)[labels])
        raise PictureError(
            str(painting.map),
            f"{len(unknown)} of its colours, as {unknown[0]:06x}, are not in the palette "
            f"({100 * share:.2g} % of the map)",
            "add them, or save the map as a PNG without smoothed edges",
            settings=("palette",),
        )
    return labels.reshape(pixels.shape[:2]), tuple(painting.palette[colour] for colour in seen.tolist())
