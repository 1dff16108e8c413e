"""The maps of a material: pictures that belong to its colours, pixel by pixel, as renderers take them.

A generator of a material makes all of them at once, as further channels behind the three of the colours, so that they
fit each other everywhere on the plane. A map of one channel is a grey picture.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

COLOUR = "colour"
"""The name of the picture itself."""

MAPS = {"normal": 3, "height": 1, "roughness": 1, "metalness": 1, "occlusion": 1}
"""The maps that can be learned, and their channels."""

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
"""Suffixes of a map that has another one than its picture."""


def channels(maps: Sequence[str]) -> int:
    """Channels of the colours and of some maps together."""
    return sum(widths(maps))


def widths(maps: Sequence[str]) -> list[int]:
    """Channels of each part of a material, colours first, in their order."""
    return [3, *(MAPS[name] for name in maps)]


def picture_channels(maps: Sequence[str], name: str) -> list[int]:
    """The channels of a material with some maps that make the red, green and blue of one of its pictures.

    Args:
      maps: of the material.
      name: `COLOUR`, or one of `maps`.

    Raises:
      ValueError: the material has no such map.
    """
    at = [COLOUR, *maps].index(name)
    parts = widths(maps)
    first = sum(parts[:at])
    return list(range(first, first + 3)) if parts[at] == 3 else [first] * 3


def pictures(whole: np.ndarray, maps: Sequence[str]) -> list[np.ndarray]:
    """The colours and the maps of a material [height, width, channels], three channels each."""
    return [whole[..., picture_channels(maps, name)] for name in (COLOUR, *maps)]


def path(picture: str | Path, name: str) -> Path:
    """Where a map of a picture lies: stone_normal.png beside stone.png, or where that is missing another suffix."""
    picture = Path(picture)
    usual = picture.with_name(f"{picture.stem}_{name}{picture.suffix}")
    candidates = [usual, *(usual.with_suffix(suffix) for suffix in SUFFIXES)]
    return next((candidate for candidate in candidates if candidate.exists()), usual)


def is_map(picture: str | Path) -> bool:
    """Whether a file is called like a map of another one that lies beside it."""
    picture = Path(picture)
    bases = [picture.stem.removesuffix(f"_{name}") for name in MAPS if picture.stem.endswith(f"_{name}")]
    return any(picture.with_name(base + suffix).exists() for base in bases for suffix in (picture.suffix, *SUFFIXES))
