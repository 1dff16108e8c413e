"""Parallel texture synthesis guided by a picture (Lefebvre and Hoppe 2005, "Parallel controllable texture synthesis").

The result at each level of resolution is a map of positions: which pixel of the photographs each pixel copies. The
coarsest map takes the positions whose neighbourhoods look most like the guide's, and whose place in the lattice is
right (`phases`). Each finer map starts from the
coarser one's copies and is corrected: a pixel may copy what continues the copy of one of its nine neighbours, or a
position similar to that, whichever has the neighbourhood most like the one made so far (k-coherent search, Tong et al.
2002, "Synthesis of bidirectional texture functions on arbitrary surfaces"). All pixels of a map change at once, so a
pixel depends on the guide within `margin` pixels and on nothing else: the picture has the same pixels in every window,
and repeats exactly where the guide does.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.detail.correction import REACH, LevelTables, correct, crop, responses
from tf_psgan.detail.exemplar import Exemplar, Level
from tf_psgan.detail.phases import PEAK, STEPS

PASSES = (2, 2, 4, 4, 4)
"""Corrections of a map, finest level first."""

_BLOCK = 128
"""Positions of the coarsest level whose least distance is searched at a time."""


def margin(levels: int) -> int:
    """Pixels of the guide that a picture needs beyond each edge, a multiple of the coarsest level's pixel."""
    edge = _edges(levels)[-1] + PASSES[levels - 1] * REACH + REACH
    return edge * 2 ** (levels - 1)


def _edges(levels: int) -> list[int]:
    """Pixels of the finished map of each level beyond the picture's edge, finest level first."""
    edges = [0]
    for level in range(levels - 1):
        edges.append(-(-(edges[-1] + PASSES[level] * REACH) // 2))
    return edges


class DetailStage(tf.Module):
    """Arranges the pixels of photographs after a guide.

    Args:
      exemplar: the photographs.
    """

    def __init__(self, exemplar: Exemplar) -> None:
        super().__init__()
        self.levels = exemplar.levels
        self.margin = margin(len(self.levels))
        self.alignment = self.levels[-1].pixels
        self.wave_offsets = exemplar.wave_offsets
        waves = len(exemplar.wave_offsets)
        self.input_signature = [
            tf.TensorSpec((None, None, 3), tf.uint8, "guide"),
            tf.TensorSpec((None, waves), tf.int64, "row_turns"),
            tf.TensorSpec((None, waves), tf.int64, "col_turns"),
        ]
        self.colour_shift = tf.Variable(exemplar.colour_shift, trainable=False)
        self._guide_table = tf.Variable(exemplar.guide_table, trainable=False)
        last = len(self.levels) - 1
        self._tables = [LevelTables(level, i == last) for i, level in enumerate(self.levels)]
        self._starts = tf.Variable(_whole_blocks(self.levels[-1].starts), trainable=False)

    def __call__(self, guide: Any, row_turns: Any, col_turns: Any) -> tf.Tensor:
        """The picture of a guide.

        Args:
          guide: uint8 [height + 2 margin, width + 2 margin, 3]; its extent, and its first row and column on the plane,
            are multiples of `alignment`.
          row_turns, col_turns: int64 [rows of the guide, waves] and [columns, waves]: their sum is the phase of the
            exemplar's waves at a pixel, turns in units of 2**-64, modulo a turn.

        Returns:
          uint8 [height, width, 3].
        """
        edges, last = _edges(len(self.levels)), len(self.levels) - 1
        phases = _phases((row_turns, col_turns), self.alignment) if len(self.wave_offsets) else None
        phases = None if phases is None else crop(phases, REACH)  # of the map's pixels
        index = self._start(guide, phases)
        for number in range(last, -1, -1):
            edge = edges[number] + PASSES[number] * REACH
            if number < last:
                refined = _refine(index, self.levels[number + 1], self.levels[number])
                index = crop(refined, 2 * edges[number + 1] - edge)
                phases = None
            for _ in range(PASSES[number]):
                phases = None if phases is None else crop(phases, REACH)
                index = correct(self._tables[number], index, phases)
        copied = tf.cast(tf.gather(self._tables[0].colours, index), tf.int32)
        return tf.cast(tf.clip_by_value(copied + self.colour_shift, 0, 255), tf.uint8)

    def _start(self, guide: Any, phases: tf.Tensor | None) -> tf.Tensor:
        """The map of the coarsest level: positions with the features and phases nearest to the guide's."""
        tables = self._tables[-1]
        means = tf.cast(_means(guide, tables.level.pixels), tf.int32)
        channels = [tf.gather(table, means[..., i]) for i, table in enumerate(tf.unstack(self._guide_table))]
        features = responses(tables.level, tf.cast(tf.stack(channels, axis=-1), tf.float32))
        keys = tf.cast(tf.gather(tables.keys, self._starts), tf.float32)

        def row(wanted: Any) -> Any:
            # The first of the least distances, in two steps: minima are computed faster than their places.
            distance = tf.matmul(wanted, keys, transpose_b=True)
            blocks = tf.reshape(distance, (-1, len(self._starts) // _BLOCK, _BLOCK))
            block = tf.argmin(tf.reduce_min(blocks, axis=2), axis=1, output_type=tf.int32)
            nearest = tf.argmin(tf.gather(blocks, block, batch_dims=1), axis=1, output_type=tf.int32)
            return tf.gather(self._starts, block * _BLOCK + nearest)

        return tf.map_fn(
            row,
            tables.query(features, phases),
            parallel_iterations=2,
            fn_output_signature=tf.TensorSpec((None,), tf.int32),
        )


def _whole_blocks(starts: np.ndarray) -> np.ndarray:
    """Positions, the last of them repeated up to a multiple of a block."""
    return np.pad(starts, (0, -len(starts) % _BLOCK), mode="edge")


def _phases(turns: tuple[Any, Any], side: int) -> tf.Tensor:
    """The phase features (`phases.phase_features`) in the middle of blocks of side x side pixels."""
    rows, cols = (part[(side - 1) // 2 :: side] for part in turns)
    steps = tf.bitwise.right_shift(rows[:, tf.newaxis] + cols, 54)
    both = tf.stack((steps + STEPS // 4, steps), axis=-1) % STEPS  # [h, w, waves, 2]
    features = tf.clip_by_value(PEAK - tf.abs(both - STEPS // 2), -PEAK, PEAK)
    return tf.cast(tf.reshape(features, tf.concat((tf.shape(features)[:2], [2 * features.shape[2]]), 0)), tf.float32)


def _means(guide: Any, side: int) -> tf.Tensor:
    """Rounded means of blocks of side x side pixels: from uint8 [h, w, 3] to float32 [h / side, w / side, 3]."""
    rows, cols = (extent // side for extent in tf.unstack(tf.shape(guide)[:2]))
    blocks = tf.reshape(tf.cast(guide, tf.float32), (rows, side, cols, side, 3))
    return tf.floor((2 * tf.reduce_sum(blocks, axis=(1, 3)) + side * side) * (0.5 / (side * side)))


def _refine(index: tf.Tensor, coarse: Level, fine: Level) -> tf.Tensor:
    """The map of the next finer level that copies the same pixels: [h, w] -> [2 h, 2 w]."""
    ratio = coarse.grid // fine.grid
    first = index // coarse.width * (ratio * fine.width) + index % coarse.width * ratio
    children = [first + fine.stride * (row * fine.width + col) for row in range(2) for col in range(2)]
    rows, cols = tf.unstack(tf.shape(index))
    blocks = tf.reshape(tf.stack(children, axis=-1), (rows, cols, 2, 2))
    return tf.reshape(tf.transpose(blocks, (0, 2, 1, 3)), (2 * rows, 2 * cols))
