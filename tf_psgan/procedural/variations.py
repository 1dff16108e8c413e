"""Many different textures from the few kinds of the catalogue, to learn many textures in one model from.

Each follows from its kind and its number. Number 1 is the kind itself; every further one has another seed, scale,
orientation and colours.
"""

import math

import numpy as np
from PIL import Image

from tf_psgan.errors import SettingError
from tf_psgan.procedural import catalogue

KINDS = tuple(name for name in catalogue.TEXTURES if name != "landscape")  # a landscape is not a texture
SIDE = 384
MAX_NUMBER = 999
SCALES = 0.7, 1.4
"""Least and largest magnification."""

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def names(count: int) -> list[str]:
    """The names of the first `count` variations, "kind-number": every kind once before any comes again.

    Raises:
      SettingError: a count below 1 or above 999 of each kind.
    """
    most = MAX_NUMBER * len(KINDS)
    if not 1 <= count <= most:
        allowed = f"use 1 to {most}"
        raise SettingError("variations", f"no {count} variations", allowed, value=count, settings=("variations",))
    return [f"{KINDS[i % len(KINDS)]}-{i // len(KINDS) + 1}" for i in range(count)]


def make(name: str, side: int = SIDE) -> np.ndarray:
    """The variation of a name "kind-number", uint8 [side, side, 3].

    Raises:
      SettingError: no such name, or a side under 16 pixels.
    """
    kind, _, digits = name.rpartition("-")
    if kind not in KINDS or not digits.isdecimal() or not 1 <= int(digits) <= MAX_NUMBER:
        allowed = f"write it as {KINDS[0]}-1; kinds: {', '.join(KINDS)}"
        raise SettingError("names", f"no variation {name!r}", allowed, value=name, settings=("names",))
    number = int(digits)
    if number == 1:
        return catalogue.make(kind, 1, side, side)
    rng = np.random.default_rng([KINDS.index(kind), number])
    scale = SCALES[0] * (SCALES[1] / SCALES[0]) ** rng.random()
    drawn = catalogue.make(kind, number, *2 * [math.ceil(side / scale)])
    picture = np.asarray(Image.fromarray(drawn).resize((side, side), Image.Resampling.LANCZOS))
    rotated = np.rot90(picture, int(rng.integers(4)))
    # Hues of one kind's numbers advance by the golden section, which spreads any first few of them evenly.
    hue = _GOLDEN * (number - 1) + 0.1 * rng.random()
    gains = 1.0 + 0.3 * np.sin(2.0 * np.pi * (rng.random() + np.arange(3) / 3.0))
    return _recoloured(rotated[:, ::-1] if rng.random() < 0.5 else rotated, hue, gains, rng.uniform(0.7, 1.4))


def _recoloured(picture: np.ndarray, hue: float, gains: np.ndarray, gamma: float) -> np.ndarray:
    """Rotates the colours about the grey axis, multiplies each channel by a gain, and applies a gamma.

    Args:
      picture: uint8 [rows, cols, 3].
      hue: angle in turns.
      gains: [3].
      gamma: exponent; above 1 is darker.
    """
    cos, sin = math.cos(2.0 * math.pi * hue), math.sin(2.0 * math.pi * hue)
    # Rodrigues' formula for the axis (1, 1, 1) / sqrt(3).
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3.0)
    rotation = cos * np.eye(3) + sin * cross + (1.0 - cos) / 3.0
    light = np.clip(picture / 255.0 @ rotation.T * gains, 0.0, 1.0) ** gamma
    return np.rint(255.0 * light).astype(np.uint8)
