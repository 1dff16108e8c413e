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

import tensorflow as tf

from tf_psgan.detail.exemplar import Exemplar, Level
from tf_psgan.detail.features import TAPS
from tf_psgan.detail.phases import PEAK, STEPS

PASSES = (2, 2, 4, 4, 4)
"""Corrections of a map, finest level first."""

PHASE_WEIGHT = 4
"""Weight of the distance between the phases of the waves at the coarsest level; that between features has weight 1."""

_TABLES = ("colours", "features", "phases", "similar")
_REACH = TAPS // 2
_NEIGHBOURS = tuple((row, col) for row in (0, -1, 1) for col in (0, -1, 1))
"""The pixel itself first: of equally good copies it keeps its own."""


def margin(levels: int) -> int:
    """Pixels of the guide that a picture needs beyond each edge, a multiple of the coarsest level's pixel."""
    edge = _edges(levels)[-1] + PASSES[levels - 1] * _REACH + _REACH
    return edge * 2 ** (levels - 1)


def _edges(levels: int) -> list[int]:
    """Pixels of the finished map of each level beyond the picture's edge, finest level first."""
    edges = [0]
    for level in range(levels - 1):
        edges.append(-(-(edges[-1] + PASSES[level] * _REACH) // 2))
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
        self._tables = [
            {name: tf.Variable(getattr(level, name), trainable=False) for name in _TABLES} for level in self.levels
        ]

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
        index = self._start(guide, phases)
        for number in range(last, -1, -1):
            level, tables = self.levels[number], self._tables[number]
            edge = edges[number] + PASSES[number] * _REACH
            if number < last:
                index, phases = (
                    _crop(_refine(index, self.levels[number + 1], level), 2 * edges[number + 1] - edge),
                    None,
                )
            for _ in range(PASSES[number]):
                phases = None if phases is None else _crop(phases, _REACH)
                index = _correct(level, tables, index, phases)
        copied = tf.cast(tf.gather(self._tables[0]["colours"], index), tf.int32)
        return tf.cast(tf.clip_by_value(copied + self.colour_shift, 0, 255), tf.uint8)

    def _start(self, guide: Any, phases: tf.Tensor | None) -> tf.Tensor:
        """The map of the coarsest level: positions with the features and phases nearest to the guide's."""
        level, tables = self.levels[-1], self._tables[-1]
        means = tf.cast(_means(guide, level.pixels), tf.int32)
        channels = [tf.gather(table, means[..., i]) for i, table in enumerate(tf.unstack(self._guide_table))]
        wanted = _responses(level, tf.cast(tf.stack(channels, axis=-1), tf.float32))
        distance = _distances(wanted, tf.gather(tables["features"], level.starts))
        if phases is not None:
            distance += PHASE_WEIGHT * _distances(_crop(phases, _REACH), tf.gather(tables["phases"], level.starts))
        return tf.gather(level.starts, tf.argmin(distance, axis=-1))


def _distances(wanted: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Squared distances between [h, w, n] and [m, n], less the squares of the former: [h, w, m]."""
    rows = tf.cast(rows, tf.float32)
    return tf.reduce_sum(rows**2, axis=1) - 2 * tf.tensordot(wanted, rows, [[2], [1]])


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


def _responses(level: Level, colours: tf.Tensor) -> tf.Tensor:
    """The features of a picture [h, w, 3] at the level's resolution: float32 [h - 4, w - 4, components]."""
    rows, cols = (extent - TAPS + 1 for extent in tf.unstack(tf.shape(colours)[:2]))
    parts = [colours[i : i + rows, j : j + cols] for i in range(TAPS) for j in range(TAPS)]
    return _features(level, tf.concat(parts, axis=-1))


def _features(level: Level, neighbourhoods: tf.Tensor) -> tf.Tensor:
    """The features of neighbourhoods [..., TAPS * TAPS * 3]; integers in float32, exact."""
    flat = tf.reshape(neighbourhoods, (-1, neighbourhoods.shape[-1]))
    response = tf.matmul(flat, tf.constant(level.filters, tf.float32)) - tf.constant(level.centre, tf.float32)
    features = tf.clip_by_value(tf.floor(response * (1.0 / level.scale)), -PEAK, PEAK)
    return tf.reshape(features, tf.concat((tf.shape(neighbourhoods)[:-1], [level.filters.shape[1]]), 0))


def _refine(index: tf.Tensor, coarse: Level, fine: Level) -> tf.Tensor:
    """The map of the next finer level that copies the same pixels: [h, w] -> [2 h, 2 w]."""
    ratio = coarse.grid // fine.grid
    first = index // coarse.width * (ratio * fine.width) + index % coarse.width * ratio
    children = [first + fine.stride * (row * fine.width + col) for row in range(2) for col in range(2)]
    rows, cols = tf.unstack(tf.shape(index))
    blocks = tf.reshape(tf.stack(children, axis=-1), (rows, cols, 2, 2))
    return tf.reshape(tf.transpose(blocks, (0, 2, 1, 3)), (2 * rows, 2 * cols))


def _crop(field: tf.Tensor, pixels: int) -> tf.Tensor:
    """A map or a picture without `pixels` rows and columns at each edge."""
    return field[pixels:-pixels, pixels:-pixels] if pixels else field


def _correct(level: Level, tables: dict[str, Any], index: tf.Tensor, phases: tf.Tensor | None) -> tf.Tensor:
    """One correction of a map [h, w]: [h - 4, w - 4].

    Args:
      level, tables: of the exemplar.
      index: the map, int32.
      phases: the phases that the copies should have, [h - 4, w - 4, 2 waves], or None.
    """
    rows, cols = tf.unstack(tf.shape(index))
    own = _crop(index, _REACH)
    changed = tf.fill(tf.shape(own), bool(level.similar.shape[1]))
    for row, col in _NEIGHBOURS[1:]:
        beside = index[_REACH + row : rows - _REACH + row, _REACH + col : cols - _REACH + col]
        changed |= beside - _offset(level, row, col) != own
    # Where all neighbours continue the pixel's own copy there is nothing to choose: most pixels of the finest levels.
    places = tf.where(changed)
    flat = tf.reshape(index, (-1,))
    centre = tf.cast((places[:, 0] + _REACH) * tf.cast(cols, tf.int64) + places[:, 1] + _REACH, tf.int32)
    reach = tf.range(-_REACH, _REACH + 1)
    around = tf.reshape(reach[:, tf.newaxis] * cols + reach, (-1,))
    colours = tf.gather(tables["colours"], tf.gather(flat, centre[:, tf.newaxis] + around))
    made = _features(level, tf.cast(tf.reshape(colours, (-1, TAPS * TAPS * 3)), tf.float32))
    steps = tf.constant([(row, col) for row, col in _NEIGHBOURS], tf.int32)
    beside = tf.gather(flat, centre[:, tf.newaxis] + steps[:, 0] * cols + steps[:, 1])  # [changed, 9]
    copies = beside[..., tf.newaxis]
    if level.similar.shape[1]:
        copies = tf.concat((copies, tf.gather(tables["similar"], beside)), axis=-1)
    offsets = tf.constant([_offset(level, row, col) for row, col in _NEIGHBOURS], tf.int32)
    copies = tf.reshape(copies - offsets[:, tf.newaxis], (-1, len(_NEIGHBOURS) * (1 + level.similar.shape[1])))
    features = tf.cast(tf.gather(tables["features"], copies), tf.float32)  # [changed, copies, components]
    distance = tf.reduce_sum(tf.math.squared_difference(features, made[:, tf.newaxis]), axis=-1)
    if phases is not None:
        wanted = tf.gather_nd(phases, places)[:, tf.newaxis]
        found = tf.cast(tf.gather(tables["phases"], copies), tf.float32)
        distance += PHASE_WEIGHT * tf.reduce_sum(tf.math.squared_difference(found, wanted), axis=-1)
    best = tf.gather(copies, tf.argmin(distance, axis=1), batch_dims=1)
    return tf.tensor_scatter_nd_update(own, places, best)


def _offset(level: Level, row: int, col: int) -> int:
    """Positions of the table between a pixel's copy and its neighbour's, where the neighbour continues it."""
    return (row * level.width + col) * level.stride
