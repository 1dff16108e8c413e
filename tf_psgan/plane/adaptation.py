"""Adapts an exemplar to a generator: to the colours that it draws, and to its lattice."""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_psgan.detail import phases
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.plane.plane import TexturePlane

FORMAT = 2
"""Counts up when an adaptation is measured otherwise; then those that runs have stored are measured again."""

_WAVES = 2
"""Waves that determine the position in a lattice; further ones have phases of their own."""

_WINDOW = 512
"""Side of the window on which the generator's histograms and phases are measured, in pixels of what it learned."""

_WINDOWS = 3
"""Windows down and across on which colours are balanced; on the first of them it is decided whether waves are used."""

_BLOCKS = 64
"""Side of these windows, in blocks of the guide."""

_MOST = 2048
"""Largest side of these windows in pixels: larger ones would take too long."""

_FAR = 1 << 14
"""Pixels from one of them to the next: far apart, as structures may be large."""


@dataclasses.dataclass(frozen=True, eq=False)
class Adaptation:
    """What an exemplar lacks until it is known whose pictures will guide its stage.

    Args:
      guide_table: `Exemplar.guide_table`.
      waves: float64 [waves, 2], cycles per pixel, (row, col) last; of no waves where copies follow no lattice.
      wave_offsets: `Exemplar.wave_offsets`.
      colour_shift: `Exemplar.colour_shift`.
    """

    guide_table: np.ndarray
    waves: np.ndarray
    wave_offsets: np.ndarray
    colour_shift: np.ndarray

    def applied(self, exemplar: Exemplar) -> Exemplar:
        """The exemplar, adapted."""
        if len(self.waves):
            exemplar = exemplar.with_waves(self.waves, self.wave_offsets)
        return dataclasses.replace(exemplar, guide_table=self.guide_table, colour_shift=self.colour_shift)

    def to_dict(self) -> dict[str, list]:
        """Lists of numbers by name, exact in JSON."""
        return {field.name: getattr(self, field.name).tolist() for field in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, list]) -> "Adaptation":
        """Reads what `to_dict` made.

        Raises:
          ValueError, LookupError, TypeError, OverflowError: damaged values.
        """
        waves = np.array(values["waves"], np.float64).reshape(-1, 2)
        offsets = np.array(values["wave_offsets"], np.int64)
        table, shift = np.array(values["guide_table"], np.uint8), np.array(values["colour_shift"], np.int32)
        if table.shape != (3, 256) or shift.shape != (3,) or offsets.shape != waves.shape[:1]:
            raise ValueError("tables of other shapes")
        return cls(table, waves, offsets, shift)


def measure(exemplar: Exemplar, folded: FoldedGenerator, has_lattice: bool) -> Adaptation:
    """Measures what a generator draws, and how the photographs' pixels are to be arranged after it.

    The generator draws the lattice of the photographs at some distance from its waves' crests. That offset is measured
    on a window of its plane, as the circular mean over the pixels. Copies follow the lattice if that makes the seams
    between them cheaper (`seams.Seams.mean_cost`): waves that were measured wrongly do not.

    Args:
      exemplar: of the photographs that the generator has learned, as it was measured.
      folded: the generator.
      has_lattice: whether a lattice was measured in all photographs. Where there is none, the waves follow chance
        structures, and copies at their phases would stand in rows.
    """
    plane = TexturePlane(folded)
    side = _WINDOW * folded.config.downsampling
    table = exemplar.with_guide(plane.window(side, side)).guide_table
    none = np.zeros((0, 2)), np.zeros(0, np.int64)
    found = [Adaptation(table, *none, np.zeros(3, np.int32))]
    if has_lattice and (lattice := _lattice(plane)) is not None:
        found.append(Adaptation(table, *lattice, np.zeros(3, np.int32)))
    measured = [_Measured(plane, each.applied(exemplar)) for each in found]
    corners = [(row * _FAR, (row + col) * _FAR) for col in range(_WINDOWS) for row in range(_WINDOWS)]
    if len(measured) > 1:
        for corner in corners[:_WINDOWS]:  # one after the other: the plane keeps what it has drawn
            for each in measured:
                each.add(corner)
    best = int(np.argmin([np.mean(each.costs or 0.0) for each in measured]))
    for corner in corners[len(measured[best].costs) :]:
        measured[best].add(corner)
    shift = np.round(exemplar.mean_colour() - np.mean(measured[best].colours, axis=0)).astype(np.int32)
    return dataclasses.replace(found[best], colour_shift=shift)


class _Measured:
    """Statistics of windows that a detail stage would make (`DetailStage.statistics`)."""

    def __init__(self, plane: TexturePlane, exemplar: Exemplar) -> None:
        self._plane, self._stage = plane, DetailStage(exemplar)
        signature = self._stage.input_signature
        self._measure = tf.function(self._stage.statistics, input_signature=signature, autograph=False)
        self.colours: list[np.ndarray] = []
        self.costs: list[float] = []

    def add(self, corner: tuple[int, int]) -> None:
        """Measures the window that begins at this row and column."""
        side = min(_BLOCKS * self._stage.alignment, _MOST)
        colour, cost = self._measure(*self._plane.stage_inputs(self._stage, Scene(), *corner, side, side))
        self.colours.append(colour.numpy())
        self.costs.append(float(cost))


def _lattice(plane: TexturePlane) -> tuple[np.ndarray, np.ndarray] | None:
    """The first waves of a generator, in cycles per pixel, and how far its pictures are ahead of them (`wave_offsets`).

    None where there are fewer waves, or one of no frequency.
    """
    if plane.config.waves < _WAVES:
        return None
    waves = plane.wave_numbers(0)[:_WAVES] / (2 * np.pi * plane.pixels_per_cell)
    if min(np.hypot(*waves.T)) == 0:
        return None
    found = phases.local_phases(plane.window(_WINDOW, _WINDOW), waves)
    rows, cols = plane.pixel_turns(Scene(), np.arange(_WINDOW), np.arange(_WINDOW), _WAVES)
    expected = (rows[:, tf.newaxis] + cols).numpy() / 2.0**64  # [window, window, waves]
    ahead = np.angle(np.exp(2j * np.pi * (found - expected)).mean(axis=(0, 1))) / (2 * np.pi)
    return waves, np.round(ahead * 2**32).astype(np.int64) << 32
