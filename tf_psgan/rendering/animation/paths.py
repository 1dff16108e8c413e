"""Moving pictures, frame by frame: which scene each shows, and where its window stands.

A move is a closed path: the frame after the last would be the first again, so that the picture
can run for ever. Only a drift may stay open, over a plane that does not close on itself.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene

Frame = tuple[Scene, int, int]
"""What a frame shows, and how many pixels down and right its window stands from where it began."""


def drift(scene: Scene, frames: int, rows: int, cols: int) -> list[Frame]:
    """The window moves over the plane, evenly and by whole pixels.

    Args:
      frames: how many, at least 2.
      rows, cols: pixels that it moves in all, from the first frame to the one after the last. The loop closes where
        these are whole turns of the scene's torus.

    Raises:
      ValueError: too few frames, or no movement.
    """
    _check(frames)
    if not rows and not cols:
        raise ValueError("drift: 0,0 stays where it is; give pixels down and right, as in 0,512.")
    return [(scene, _rounded(i * rows, frames), _rounded(i * cols, frames)) for i in range(frames)]


def walk(scene: Scene, frames: int, textures: Sequence[texture_fields.Texture]) -> list[Frame]:
    """The picture goes through textures in turn and back to the first, each time by way of their mixtures.

    It eases out of a texture and into the next: at an even pace it would turn sharply at each, and be gone from it at
    once. Where the number of frames is a multiple of the number of textures, each is shown pure.

    Args:
      scene: its field gives way to the textures.
      frames: how many, at least 2 and as many as textures.
      textures: at least 2.

    Raises:
      ValueError: too few frames or textures.
    """
    _check(frames)
    if len(textures) < 2:
        raise ValueError(f"textures: {len(textures)} is no way to walk; give 2 at least, as in 1,7,9.")
    if frames < len(textures):
        raise ValueError(f"frames: {frames} cannot show {len(textures)} textures; give {len(textures)} at least.")
    return [(dataclasses.replace(scene, field=_between(textures, Fraction(i, frames))), 0, 0) for i in range(frames)]


def change(scene: Scene, frames: int, amount: float) -> list[Frame]:
    """The local noise goes around its loop, and the picture's grain with it; what is regular stays.

    Args:
      frames: how many, at least 2.
      amount: how far the noise goes meanwhile, in (0, 1].

    Raises:
      ValueError: too few frames, or an amount out of range.
    """
    _check(frames)
    if not 0 < amount <= 1:
        raise ValueError(f"amount: {amount:g} is outside 0 .. 1, or leaves all frames alike; choose a value between.")
    return [(dataclasses.replace(scene, time=i / frames, amount=amount), 0, 0) for i in range(frames)]


def _check(frames: int) -> None:
    if frames < 2:
        raise ValueError(f"frames: {frames} do not move; give 2 at least.")


def _rounded(number: int, by: int) -> int:
    """number / by to the nearest whole number; halves go up, for to the even one they would make uneven steps."""
    return (2 * number + by) // (2 * by)


def _between(textures: Sequence[texture_fields.Texture], share: Fraction) -> texture_fields.Mix:
    """The mixture that stands at a share of the way around, in [0, 1)."""
    whole, part = divmod(share * len(textures), 1)
    here, there = textures[whole], textures[(whole + 1) % len(textures)]
    weight = float(part * part * (3 - 2 * part))
    # In floats too 1 - weight and weight sum to exactly 1.
    return texture_fields.Mix(((here, 1.0 - weight), (there, weight))) if weight else texture_fields.Uniform(here)
