"""Adapts an exemplar to a generator: to the colours that it draws, and to its lattice."""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_psgan.detail import mean_cell
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.plane.plane import TexturePlane

FORMAT = 6
"""Counts up when an adaptation is measured otherwise; then those that runs have stored are measured again."""

_WAVES = 2
"""Waves that determine the position in a lattice; further ones have phases of their own."""

_WINDOW = 512
"""Side of the window on which the generator's histograms and phases are measured, in pixels of what it learned."""

_WINDOWS = 3
"""Windows down and across on which colours are balanced."""

_BLOCKS = 64
"""Side of these windows, in blocks of the guide."""

_MOST = 2048
"""Largest side of these windows in pixels: larger ones would take too long."""

_SAME = 0.05
"""Largest distance of a generator's wave from the photographs', as a share of its length. Training moves it little."""

_DRAWN = 2
"""Windows that are drawn to their end, so that what clipping at 0 and 255 and corrected seams change is known, too."""

_DRAWN_BLOCKS = 32
"""Side of these windows, in blocks of the guide."""

_FAR = 1 << 14
"""Pixels from one of them to the next: far apart, as structures may be large."""


@dataclasses.dataclass(frozen=True, eq=False)
class Adaptation:
    """What an exemplar lacks until it is known whose pictures will guide its stage.

    Args:
      guide_table: `Exemplar.guide_table`.
      wave_offsets: `Exemplar.wave_offsets`.
      colour_shift: `Exemplar.colour_shift`.
    """

    guide_table: np.ndarray
    wave_offsets: np.ndarray
    colour_shift: np.ndarray

    def applied(self, exemplar: Exemplar) -> Exemplar:
        """The exemplar, adapted."""
        return dataclasses.replace(exemplar, **vars(self))

    def to_dict(self) -> dict[str, list]:
        """Lists of numbers by name, exact in JSON."""
        return {field.name: getattr(self, field.name).tolist() for field in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, list]) -> "Adaptation":
        """Reads what `to_dict` made.

        Raises:
          ValueError, LookupError, TypeError, OverflowError: damaged values.
        """
        offsets = np.array(values["wave_offsets"], np.int64)
        table, shift = np.array(values["guide_table"], np.uint8), np.array(values["colour_shift"], np.int32)
        if table.shape != (3, 256) or shift.shape != (3,) or offsets.shape not in ((0,), (_WAVES,)):
            raise ValueError("tables of other shapes")
        return cls(table, offsets, shift)


def measure(exemplar: Exemplar, folded: FoldedGenerator) -> Adaptation:
    """Measures what a generator draws, and how the photographs' pixels are to be arranged after it.

    The generator draws the lattice of the photographs at some distance from its waves' crests. That offset is where the
    mean cell of a window of its plane is most like that of the photographs.

    Args:
      exemplar: of the photographs that the generator has learned, as it was measured.
      folded: the generator.
    """
    plane = TexturePlane(folded)
    side = _WINDOW * folded.config.downsampling
    table = exemplar.with_guide(plane.window(side, side)).guide_table
    found = Adaptation(table, _wave_offsets(plane, exemplar), np.zeros(3, np.int32))
    stage = DetailStage(found.applied(exemplar))
    mean_colour = tf.function(stage.mean_colour, input_signature=stage.input_signature, autograph=False)
    side = min(_BLOCKS * stage.alignment, _MOST)
    corners = [(row * _FAR, (row + col) * _FAR) for col in range(_WINDOWS) for row in range(_WINDOWS)]
    colours = [mean_colour(*plane.stage_inputs(stage, Scene(), *corner, side, side)) for corner in corners]
    wanted = exemplar.mean_colour() - np.mean(colours, axis=0)
    stage.colour_shift.assign(np.round(wanted).astype(np.int32))
    arrange = tf.function(stage, input_signature=stage.input_signature, autograph=False)
    side, missing = min(_DRAWN_BLOCKS * stage.alignment, _MOST), []
    for corner in corners[:_DRAWN]:
        given = plane.stage_inputs(stage, Scene(), *corner, side, side)
        drawn = arrange(*given).numpy().mean(axis=(0, 1))
        missing.append(mean_colour(*given).numpy() + stage.colour_shift.numpy() - drawn)
    shift = np.round(wanted + np.mean(missing, axis=0))
    return dataclasses.replace(found, colour_shift=shift.astype(np.int32))


def _wave_offsets(plane: TexturePlane, exemplar: Exemplar) -> np.ndarray:
    """`Exemplar.wave_offsets`; none where the generator's first waves are not those of the photographs' lattice."""
    if not len(exemplar.waves) or plane.config.waves < _WAVES:
        return np.zeros(0, np.int64)
    waves = plane.wave_numbers(0)[:_WAVES] / (2 * np.pi * plane.pixels_per_cell)
    apart = np.linalg.norm(waves - exemplar.waves, axis=1)
    if (apart > _SAME * np.linalg.norm(exemplar.waves, axis=1)).any():
        return np.zeros(0, np.int64)
    picture, side = exemplar.pictures[0], _WINDOW * plane.config.downsampling
    rows, cols = plane.pixel_turns(Scene(), np.arange(side), np.arange(side), _WAVES)
    drawn = (rows[:, tf.newaxis] + cols).numpy() / 2.0**64
    own = mean_cell.turns(picture.shape[:2], exemplar.waves)
    ahead = mean_cell.turns_between(picture, own, plane.window(side, side), drawn, exemplar.waves)
    return np.round((ahead - (ahead >= 0.5)) * 2**32).astype(np.int64) << 32
