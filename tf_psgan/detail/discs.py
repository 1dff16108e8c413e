"""Discs of blocks around the corners of squares, each copied from where the photographs fit what lies around it.

The rule of image quilting (Efros and Freeman 2001), for all discs at once: what is around a disc, and its light, is
compared with what is around places of the photographs. Discs cover nearly all seams between squares; the seams around
the discs are then moved (`seams`).

Pieces are compared twice: at the coarsest resolution that is synthesised to find a place, and at the next finer one to
align it to a pixel. On a lattice the place is moved to the pixel with the right phase instead of being aligned, a disc
for which there is no such place is left out, and blocks of a disc may lie beyond the end of the photograph: these are
left out, too. Otherwise what lies in the middle of a small photograph would be copied again and again.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps
from tf_psgan.detail.correction import REACH, LevelTables
from tf_psgan.detail.features import MEAN_STEPS
from tf_psgan.detail.phases import Lattice

_POSITIONS = 12000
"""Most positions of the photographs that are compared with what lies around a disc."""

_STEPS = 2
"""Positions to each side of the best one that are compared next, in steps of a level's table."""

_CHANCE = 64
"""Random addition to distances from a region of the photographs, in 256ths, at most: no region is always the best."""

_UNUSUAL = 96
"""Addition to distances from unusual pieces (`block_maps.unusual_pieces`), in 256ths."""

_KNOWN = 0.5
"""Least share of the blocks around a place that has to lie inside of the photograph on a lattice."""

_WRONG = 1 << 14
"""Addition to distances from places that have no pixel with the wanted phase nearby; others are below it."""

_NONE = -(1 << 20)
"""Row of the copy of a disc that is left out."""

_SHIFT, _WHOLE = 8, 1024
"""Distances are reduced by so many bits, and divided in units of 1 / _WHOLE, so that products stay inside of int32."""

_GROUP = 16
"""Features whose products are summed in float32: 16 * 15 * 256 ** 2 is below 2 ** 24, so that sums are exact."""

_PART = 1024
"""Positions that are compared at a time; and the unit in which parts of norms are summed in float32."""


class Discs(tf.Module):
    """The discs of a map of blocks.

    Args:
      tables, local_means, places, side: as of `patches.Patches`.
      radius: of a disc in blocks.
      lattice: on which the photographs are rectified, where copies follow it.
      unusual: `block_maps.unusual_pieces`, where there is a lattice.

    Attributes:
      reach: blocks around a block that its copy depends on.
    """

    def __init__(
        self,
        tables: Sequence[LevelTables],
        local_means: tf.Variable,
        places: np.ndarray,
        side: int,
        radius: int,
        lattice: Lattice | None = None,
        unusual: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self._coarse, self._fine = tables[-1], tables[max(0, len(tables) - 2)]
        self._local_means, self._width = local_means, tables[0].level.width
        self._places, self._side, self._radius, self._lattice = places, side, radius, lattice
        self.reach = 2 * radius + 1
        self._beyond = REACH * self._coarse.level.pixels
        steps = range(-radius - 1, radius + 2)
        inner, outer = radius**2 + 1, (radius + 1) ** 2 + 1
        self._ring = np.array(
            [(down, right) for down in steps for right in steps if inner < down**2 + right**2 <= outer], np.int32
        )
        pixels = self._coarse.level.pixels
        parts = side // pixels
        first, second = parts // 4 * pixels, 3 * parts // 4 * pixels
        self._two = np.array([(first, first), (second, second)], np.int32)  # places in a block
        self._four = np.array([(down, right) for down in (first, second) for right in (first, second)], np.int32)
        self._starts, self._known, self._step = self._places_to_start()
        self._unusual = None if unusual is None else unusual[self._starts[:, 0], self._starts[:, 1]]

    def __call__(
        self,
        rows: tf.Tensor,
        cols: tf.Tensor,
        keys: tf.Tensor,
        row_squares: tf.Tensor,
        col_squares: tf.Tensor,
        phases: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of blocks with discs.

        Args:
          rows, cols: int32 [h, w]: row and column of the first pixel that each block of the squares copies.
          keys, row_squares, col_squares, phases: as of `patches.Patches` and `patches.LatticePatches`.

        Returns:
          Rows and columns, int32 [h - 2 reach, w - 2 reach].
        """
        edge = self.reach
        kept = tf.stack([rows[edge:-edge, edge:-edge], cols[edge:-edge, edge:-edge]], axis=-1)
        if not len(self._starts):  # a tiny photograph
            return tuple(tf.unstack(kept, axis=-1))
        fitting = self._fitting(rows, cols, keys, row_squares, col_squares, phases)
        to_row, to_col = (_to_corner(part[edge:-edge]) for part in (row_squares, col_squares))
        tall, wide = tf.shape(to_row)[0], tf.shape(to_col)[0]
        corners = (tf.range(tall) + edge - to_row)[:, tf.newaxis], tf.range(wide) + edge - to_col
        places = corners[0] * tf.shape(rows)[1] + corners[1]
        away = tf.stack(tf.meshgrid(to_row, to_col, indexing="ij"), axis=-1)
        middles = tf.gather(tf.reshape(fitting, (-1, 2)), places)
        copies = middles + self._side * away
        if self._lattice is not None and phases is not None:
            numbers = block_maps.numbers_of(middles[..., 0], self._places)
            copies = self._lattice.followed(copies, phases[edge:-edge, edge:-edge], numbers)
        is_copied = tf.reduce_sum(away**2, axis=-1) <= self._radius**2 + 1
        photographs = block_maps.photographs_of(middles[..., 0], self._places)
        is_copied &= block_maps.are_inside(tf.unstack(copies, axis=-1), photographs, self._side, self._beyond)
        return tuple(tf.unstack(tf.where(is_copied[..., tf.newaxis], copies, kept), axis=-1))

    def _fitting(
        self,
        rows: tf.Tensor,
        cols: tf.Tensor,
        keys: tf.Tensor,
        row_squares: tf.Tensor,
        col_squares: tf.Tensor,
        phases: tf.Tensor | None,
    ) -> tf.Tensor:
        """At the corners of squares, what a disc there copies best: int32 [h, w, 2], _NONE where it is left out.

        Elsewhere, and at the edges, 0.
        """
        edge, extent = self._radius + 1, tf.shape(rows)
        is_corner = (row_squares[edge:-edge, 0] == 0)[:, tf.newaxis] & (col_squares[edge:-edge, 0] == 0)
        corners = tf.cast(tf.where(is_corner), tf.int32) + edge  # [corners, 2]
        at = corners[:, tf.newaxis] + self._ring
        copies = tf.stack([tf.gather_nd(part, at) for part in (rows, cols)], axis=-1)  # of the blocks around the discs
        levels = (self._coarse, self._two), (self._fine, self._four)
        wanted = [_features(tables, copies, samples) for tables, samples in levels]
        phases = None if phases is None else tf.gather_nd(phases, corners)
        found = self._alike(tf.concat([wanted[0], self._light(copies)], axis=-1), tf.gather_nd(keys, at), phases)
        if self._lattice is None:
            found = tf.map_fn(
                lambda values: self._aligned(values, levels), (found, *wanted), parallel_iterations=2,
                fn_output_signature=tf.TensorSpec((2,), tf.int32),
            )  # fmt: skip
        return tf.scatter_nd(corners, found, tf.concat((extent, [2]), 0))

    def _aligned(self, values: tuple[tf.Tensor, ...], levels: Sequence[tuple[LevelTables, np.ndarray]]) -> tf.Tensor:
        """The place near a place that fits the features around a disc best, level after level: int32 [2]."""
        steps = np.array([(i, j) for i in range(-_STEPS, _STEPS + 1) for j in range(-_STEPS, _STEPS + 1)], np.int32)
        place, *features = values
        for (tables, samples), around in zip(levels, features, strict=True):
            near = place + steps * tables.level.grid
            there = _features(tables, near[:, tf.newaxis] + self._ring * self._side, samples)
            products = tf.reduce_sum(tf.cast(there * around, tf.int32), axis=(1, 2))
            place = near[tf.argmin(tf.reduce_sum(_norms(there), axis=1) - 2 * products)]
        return place

    def _alike(self, wanted: tf.Tensor, keys: tf.Tensor, phases: tf.Tensor | None) -> tf.Tensor:
        """First pixels, int32 [corners, 2], of the blocks around which the photographs have nearly these features.

        On a lattice they have the wanted phases, or are _NONE.

        Args:
          wanted: float32 [corners, places, components]: features and local means of the blocks around the discs.
          keys: int64 [corners, blocks around].
          phases: int64 [corners, 2], of the corners, where there is a lattice.
        """
        grouped, norms = _grouped(wanted), _norms(wanted)
        norms = [tf.cast(part, tf.float32) for part in (norms // _PART, norms % _PART)]  # sums of each are exact

        def compared(values: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            starts, known = values
            copies = tf.where(known[..., tf.newaxis], starts[:, tf.newaxis] + self._ring * self._side, 0)
            there = tf.concat([_features(self._coarse, copies, self._two), self._light(copies)], axis=-1)
            is_known = tf.repeat(tf.cast(known, tf.float32), len(self._two), axis=1)
            there *= is_known[..., tf.newaxis]
            high, low = (tf.cast(tf.matmul(part, is_known, transpose_b=True), tf.int32) for part in norms)
            products = tf.matmul(grouped, _grouped(there), transpose_b=True)  # [groups, corners, part]
            both = high * _PART + low + tf.reduce_sum(_norms(there), axis=1)
            distances = both - 2 * tf.reduce_sum(tf.cast(products, tf.int32), axis=0)
            # Relative to what unlike places would have: otherwise places without contrast would be near to all others.
            distances = tf.bitwise.right_shift(distances, _SHIFT) * _WHOLE // (tf.bitwise.right_shift(both, _SHIFT) + 1)
            if self._lattice is None or phases is None:
                return distances
            moved = self._lattice.aligned(starts[tf.newaxis], phases[:, tf.newaxis])
            apart = tf.reduce_max(tf.abs(moved - starts), axis=-1)
            return tf.where(apart <= self._step // 2, distances, _WRONG)

        parts = self._starts.reshape(-1, _PART, 2), self._known.reshape(-1, _PART, len(self._ring))
        distances = tf.map_fn(
            compared, tuple(tf.constant(part) for part in parts), parallel_iterations=2,
            fn_output_signature=tf.TensorSpec((None, _PART), tf.int32),
        )  # fmt: skip
        distances = tf.reshape(tf.transpose(distances, (1, 0, 2)), (-1, len(self._starts)))
        # One random factor for each corner and region of the photographs, regions as large as a disc: eight bits of
        # the key of a block around the corner.
        down, right = (self._starts // (2 * self._radius * self._side)).T
        number = down * (right.max() + 1) + right
        bits = tf.bitwise.right_shift(keys[..., tf.newaxis], tf.range(8, dtype=tf.int64) * 8)
        chance = tf.reshape(tf.cast(tf.bitwise.bitwise_and(bits, 255), tf.int32), (-1, 8 * len(self._ring)))
        factors = 256 + _CHANCE * tf.gather(chance, number % (8 * len(self._ring)), axis=1) // 256
        if self._unusual is not None:
            factors += _UNUSUAL * tf.constant(self._unusual, tf.int32)
        best = tf.argmin(distances * factors, axis=1)
        found = tf.gather(self._starts, best)
        if self._lattice is None or phases is None:
            return found
        is_right = tf.gather(distances, best, batch_dims=1) < _WRONG
        return tf.where(is_right[:, tf.newaxis], self._lattice.aligned(found, phases), _NONE)

    def _light(self, copies: tf.Tensor) -> tf.Tensor:
        """The local means where blocks copy from: float32 [n, blocks * 2, 3], -256 to 256."""
        places = copies[:, :, tf.newaxis] + self._two
        found = tf.gather(self._local_means, places[..., 0] * self._width + places[..., 1])
        light = tf.cast(found // (MEAN_STEPS // 2), tf.float32) - 256
        return tf.reshape(light, (-1, copies.shape[1] * len(self._two), 3))

    def _places_to_start(self) -> tuple[np.ndarray, np.ndarray, int]:
        """What the middles of discs may copy.

        Returns:
          First pixels, int32 [n, 2], whole parts of _PART (of equally good places the first counts, so the last may be
          there many times); whether the blocks around lie inside, bool [n, blocks]; pixels from one place to the next.
        """
        grid, blocks = self._coarse.level.grid, self._radius + 1 if self._lattice is None else 0
        edge = blocks * self._side + self._beyond + _STEPS * grid
        edge += -edge % grid
        pixels = (np.maximum(0, self._places[:, 1:] - 2 * edge - self._side)).prod(axis=1).sum()
        step = grid * max(2, int(np.ceil(np.sqrt(pixels / _POSITIONS) / grid)))
        if self._lattice is not None:  # room for the move to the wanted phase
            edge = max(edge, self._beyond + step // 2)
        extents = [
            (top + edge, top + height - edge - self._side, width - edge - self._side)
            for top, height, width in self._places
        ]
        found = [
            np.stack(np.meshgrid(np.arange(first, last + 1, step), np.arange(edge, right + 1, step), indexing="ij"), -1)
            for first, last, right in extents
        ]
        starts = np.concatenate([part.reshape(-1, 2) for part in found]).astype(np.int32)
        around = starts[:, np.newaxis] + self._ring * self._side
        photographs = np.repeat(self._places, [part[..., 0].size for part in found], axis=0)[:, np.newaxis]
        parts = [list(np.moveaxis(part, -1, 0)) for part in (around, photographs)]
        known = np.asarray(block_maps.are_inside(parts[0], parts[1], self._side, self._beyond))
        most = known.mean(axis=1) >= _KNOWN
        if not most.any():
            return starts[:0], known[:0], step
        starts, known = starts[most], known[most]
        more = ((0, -len(starts) % _PART), (0, 0))
        return np.pad(starts, more, "edge"), np.pad(known, more, "edge"), step


def _features(tables: LevelTables, copies: tf.Tensor, samples: np.ndarray) -> tf.Tensor:
    """The features of blocks, at some pixels of each: float32 [n, blocks * samples, components].

    Args:
      tables: of the level.
      copies: int32 [n, blocks, 2], first pixels, all inside of a photograph.
      samples: int32 [samples, 2], pixels from a block's first one.
    """
    level = tables.level
    places = (copies[:, :, tf.newaxis] + samples) // level.grid
    positions = places[..., 0] * level.width + places[..., 1]
    return tables.features_at(tf.reshape(positions, (-1, copies.shape[1] * len(samples))))[0]


def _to_corner(squares: tf.Tensor) -> tf.Tensor:
    """From the nearest line between squares to a block, in blocks; of `chunks.squares`."""
    since, side = tf.unstack(squares, axis=1)
    return tf.where(2 * since <= side, since, since - side)


def _grouped(features: tf.Tensor) -> tf.Tensor:
    """Features in groups whose products can be summed exactly: from [n, features, c] to [groups, n, _GROUP * c]."""
    count, components = features.shape[1:]
    padded = tf.pad(features, ((0, 0), (0, -count % _GROUP), (0, 0)))
    return tf.transpose(tf.reshape(padded, (-1, -(-count // _GROUP), _GROUP * components)), (1, 0, 2))


def _norms(features: tf.Tensor) -> tf.Tensor:
    """The sums of squares of features [n, features, components]: int32 [n, features]."""
    return tf.reduce_sum(tf.cast(features * features, tf.int32), axis=2)
