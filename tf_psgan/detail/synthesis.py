"""Parallel texture synthesis guided by a picture (Lefebvre and Hoppe 2005, "Parallel controllable texture synthesis").

The result is a map of positions: which pixel of the photographs each pixel copies. It starts with patches. Each block
of the guide's resolution finds the position whose neighbourhood looks most like the guide's (`guide`). Blocks then copy
whole pieces of a photograph together: half of these are like the guide, and half fit the pieces beside them
(`patches`). Where the photographs are rectified on a lattice, no guide is needed: pieces have the place in the lattice
that the generator's waves say (`phases`), and chance chooses among them. Seams between pieces move to where both look
alike, by blocks (`seams`) and by half blocks (`fine_seams`). At several resolutions, the coarsest first, they are
corrected: a pixel may copy what continues the copy of one of its nine neighbours, or a position similar to that,
whichever has the neighbourhood most like the one made so far (k-coherent search, Tong et al. 2002, "Synthesis of
bidirectional texture functions on arbitrary surfaces").
What is copied are colours relative to the photograph's local mean. The local mean that is added again is blended across
seams, so that light changes gradually.

All pixels of a map change at once, so a pixel depends on what is given within `margin` pixels (the guide or the
phases, the keys and the squares) and on nothing else: the picture has the same pixels in every window, and repeats
exactly where these do.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps, fine_seams, seams
from tf_psgan.detail.correction import REACH, LevelTables, correction, crop, offset
from tf_psgan.detail.exemplar import Exemplar, Level, synthesis_levels
from tf_psgan.detail.features import MEAN_STEPS
from tf_psgan.detail.guide import GuidedCopies
from tf_psgan.detail.patches import LatticePatches, Patches
from tf_psgan.detail.phases import Lattice, wanted_phases

PASSES = 2
"""Corrections of each map."""

BLEND_BLOCKS = 4
"""Farthest block whose copy counts in the local mean of the picture: seams between light and dark are blended."""

_BLEND = 4096
"""Sum of the weights of the blocks in a blended local mean."""


def _blocks(levels: int) -> int:
    """Blocks of the guide's resolution that the first map needs beyond each edge of the picture."""
    count = synthesis_levels(levels)
    pixels = (_edges(count)[-1] + PASSES * REACH) * 2 ** (count - 1)
    return max(1, -(-pixels // 2 ** (levels - 1)))  # one at least, as local means are interpolated between blocks


def _edges(count: int) -> list[int]:
    """Pixels of the finished map of each level beyond the picture's edge, finest level first."""
    edges = [0]
    for _ in range(count - 1):
        edges.append(-(-(edges[-1] + PASSES * REACH) // 2))
    return edges


class DetailStage(tf.Module):
    """Arranges the pixels of photographs after a guide, or after the waves of a lattice.

    Args:
      exemplar: the photographs.

    Attributes:
      alignment: side of a block in pixels.
      margin: pixels around a picture that it depends on.
      square: side of a square of blocks, for `chunks.squares`.
      seams, fine_seams: that move the seams between pieces, by blocks and by half blocks.
      uses_guide: False where copies follow a lattice; then the guide may be empty.
    """

    def __init__(self, exemplar: Exemplar) -> None:
        super().__init__()
        self.levels, self.alignment = exemplar.levels[:-1], exemplar.levels[-1].pixels
        self.wave_offsets = exemplar.wave_offsets
        self.uses_guide = not len(exemplar.wave_offsets)
        self._places = exemplar.places
        waves = len(exemplar.wave_offsets)
        self.input_signature = [
            tf.TensorSpec((None, None, 3), tf.uint8, "guide"),
            tf.TensorSpec((None, None), tf.int64, "keys"),
            tf.TensorSpec((None, 2), tf.int32, "row_squares"),
            tf.TensorSpec((None, 2), tf.int32, "col_squares"),
            tf.TensorSpec((None, waves), tf.int64, "row_turns"),
            tf.TensorSpec((None, waves), tf.int64, "col_turns"),
        ]
        self._local_means = tf.Variable(exemplar.local_means, trainable=False)
        self.colour_shift = tf.Variable(exemplar.colour_shift, trainable=False)
        self._tables = [LevelTables(level) for level in self.levels]
        corrections = [correction(tables) for tables in self._tables]
        # Behind a function: a SavedModel would store functions that are attributes beside those that call them.
        self._correct = lambda number, index: corrections[number](index)
        given = self._tables, self._local_means, self._places, self.alignment
        self._patches: Patches | LatticePatches
        if self.uses_guide:
            self._guided, self._patches = GuidedCopies(exemplar), Patches(*given)
        else:
            beyond = REACH * self.levels[-1].pixels
            of_waves = exemplar.waves, exemplar.ahead, self._places
            self._halves = Lattice(*of_waves, self.alignment // 2, beyond)
            unusual = exemplar.unusual.reshape(-1, self.levels[0].width)
            self._patches = LatticePatches(*given, Lattice(*of_waves, self.alignment, beyond), unusual)
        self.square = self._patches.square
        self.seams = seams.Seams(self._tables[-1], self._places, self.alignment)
        self.fine_seams = fine_seams.FineSeams(self._tables[-1], self._places, self.alignment)
        self._before_blend = (
            fine_seams.REACH + seams.PASSES + self._patches.reach + (GuidedCopies.reach if self.uses_guide else 0)
        )
        self.margin = (_blocks(exemplar.resolutions) + BLEND_BLOCKS + self._before_blend) * self.alignment

    def __call__(
        self, guide: Any, keys: Any, row_squares: Any, col_squares: Any, row_turns: Any, col_turns: Any
    ) -> tf.Tensor:
        """The picture of a guide.

        Args:
          guide: uint8 [height + 2 margin, width + 2 margin, 3]; its extent, and its first row and column on the plane,
            are multiples of `alignment`. Where `uses_guide` is false, uint8 [0, 0, 3].
          keys: int64, one for each block of `alignment` x `alignment` pixels of the picture and its margin; random,
            they decide which copies patches continue.
          row_squares, col_squares: int32, one pair for each row and each column of blocks (`chunks.squares`).
          row_turns, col_turns: int64 [height + 2 margin, waves] and [width + 2 margin, waves]: their sum is the phase
            of the exemplar's waves at a pixel, turns in units of 2**-64, modulo a turn.

        Returns:
          uint8 [height, width, 3].
        """
        last = len(self.levels) - 1
        edges = _edges(len(self.levels))
        index, means = self._first_map(*self._patched(guide, keys, row_squares, col_squares, row_turns, col_turns))
        around = self.margin // self.alignment - BLEND_BLOCKS - self._before_blend
        known = around * self.alignment // self.levels[last].pixels
        for number in range(last, -1, -1):
            level, edge = self.levels[number], edges[number] + PASSES * REACH
            if number < last:
                index, known = _refine(index, self.levels[number + 1], level), 2 * edges[number + 1]
            index = crop(index, known - edge)
            for _ in range(PASSES):
                index = self._correct(number, index)
        copied = tf.cast(tf.gather(self._tables[0].colours, index), tf.int32)
        copied += _interpolated(crop(means, around - 1)[1:, 1:], self.alignment)
        return tf.cast(tf.clip_by_value(copied + self.colour_shift, 0, 255), tf.uint8)

    def mean_colour(
        self, guide: Any, keys: Any, row_squares: Any, col_squares: Any, row_turns: Any, col_turns: Any
    ) -> tf.Tensor:
        """The mean colour of a picture before its seams are corrected, for a fraction of its cost; arguments as above.

        Returns:
          float64 [3], in 8-bit values.
        """
        index, means = self._first_map(*self._patched(guide, keys, row_squares, col_squares, row_turns, col_turns))
        colours = tf.gather(self._tables[-1].colours, index)
        mean = tf.reduce_mean(tf.cast(colours, tf.float64), axis=(0, 1))
        return mean + tf.reduce_mean(tf.cast(means, tf.float64), axis=(0, 1)) / MEAN_STEPS

    def _patched(
        self, guide: Any, keys: Any, row_squares: Any, col_squares: Any, row_turns: Any, col_turns: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of half blocks, with moved seams: row and column of the first pixel that each copies, int32."""
        rows, cols = self.pieces(guide, keys, row_squares, col_squares, row_turns, col_turns)
        for _ in range(seams.PASSES):
            rows, cols = self.seams.move(rows, cols)
        rows, cols = self.fine_seams(rows, cols)
        if self.uses_guide:
            return rows, cols
        phases = crop(wanted_phases(row_turns, col_turns, self.alignment // 2), 2 * self._before_blend)
        return tuple(tf.unstack(self._halves.followed(tf.stack([rows, cols], axis=-1), phases), axis=-1))

    def pieces(
        self, guide: Any, keys: Any, row_squares: Any, col_squares: Any, row_turns: Any, col_turns: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of blocks whose seams have not been moved: row and column of the first pixel copied, int32 each.

        Arguments as of a call; the map reaches beyond the picture.
        """
        if isinstance(self._patches, LatticePatches):
            phases = wanted_phases(row_turns, col_turns, self.alignment)
            return self._patches(keys, row_squares, col_squares, phases)
        edge = self._guided.reach
        given = crop(keys, edge), row_squares[edge:-edge], col_squares[edge:-edge]
        return self._patches(*self._guided(guide, keys), *given)

    def _first_map(self, rows: tf.Tensor, cols: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of the coarsest level that is synthesised, and the blended means of the blocks, from half blocks."""
        means = self._blended_means(rows[::2, ::2], cols[::2, ::2])
        rows, cols = (crop(part, 2 * BLEND_BLOCKS) for part in (rows, cols))
        level = self.levels[-1]
        first = rows // level.grid * level.width + cols // level.grid
        return _subdivided(first, self.alignment // 2 // level.pixels, level), means

    def _blended_means(self, rows: tf.Tensor, cols: tf.Tensor) -> tf.Tensor:
        """Local means of the picture at the first pixels of blocks: int32 [rows, cols, 3], in units of 1 / MEAN_STEPS.

        The mean over the blocks nearby of the photograph's local mean where the block's copy is continued. Inside a
        patch it is the photograph's own; between patches it changes gradually.
        """
        reach, step = BLEND_BLOCKS, tf.range(-BLEND_BLOCKS, BLEND_BLOCKS + 1)
        near = tf.reshape(tf.stack(tf.meshgrid(step, step, indexing="ij"), axis=-1), (-1, 2))
        found = block_maps.continued(rows, cols, near, reach, self._places, self.alignment)
        copies, (tops, heights, widths) = found
        down = tf.clip_by_value(copies[0], tops, tops + heights - 1)
        right = tf.clip_by_value(copies[1], 0, widths - 1)
        means = tf.gather(self._local_means, down * self.levels[0].width + right)  # [tall, wide, near, 3]
        weights = tf.constant(_blend_weights(reach))
        total = tf.reduce_sum(tf.cast(means, tf.int32) * weights[:, tf.newaxis], axis=2)
        return (total + _BLEND // 2) // _BLEND


def _blend_weights(reach: int) -> np.ndarray:
    """Weights of the blocks around a block, int32, with the sum _BLEND: a Gaussian of standard deviation reach / 2."""
    steps = np.arange(-reach, reach + 1)
    gaussian = np.exp(-2 * (steps / max(1, reach)) ** 2)
    weights = np.outer(gaussian, gaussian).ravel()
    weights = np.floor(weights * (_BLEND / weights.sum())).astype(np.int32)
    weights[len(weights) // 2] += _BLEND - weights.sum()
    return weights


def _interpolated(means: tf.Tensor, side: int) -> tf.Tensor:
    """Rounded local means of pixels, by linear interpolation: from int32 [rows + 1, cols + 1, 3] to int32 [h, w, 3].

    Args:
      means: at the first pixels of blocks, and of the blocks below and to the right, in units of 1 / MEAN_STEPS.
      side: of a block in pixels, a power of two.
    """
    share = tf.range(side)[:, tf.newaxis, tf.newaxis]
    tall = means[:-1, tf.newaxis] * (side - share) + means[1:, tf.newaxis] * share  # [rows, side, cols + 1, 3]
    tall = tf.reshape(tall, (-1, tf.shape(means)[1], 1, 3))
    share = share[:, 0]
    wide = tall[:, :-1] * (side - share) + tall[:, 1:] * share  # [h, cols, side, 3]
    steps = MEAN_STEPS * side * side
    rounded = tf.bitwise.right_shift(wide + steps // 2, steps.bit_length() - 1)
    return tf.reshape(rounded, (tf.shape(wide)[0], -1, 3))


def _refine(index: tf.Tensor, coarse: Level, fine: Level) -> tf.Tensor:
    """The map of the next finer level that copies the same pixels: [h, w] -> [2 h, 2 w]."""
    ratio = coarse.grid // fine.grid
    first = index // coarse.width * (ratio * fine.width) + index % coarse.width * ratio
    return _subdivided(first, 2, fine)


def _subdivided(index: tf.Tensor, parts: int, level: Level) -> tf.Tensor:
    """Divides each pixel of a map, which names its first pixel's copy: [h, w] -> [parts h, parts w] of the level."""
    steps = [offset(level, row, col) for row in range(parts) for col in range(parts)]
    rows, cols = tf.unstack(tf.shape(index))
    blocks = tf.reshape(index[..., tf.newaxis] + tf.constant(steps), (rows, cols, parts, parts))
    return tf.reshape(tf.transpose(blocks, (0, 2, 1, 3)), (parts * rows, parts * cols))
