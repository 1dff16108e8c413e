"""Many different pictures from the few kinds of `made_textures`, to learn many textures in one model from.

The first of each kind is the kind itself. Every further one is drawn from another seed, larger or smaller, turned and
mirrored, and in other colours. Each follows from its kind and its number. `main` writes them:
python -m tf_psgan.made_many --out=many --count=56
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_psgan.procedural import catalogue

KINDS = tuple(name for name in catalogue.TEXTURES if name != "landscape")  # a landscape is no texture
SIDE = 384
SCALES = 0.7, 1.4
"""Least and largest magnification."""

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def names(count: int) -> list[str]:
    """What the first so many pictures are called: kind and number, every kind once before any comes again.

    Raises:
      ValueError: a count below 1 or above 999 of each kind.
    """
    if not 1 <= count <= 999 * len(KINDS):
        raise ValueError(f"count {count} is outside 1 .. {999 * len(KINDS)}; give --count inside.")
    return [f"{KINDS[i % len(KINDS)]}-{i // len(KINDS) + 1}" for i in range(count)]


def make(name: str, side: int = SIDE) -> np.ndarray:
    """One picture, uint8 [side, side, 3], from a name of `names`.

    Raises:
      ValueError: no such name, or fewer than 16 pixels.
    """
    kind, _, digits = name.rpartition("-")
    if kind not in KINDS or not digits.isdecimal() or not 1 <= int(digits) <= 999:
        raise ValueError(f"{name!r} is no made texture; write it as {KINDS[0]}-1, kinds: {', '.join(KINDS)}.")
    number = int(digits)
    if number == 1:
        return catalogue.make(kind, 1, side, side)
    rng = np.random.default_rng([KINDS.index(kind), number])
    scale = SCALES[0] * (SCALES[1] / SCALES[0]) ** rng.random()
    drawn = catalogue.make(kind, number, *2 * [math.ceil(side / scale)])
    picture = np.asarray(Image.fromarray(drawn).resize((side, side), Image.Resampling.LANCZOS))
    turned = np.rot90(picture, int(rng.integers(4)))
    # Numbers of one kind go around the colours by the golden section, so that few come near each other.
    hue = _GOLDEN * (number - 1) + 0.1 * rng.random()
    gains = 1.0 + 0.3 * np.sin(2.0 * np.pi * (rng.random() + np.arange(3) / 3.0))
    return _recoloured(turned[:, ::-1] if rng.random() < 0.5 else turned, hue, gains, rng.uniform(0.7, 1.4))


def _recoloured(picture: np.ndarray, hue: float, gains: np.ndarray, gamma: float) -> np.ndarray:
    """Other colours: turned about the grey axis, each channel times a gain (grey takes a tint), all to a power.

    Args:
      picture: uint8 [rows, cols, 3].
      hue: in turns.
      gains: [3].
      gamma: of the lightness; above 1 is darker.
    """
    cos, sin = math.cos(2.0 * math.pi * hue), math.sin(2.0 * math.pi * hue)
    # Rodrigues' formula for the axis (1, 1, 1) / sqrt(3).
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3.0)
    turn = cos * np.eye(3) + sin * cross + (1.0 - cos) / 3.0
    light = np.clip(picture / 255.0 @ turn.T * gains, 0.0, 1.0) ** gamma
    return np.rint(255.0 * light).astype(np.uint8)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes pictures as PNG into a folder and prints the folder; 2 and one line on stderr where that fails."""
    parser = argparse.ArgumentParser(
        prog="made_many", description="Writes many different made textures.", exit_on_error=False
    )
    parser.add_argument("--out", required=True, help="folder to write into; made where missing")
    parser.add_argument("--count", type=int, default=56, help="how many pictures; 56")
    parser.add_argument("--side", type=int, default=SIDE, help=f"height and width in pixels; {SIDE}")
    try:
        args = parser.parse_args(argv)
        for name in names(args.count):
            picture = make(name, args.side)
            os.makedirs(args.out, exist_ok=True)
            Image.fromarray(picture).save(os.path.join(args.out, f"{name}.png"), optimize=True)
    except (argparse.ArgumentError, ValueError, OSError) as error:
        print(f"made_many: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
