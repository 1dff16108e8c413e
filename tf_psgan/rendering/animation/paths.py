"""Animation paths: the scene of each frame, and the position of its window.

Paths are closed: the frame after the last would equal the first, so that the animation can repeat. The exception is a
drift over an endless plane.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene

Frame = tuple[Scene, int, int]
"""The scene of a frame, and the offset of its window from that of the first frame: pixels down and right."""


def drift(scene: Scene, frames: int, rows: int, cols: int) -> list[Frame]:
    """The window moves over the plane, evenly and by whole pixels.

    Args:
      frames: number of frames, at least 2.
      rows, cols: offset in pixels of the frame after the last from the first. The path is closed where these are
        multiples of the extents of the scene's torus.

    Raises:
      SettingError: too few frames, or no movement.
    """
    _check(frames)
    if not rows and not cols:
        allowed = "give pixels down and right, as in 0,512"
        raise SettingError("drift", "0,0 does not move", allowed, settings=("drift",))
    return [(scene, _rounded(i * rows, frames), _rounded(i * cols, frames)) for i in range(frames)]


def walk(scene: Scene, frames: int, textures: Sequence[texture_fields.Texture]) -> list[Frame]:
    """The picture goes through textures in turn and back to the first, each time through their mixtures.

    The weight of the next texture rises by a smoothstep: a linear weight would change direction abruptly at each
    texture. Where the number of frames is a multiple of the number of textures, each texture has a frame of its own.

    Args:
      scene: seed and torus; its field is replaced.
      frames: number of frames, at least 2 and at least the number of textures.
      textures: at least 2.

    Raises:
      SettingError: too few frames or textures.
    """
    _check(frames)
    if len(textures) < 2:
        problem = f"{len(textures)} are too few for a walk"
        raise SettingError("textures", problem, "give two or more, as in 1,7,9", settings=("textures",))
    if frames < len(textures):
        problem = f"{frames} are too few for {len(textures)} textures"
        raise SettingError("frames", problem, f"give {len(textures)} or more", value=frames, settings=("frames",))
    return [(dataclasses.replace(scene, field=_between(textures, Fraction(i, frames))), 0, 0) for i in range(frames)]


def change(scene: Scene, frames: int, amount: float) -> list[Frame]:
    """The local noise goes once around a loop (`noise.changed`); the waves do not change.

    Args:
      frames: number of frames, at least 2.
      amount: how far the noise changes, in (0, 1]; 1 is once through all values.

    Raises:
      SettingError: too few frames, or an amount out of range.
    """
    _check(frames)
    if not 0 < amount <= 1:
        problem = f"{amount:g} is outside 0 .. 1, or 0, which makes all frames equal"
        raise SettingError("amount", problem, "choose a value between", value=amount, settings=("amount",))
    return [(dataclasses.replace(scene, time=i / frames, amount=amount), 0, 0) for i in range(frames)]


def _check(frames: int) -> None:
    if frames < 2:
        raise SettingError("frames", f"{frames} are no animation", "give 2 or more", value=frames, settings=("frames",))


def _rounded(number: int, by: int) -> int:
    """number / by to the nearest integer. Halves are rounded up: rounded to even they would make uneven steps."""
    return (2 * number + by) // (2 * by)


def _between(textures: Sequence[texture_fields.Texture], share: Fraction) -> texture_fields.Mix:
    """The mixture at a fraction in [0, 1) of the way around."""
    whole, part = divmod(share * len(textures), 1)
    here, there = textures[whole], textures[(whole + 1) % len(textures)]
    weight = float(part * part * (3 - 2 * part))
    # In floating point too, 1 - weight and weight sum to exactly 1.
    return texture_fields.Mix(((here, 1.0 - weight), (there, weight))) if weight else texture_fields.Uniform(here)
