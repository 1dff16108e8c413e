"""One correction of a map of copies: a pixel takes the best of what continues its neighbours' copies.

The arithmetic is exact (integers in float32), so the form of the computation changes no pixel. It is chosen for speed
on processors (docs/research/speed.md):

- Where no similar positions are stored, only pixels at a seam are corrected. Elsewhere all nine neighbours continue one
  copy, and there is nothing to choose. At a seam the nine candidates are mostly two or three different positions; each
  is compared once.
- Where similar positions are stored, the candidates differ. All are compared in one batched matrix product.
- A map is corrected in two strips that do not depend on each other, one for each of two cores.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_psgan.detail.exemplar import OUTSIDE, Level
from tf_psgan.detail.features import COMPONENTS, PEAK, TAPS

REACH = TAPS // 2
"""Pixels around a pixel that its correction depends on."""

_NEIGHBOURS = tuple((row, col) for row in (0, -1, 1) for col in (0, -1, 1))
"""The pixel itself first: of equally good copies it keeps its own."""

_BASE = 1024
"""Squared norms are stored as multiples of this and a rest, both exact in TF32."""


class LevelTables(tf.Module):
    """A level's arrays as the synthesis gathers from them.

    Distances are products of a row of `keys` and a query: features, with the squared norm in two columns.
    The squared norm of the query, which is the same for all rows, is left out.

    Args:
      level: of the exemplar.
      guides: whether it is the guide's, all of whose positions are compared at once.
    """

    def __init__(self, level: Level, guides: bool = False) -> None:
        super().__init__()
        self.level = level
        self.colours = tf.Variable(level.colours, trainable=False)
        self.has_similar = level.similar.shape[1] > 0
        self._has_keys = self.has_similar or guides
        if self._has_keys:
            self.keys = tf.Variable(_keys(level), trainable=False)
        else:
            self.features = tf.Variable(level.features, trainable=False)
        if self.has_similar:
            self.similar = tf.Variable(level.similar, trainable=False)

    def features_at(self, positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Features of positions, float32 [..., components], and whether these lie inside."""
        if not self._has_keys:
            found = tf.gather(self.features, positions)
            return tf.cast(found, tf.float32), found[..., 0] != OUTSIDE
        found = tf.gather(self.keys, positions)
        return tf.cast(found[..., :COMPONENTS], tf.float32), found[..., COMPONENTS] != np.iinfo(np.int16).max

    def query(self, features: tf.Tensor) -> tf.Tensor:
        """The vectors whose products with `keys` are distances: from features [..., n]."""
        rest = self.keys.shape[1] - COMPONENTS
        norms = tf.constant([_BASE, 1] + [0] * (rest - 2), tf.float32)
        norms = tf.broadcast_to(norms, tf.concat((tf.shape(features)[:-1], [rest]), 0))
        return tf.concat([-2.0 * features, norms], axis=-1)


def responses(level: Level, colours: tf.Tensor) -> tf.Tensor:
    """The features of a picture at the level's resolution.

    Args:
      level: of the exemplar.
      colours: 8-bit values as float32 [h, w, 3].

    Returns:
      float32 [h - 4, w - 4, components], integers.
    """
    lines, rows = _lines(colours), tf.shape(colours)[0] - TAPS + 1
    return _features(level, tf.concat([lines[i : i + rows] for i in range(TAPS)], axis=-1))


def crop(field: tf.Tensor, pixels: int) -> tf.Tensor:
    """A map or a picture without `pixels` rows and columns at each edge."""
    return field[pixels:-pixels, pixels:-pixels] if pixels else field


def offset(level: Level, row: int, col: int) -> int:
    """Positions of the table from a pixel's copy to that of a pixel `row` and `col` beside it, which continues it."""
    return (row * level.width + col) * level.stride


def correction(tables: LevelTables) -> Callable[[tf.Tensor], tf.Tensor]:
    """One correction of a map, as a function that is traced once, though both strips and all passes use it.

    Args:
      tables: of the map's level.

    Returns:
      A function from int32 [h, w], positions in the level's table, to int32 [h - 4, w - 4].
    """
    form = _correct_all if tables.has_similar else _correct_seams
    strip = tf.function(
        lambda index: form(tables, index), input_signature=[tf.TensorSpec((None, None), tf.int32)], autograph=False
    )

    def correct(index: tf.Tensor) -> tf.Tensor:
        middle = tf.shape(index)[0] // 2
        return tf.concat([strip(part) for part in (index[: middle + REACH], index[middle - REACH :])], axis=0)

    return correct


def _correct_all(tables: LevelTables, index: tf.Tensor) -> tf.Tensor:
    """A strip, all pixels of which are compared with all their candidates."""
    level = tables.level
    (rows, cols), grid = tf.unstack(tf.shape(index)), _grid(level, index)
    wanted = tables.query(responses(level, tf.cast(tf.gather(tables.colours, index), tf.float32)))
    # Relative to the pixel's own place in the table: what continues a copy has the same value.
    options = [index - grid, *tf.unstack(tf.gather(tables.similar, index) - grid[..., tf.newaxis], axis=-1)]
    candidates = tf.stack([_beside(option, *step, rows, cols) for step in _NEIGHBOURS for option in options], axis=-1)
    candidates += crop(grid, REACH)[..., tf.newaxis]
    found = tf.cast(tf.gather(tables.keys, candidates), tf.float32)  # [h - 4, w - 4, candidates, columns]
    best = tf.argmin(tf.linalg.matvec(found, wanted), axis=-1, output_type=tf.int32)
    return tf.gather(candidates, best, batch_dims=2)


def _correct_seams(tables: LevelTables, index: tf.Tensor) -> tf.Tensor:
    """A strip, of which only pixels at a seam are compared, and with different positions only."""
    level, cols = tables.level, tf.shape(index)[1]
    own, width = crop(index, REACH), cols - 2 * REACH
    places = _where(_seams(index - _grid(level, index)))
    count = tf.shape(places)[0]
    made = _features(level, _patches(tf.cast(tf.gather(tables.colours, index), tf.float32), places))
    centre, flat = (places // width + REACH) * cols + places % width + REACH, tf.reshape(index, (-1,))
    kept, *others = (tf.gather(flat, centre + row * cols + col) - offset(level, row, col) for row, col in _NEIGHBOURS)
    different = _where(tf.stack(_different(kept, others)))
    who = different % count  # neighbour after neighbour, and of each all pixels at a seam
    candidates = tf.reshape(tf.stack(others), (-1,))
    bound = _distance(tables, kept, made)
    distance = _distance(tables, tf.gather(candidates, different), tf.gather(made, who))
    better = _where(distance < tf.gather(bound, who))
    distance, who, different = (tf.gather(part, better) for part in (distance, who, different))
    # Of equally near candidates the first neighbour's counts.
    ranks = tf.cast(distance, tf.int32) * len(others) + different // count
    least = tf.math.unsorted_segment_min(ranks, who, count)
    moves = _where(least < tf.int32.max)
    best = tf.gather(candidates, tf.gather(least, moves) % len(others) * count + moves)
    flat = tf.tensor_scatter_nd_update(tf.reshape(own, (-1,)), tf.gather(places, moves)[:, tf.newaxis], best)
    return tf.reshape(flat, tf.shape(own))


def _keys(level: Level) -> np.ndarray:
    """The rows of `LevelTables.keys`: int16 [positions, columns], a multiple of 8 columns for aligned rows."""
    features = level.features.astype(np.int64)
    norms = (features**2).sum(axis=1)
    keys = np.concatenate([features, *np.divmod(norms[:, np.newaxis], _BASE)], axis=1)
    outside = np.zeros(keys.shape[1], np.int64)
    outside[-2] = np.iinfo(np.int16).max
    keys[level.features[:, 0] == OUTSIDE] = outside
    return np.pad(keys, ((0, 0), (0, -keys.shape[1] % 8))).astype(np.int16)


def _distance(tables: LevelTables, copies: tf.Tensor, made: tf.Tensor) -> tf.Tensor:
    """Squared distances between the features of positions [n] and features [n, components]."""
    found = tf.cast(tf.gather(tables.features, copies), tf.float32)
    return tf.reduce_sum(tf.math.squared_difference(found, made), axis=-1)


def _different(kept: tf.Tensor, others: list[tf.Tensor]) -> list[tf.Tensor]:
    """Whether a neighbour's candidate differs from the pixel's own and from those of its own earlier neighbours."""
    found, steps = [], _NEIGHBOURS[1:]
    for i, (row, col) in enumerate(steps):
        differs = others[i] != kept
        for j, (other_row, other_col) in enumerate(steps[:i]):
            if abs(row - other_row) + abs(col - other_col) == 1:
                differs &= others[i] != others[j]
        found.append(differs)
    return found


def _seams(relative: tf.Tensor) -> tf.Tensor:
    """Where the 3 x 3 pixels around a pixel do not continue one copy: bool [h - 4, w - 4]."""
    near = relative[REACH - 1 : 1 - REACH, REACH - 1 : 1 - REACH]
    across = near[:, 1:] != near[:, :-1]
    across = across[:, 1:] | across[:, :-1]  # in a row of three
    middle = near[:, 1:-1]
    down = middle[1:] != middle[:-1]
    return across[:-2] | across[1:-1] | across[2:] | down[1:] | down[:-1]


def _where(mask: tf.Tensor) -> tf.Tensor:
    """The places of a flattened mask that are true: int32 [n]."""
    return tf.cast(tf.where(tf.reshape(mask, (-1,)))[:, 0], tf.int32)


def _lines(colours: tf.Tensor) -> tf.Tensor:
    """Stretches of TAPS pixels of a row: from [h, w, 3] to [h, w - 4, TAPS * 3]."""
    width = tf.shape(colours)[1] - TAPS + 1
    return tf.concat([colours[:, i : i + width] for i in range(TAPS)], axis=-1)


def _patches(colours: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Neighbourhoods [n, TAPS * TAPS * 3] of a picture [h, w, 3], at places of the picture without its edges."""
    lines = _lines(colours)
    width = tf.shape(lines)[1]
    found = tf.gather(tf.reshape(lines, (-1, TAPS * 3)), places[:, tf.newaxis] + tf.range(TAPS) * width)
    return tf.reshape(found, (-1, TAPS * TAPS * 3))


def _features(level: Level, neighbourhoods: tf.Tensor) -> tf.Tensor:
    """The features of neighbourhoods float32 [..., TAPS * TAPS * 3]; integers, exact."""
    flat = tf.reshape(neighbourhoods, (-1, TAPS * TAPS * 3))
    response = tf.matmul(flat, tf.constant(level.filters, tf.float32)) - tf.constant(level.centre, tf.float32)
    features = tf.clip_by_value(tf.floor(response * (1.0 / level.scale)), -PEAK, PEAK)
    return tf.reshape(features, tf.concat((tf.shape(neighbourhoods)[:-1], [level.filters.shape[1]]), 0))


def _grid(level: Level, index: tf.Tensor) -> tf.Tensor:
    """The positions [h, w] of a copy of one connected piece of a photograph, less the first."""
    rows, cols = tf.unstack(tf.shape(index))
    return (tf.range(rows)[:, tf.newaxis] * level.width + tf.range(cols)) * level.stride


def _beside(option: tf.Tensor, row: int, col: int, rows: tf.Tensor, cols: tf.Tensor) -> tf.Tensor:
    """The values of a map [rows, cols] at the pixels beside those of the map without its edges."""
    return option[REACH + row : rows - REACH + row, REACH + col : cols - REACH + col]
