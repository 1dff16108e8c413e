"""Adapts an exemplar to a generator: to the colours that it draws, and to its lattice."""

import numpy as np
import tensorflow as tf

from tf_psgan.detail import phases
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.plane import TexturePlane

LEAST_AGREEMENT = 0.8
"""Of waves with a photograph (`phases.agreement`). Measured: .92 to 1.0 where the waves were those of a lattice that
can be seen, .05 and .46 on two photographs whose lattice had been measured wrongly."""

_WAVES = 2
"""Waves that determine the position in a lattice; further ones have phases of their own."""

_WINDOW = 512
"""Side of the windows that are measured, in pixels; more where the network learned reduced pictures, whose structures
and blocks are larger."""

_CORNERS = tuple((row << 14, col << 14) for row in range(2) for col in range(2))
"""First row and column of the windows on which colours are balanced: far apart, as structures may be large."""


def adapted(exemplar: Exemplar, plane: TexturePlane, has_lattice: bool) -> Exemplar:
    """An exemplar adapted to what a generator draws: to its colours, and to the lattice of its waves.

    The generator draws the lattice of the photographs at some distance from its waves' crests. That offset is measured
    on a window of its plane, as the circular mean over the pixels.

    Args:
      exemplar: of the photographs that the generator has learned.
      plane: of the generator, without a detail stage.
      has_lattice: whether a lattice was measured in all photographs. Where there is none, the waves follow chance
        structures, and copies at their phases would stand in rows.

    Returns:
      An exemplar without phases where the model has fewer than two waves, or where its waves do not predict the
      photographs.
    """
    side = _WINDOW * plane.config.downsampling
    exemplar = exemplar.with_guide(plane.window(side, side))
    if not has_lattice or plane.config.waves < _WAVES:
        return exemplar
    waves = plane.wave_numbers(0)[:_WAVES] / (2 * np.pi * plane.pixels_per_cell)  # cycles per pixel
    if (
        min(np.hypot(*waves.T)) == 0
        or min(phases.agreement(picture, waves) for picture in exemplar.pictures) < LEAST_AGREEMENT
    ):
        return exemplar
    found = phases.local_phases(plane.window(_WINDOW, _WINDOW), waves)
    rows, cols = plane.pixel_turns(Scene(), np.arange(_WINDOW), np.arange(_WINDOW), _WAVES)
    expected = (rows[:, tf.newaxis] + cols).numpy() / 2.0**64  # [window, window, waves]
    ahead = np.angle(np.exp(2j * np.pi * (found - expected)).mean(axis=(0, 1))) / (2 * np.pi)
    return exemplar.with_waves(waves, np.round(ahead * 2**32).astype(np.int64) << 32)


def balance_colours(plane: TexturePlane) -> None:
    """Gives the pictures of a plane with a detail stage the photographs' mean colour, measured on four windows.

    Where the light changes over a photograph, the copies favour a part of it.
    """
    if plane.exemplar is None:
        return
    plane.shift_colours(np.zeros(3, np.int32))
    side = _WINDOW * min(2, plane.config.downsampling)  # larger ones would take too long
    drawn = [plane.window(side, side, top=top, left=left).mean(axis=(0, 1)) for top, left in _CORNERS]
    plane.shift_colours(np.round(plane.exemplar.mean_colour() - np.mean(drawn, axis=0)).astype(np.int32))
