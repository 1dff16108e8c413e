"""The pictures that the package makes itself, to learn from and to test with.

Each picture follows from a name, a seed and its extent. Lattices are exact, so
that a synthesis can be measured against a known period. `main` writes them:
python -m tf_psgan.made_textures --out=textures
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np
from PIL import Image

from tf_psgan.procedural import aperiodic, periodic

SMALLEST = 16


@dataclasses.dataclass(frozen=True)
class Texture:
    """How one picture is made and what is known about it.

    Attributes:
      make: (seed, height, width) to uint8 [height, width, 3].
      periods: the two lattice vectors, (row, col) in pixels, exact; () where there is no lattice.
      says: what the picture shows, for a person.
      height, width: pixels of the picture that the package ships.
    """

    make: Callable[[int, int, int], np.ndarray]
    periods: tuple[tuple[float, float], ...]
    says: str
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
    "landscape": Texture(aperiodic.landscape, (), "farmland from the air: one picture, no texture", 768, 1024),
}


def make(name: str, seed: int = 1, height: int | None = None, width: int | None = None) -> np.ndarray:
    """One picture, uint8 [height, width, 3]; the extent that the package ships where none is given.

    Raises:
      ValueError: an unknown name, a negative seed, or fewer than 16 pixels on a side.
    """
    if name not in TEXTURES:
        raise ValueError(f"{name!r} is no made texture; choose from {', '.join(TEXTURES)}.")
    texture = TEXTURES[name]
    height = texture.height if height is None else height
    width = texture.width if width is None else width
    if min(height, width) < SMALLEST:
        raise ValueError(f"{height}x{width} pixels is too small; give --height and --width of at least {SMALLEST}.")
    if seed < 0:
        raise ValueError(f"seed {seed} is negative; give --seed of at least 0.")
    return texture.make(seed, height, width)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes pictures as PNG into a folder and prints the folder; 2 and one line on stderr where that fails."""
    parser = _Parser(prog="made_textures", description="Writes the pictures that the package makes itself.")
    parser.add_argument("--out", required=True, help="folder to write into; made where missing")
    parser.add_argument("--names", default=",".join(TEXTURES), help="which pictures, separated by commas; all")
    parser.add_argument("--seed", type=int, default=1, help="every random number of a picture follows from it; 1")
    parser.add_argument("--height", type=int, help="pixels; the shipped picture's")
    parser.add_argument("--width", type=int, help="pixels; the shipped picture's")
    try:
        args = parser.parse_args(argv)
        for name in args.names.split(","):
            picture = make(name, args.seed, args.height, args.width)
            os.makedirs(args.out, exist_ok=True)
            Image.fromarray(picture).save(os.path.join(args.out, f"{name}.png"), optimize=True)
    except (ValueError, OSError) as error:
        print(f"made_textures: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


class _Parser(argparse.ArgumentParser):
    """Raises what it would have printed over several lines."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see --help.")


if __name__ == "__main__":
    sys.exit(main())
