"""The pictures that come with the project, by name. Each follows from its name, a seed and its extent.

Lattices are exact, so that a synthesis can be measured against a known period.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from tf_psgan.errors import SettingError
from tf_psgan.procedural import aperiodic, materials, periodic

MIN_PIXELS = 16
"""Least side of a picture."""


@dataclasses.dataclass(frozen=True)
class Texture:
    """How a picture is drawn, and what is known about it.

    Attributes:
      draw: (seed, height, width) to uint8 [height, width, 3].
      periods: the two lattice vectors, (row, col) in pixels, exact; () without a lattice.
      description: what the picture shows.
      height, width: of the picture that comes with the project, in pixels.
    """

    draw: Callable[[int, int, int], np.ndarray]
    periods: tuple[tuple[float, float], ...]
    description: str
    height: int = 384
    width: int = 384


TEXTURES: dict[str, Texture] = {
    "honeycomb": Texture(periodic.honeycomb, periodic.HEXAGONS, "wax cells, filled with more or less honey"),
    "brick": Texture(periodic.brick, ((20, 28), (0, 56)), "red bricks in a running bond"),
    "weave": Texture(periodic.weave, ((22, 22), (0, 44)), "straw strips that go over and under each other"),
    "scales": Texture(periodic.scales, ((20, 16), (0, 32)), "overlapping scales of a green lizard"),
    "tiles": Texture(periodic.tiles, ((28, 0), (0, 28)), "a mosaic of glazed blue tiles"),
    "knit": Texture(periodic.knit, ((22, 0), (0, 28)), "plum wool in stocking stitch"),
    "plate": Texture(periodic.plate, ((40, 0), (0, 40)), "steel diamond plate"),
    "herringbone": Texture(periodic.herringbone, ((12, 0), (0, 48)), "rose and cream tweed"),
    "pebbles": Texture(aperiodic.pebbles, (), "wet beach pebbles of many stones"),
    "mud": Texture(aperiodic.mud, (), "dried mud, cracked into plates"),
    "wood": Texture(aperiodic.wood, (), "walnut with its grain along the rows"),
    "water": Texture(aperiodic.water, (), "sunlight on the floor of a shallow sea"),
    "landscape": Texture(aperiodic.landscape, (), "farmland from the air: one picture, not a texture", 768, 1024),
}


@dataclasses.dataclass(frozen=True)
class Material:
    """How a material is drawn, and what is known about it.

    Attributes:
      draw: (seed, height, width) to its pictures by name, as `materials` says.
      periods, description, height, width: as of a `Texture`.
    """

    draw: Callable[[int, int, int], dict[str, np.ndarray]]
    periods: tuple[tuple[float, float], ...]
    description: str
    height: int = 384
    width: int = 384


MATERIALS: dict[str, Material] = {
    "setts": Material(materials.setts, ((32, 24), (0, 48)), "granite setts with sand between them"),
}


def make(name: str, seed: int = 1, height: int | None = None, width: int | None = None) -> np.ndarray:
    """One picture, uint8 [height, width, 3]; by default of the extent that comes with the project.

    Raises:
      SettingError: an unknown name, a negative seed, or a side under 16 pixels.
    """
    if name not in TEXTURES:
        raise SettingError("names", f"no texture {name!r}", f"choose from {', '.join(TEXTURES)}", settings=("names",))
    texture = TEXTURES[name]
    return texture.draw(seed, *_extent(texture, seed, height, width))


def make_material(
    name: str, seed: int = 1, height: int | None = None, width: int | None = None
) -> dict[str, np.ndarray]:
    """All pictures of one of MATERIALS by name: "colour", uint8 [height, width, 3], and its maps.

    Raises:
      SettingError: as `make`.
    """
    if name not in MATERIALS:
        raise SettingError("names", f"no material {name!r}", f"choose from {', '.join(MATERIALS)}", settings=("names",))
    found = MATERIALS[name]
    return found.draw(seed, *_extent(found, seed, height, width))


def _extent(texture: Texture | Material, seed: int, height: int | None, width: int | None) -> tuple[int, int]:
    """The extent of a picture in pixels, checked together with its seed."""
    height = texture.height if height is None else height
    width = texture.width if width is None else width
    if min(height, width) < MIN_PIXELS:
        problem, sides = f"{height}x{width} pixels are too few", ("height", "width")
        raise SettingError("height, width", problem, f"use at least {MIN_PIXELS}", settings=sides)
    if seed < 0:
        raise SettingError("seed", f"{seed} is negative", "use 0 or more", value=seed, settings=("seed",))
    return height, width
