"""Patches: pieces of the photographs that fit the guide, and pieces between them that fit these.

The plane is divided into squares of blocks. In each square all blocks continue one copy, the best of those that the
blocks around its middle have found; it is like the guide, but does not fit the copies of the squares beside it. So
around each corner of four squares a disc of blocks is copied anew, from where the photographs, and their light, are
most like what lies around the disc: the rule of image quilting (Efros and Freeman 2001), for all discs at once. The
discs cover nearly all seams between squares; the seams around the discs are then moved (`seams`).

Pieces are compared twice: at the coarsest resolution that is synthesised to find a place, and at the next finer one to
align it to a pixel.

Where the photographs are rectified on a lattice, all copies keep their phase of it, and chance decides which of the
places with that phase a square copies, whatever the guide. The place of a disc is moved to the pixel with the right
phase instead of being aligned; a disc for which there is no such place is left out.

A block depends on the guide within `Patches.reach` blocks and on nothing else.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps
from tf_psgan.detail.correction import REACH, LevelTables
from tf_psgan.detail.features import MEAN_STEPS
from tf_psgan.detail.phases import Lattice

RADIUS = 5
"""Largest radius of a disc in blocks. Squares have twice that side."""

LATTICE_RADIUS = 2
"""Largest radius where copies keep the phase of a lattice: they fit each other there, and smaller discs leave more
places to choose from."""

SEARCH = 2
"""Farthest block from the middle of a square whose copy the square may continue."""

_POSITIONS = 12000
"""Most positions of the photographs that are compared with what lies around a disc."""

_STEPS = 2
"""Positions to each side of the best one that are compared next, in steps of a level's table."""

_CHANCE = 64
"""Random addition to distances from a region of the photographs, in 256ths, at most: no region is always the best."""

_PHASE = 8
"""Squared distances between phases, so many of them, count as one of _WHOLE."""

_MOST_PHASE = 4096
"""The most that phases count."""

_OFF = 2
"""Pixels by which the phase of a disc may be off, in pixels of blocks of 16."""

_NONE = -(1 << 20)
"""Row of the copy of a disc that is left out."""

_SHIFT, _WHOLE = 8, 1024
"""Distances are reduced by so many bits, and divided in units of 1 / _WHOLE, so that products stay inside of int32."""

_GROUP = 16
"""Features whose products are summed in float32: 16 * 15 * 256 ** 2 is below 2 ** 24, so that sums are exact."""

_PART = 1024
"""Positions that are compared at a time."""


def radius(places: np.ndarray, side: int) -> int:
    """The radius of the discs in blocks: a third of what the photographs have room for, so that there is a choice.

    Args:
      places: `Exemplar.places`.
      side: of a block, in pixels of the photographs.
    """
    blocks = int(places[:, 1:].min(axis=1).max()) // side
    return int(np.clip((blocks - 4) // 3, 1, RADIUS))


class Patches(tf.Module):
    """The copies of blocks, in patches that fit each other.

    Args:
      tables: of the levels that are synthesised, finest first.
      local_means: `Exemplar.local_means`.
      places: `Exemplar.places`.
      side: of a block, in pixels of the photographs.
      lattice: on which the photographs are rectified, where copies follow it.

    Attributes:
      square: side of a square of blocks.
      reach: blocks around a block that its copy depends on.
    """

    def __init__(
        self,
        tables: Sequence[LevelTables],
        local_means: tf.Variable,
        places: np.ndarray,
        side: int,
        lattice: Lattice | None = None,
    ) -> None:
        super().__init__()
        self._lattice = lattice
        self._coarse, self._fine = tables[-1], tables[max(0, len(tables) - 2)]
        self._local_means, self._width = local_means, tables[0].level.width
        self._places, self._side = places, side
        self._radius = min(radius(places, side), RADIUS if lattice is None else LATTICE_RADIUS)
        self.square = 2 * self._radius
        self._search = min(SEARCH, self._radius // 2) if lattice is None else 0
        self._own_reach = self._radius + self._search
        self.reach = self._own_reach + 2 * self._radius + 1
        self._beyond = REACH * self._coarse.level.pixels
        steps = range(-self._radius - 1, self._radius + 2)
        inner, outer = self._radius**2 + 1, (self._radius + 1) ** 2 + 1
        self._ring = np.array(
            [(down, right) for down in steps for right in steps if inner < down**2 + right**2 <= outer], np.int32
        )
        pixels = self._coarse.level.pixels
        parts = side // pixels
        first, second = parts // 4 * pixels, 3 * parts // 4 * pixels
        self._two = np.array([(first, first), (second, second)], np.int32)  # places in a block
        self._four = np.array([(down, right) for down in (first, second) for right in (first, second)], np.int32)
        self._starts, self._step = self._places_to_start(self._radius + 1)
        self._middles, self._middle_step = self._places_to_start(self._radius)
        if len(self._starts):  # whole parts; of equally good places the first counts, so the last may be there twice
            self._starts = np.pad(self._starts, ((0, -len(self._starts) % _PART), (0, 0)), "edge")

    def __call__(
        self,
        rows: tf.Tensor,
        cols: tf.Tensor,
        ranks: tf.Tensor,
        keys: tf.Tensor,
        row_squares: tf.Tensor,
        col_squares: tf.Tensor,
        phases: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of blocks in patches.

        Args:
          rows, cols: int32 [h, w]: row and column of the first pixel of each block's own copy.
          ranks: int64 [h, w], high for good copies.
          keys: int64 [h, w], random.
          row_squares, col_squares: int32 [h, 2] and [w, 2], `chunks.squares`: how many blocks the square of a block
            begins before it, and the square's side.
          phases: float32 [h, w, 2 waves], the phases of the lattice that blocks should have, where there is one.

        Returns:
          Rows and columns, int32 [h - 2 reach, w - 2 reach].
        """
        first, second = self._own_reach, 2 * self._radius + 1
        all_squares = row_squares, col_squares
        row_squares, col_squares = row_squares[first:-first], col_squares[first:-first]
        if self._lattice is not None and phases is not None and len(self._middles):
            rows, cols = self._by_chance(self._lattice, rows, cols, keys, phases, all_squares)
        rows, cols = self._in_squares(rows, cols, ranks, row_squares, col_squares)
        kept = tf.stack([rows[second:-second, second:-second], cols[second:-second, second:-second]], axis=-1)
        if not len(self._starts):  # a tiny photograph
            return tuple(tf.unstack(kept, axis=-1))
        phases = None if phases is None else phases[first:-first, first:-first]
        fitting = self._fitting(rows, cols, keys[first:-first, first:-first], row_squares, col_squares, phases)
        to_row, to_col = (_to_corner(part[second:-second]) for part in (row_squares, col_squares))
        tall, wide = tf.shape(to_row)[0], tf.shape(to_col)[0]
        corners = (tf.range(tall) + second - to_row)[:, tf.newaxis], tf.range(wide) + second - to_col
        places = corners[0] * tf.shape(rows)[1] + corners[1]
        away = tf.stack(tf.meshgrid(to_row, to_col, indexing="ij"), axis=-1)
        middles = tf.gather(tf.reshape(fitting, (-1, 2)), places)
        is_in_disc = tf.reduce_sum(away**2, axis=-1, keepdims=True) <= self._radius**2 + 1
        copied = tf.where(is_in_disc & (middles[..., :1] != _NONE), middles + self._side * away, kept)
        return tuple(tf.unstack(copied, axis=-1))

    def _by_chance(
        self,
        lattice: Lattice,
        rows: tf.Tensor,
        cols: tf.Tensor,
        keys: tf.Tensor,
        phases: tf.Tensor,
        squares: tuple[tf.Tensor, tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map whose blocks in the middle of squares copy any place with the wanted phase, each as often.

        The places that are most like the guide are few, so that what they show would be seen again and again.
        """
        is_middle = [part[:, 0] == part[:, 1] // 2 for part in squares]
        at = tf.cast(tf.where(is_middle[0][:, tf.newaxis] & is_middle[1]), tf.int32)
        wanted, key = tf.gather_nd(phases, at), tf.gather_nd(keys, at)
        near = lattice.squared_distance(self._middle_step / 2)
        places, factors = tf.constant(self._middles), tf.range(1, 2 * len(self._middles), 2, tf.int64)

        def chosen(values: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            phase, key = values
            off = tf.clip_by_value((lattice.distances(places, phase) - near) // _PHASE, 0, _MOST_PHASE)
            # Ten bits of the key times an odd number, another one for each place.
            chance = tf.bitwise.bitwise_and(tf.bitwise.right_shift(key * factors, 48), 1023)
            return places[tf.argmin(1024 * off + tf.cast(chance, tf.int32))]

        found = tf.map_fn(
            chosen, (wanted, key), parallel_iterations=2, fn_output_signature=tf.TensorSpec((2,), tf.int32)
        )
        found, _ = lattice.nearest(found, wanted, self._middle_step // 2)
        return tuple(
            tf.tensor_scatter_nd_update(part, at, each)
            for part, each in zip((rows, cols), tf.unstack(found, axis=1), strict=True)
        )

    def _in_squares(
        self, rows: tf.Tensor, cols: tf.Tensor, ranks: tf.Tensor, row_squares: tf.Tensor, col_squares: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Each block continues the best copy around the middle of its square, where the photograph has not ended."""
        reach, width = self._own_reach, tf.shape(rows)[1]
        steps = range(-self._search, self._search + 1)
        near = tf.constant(sorted(((i, j) for i in steps for j in steps), key=lambda step: step[0] ** 2 + step[1] ** 2))
        middles = [
            tf.range(reach, reach + tf.shape(squares)[0]) - squares[:, 0] + squares[:, 1] // 2
            for squares in (row_squares, col_squares)
        ]
        options = (middles[0] * width)[:, tf.newaxis] + middles[1]
        options = options[..., tf.newaxis] + (near[:, 0] * width + near[:, 1])
        best = tf.argmax(tf.gather(tf.reshape(ranks, (-1,)), options), axis=-1)
        chosen = tf.gather(options, best, batch_dims=2)
        tall, wide = tf.unstack(tf.shape(chosen))
        own = tf.range(reach, reach + tall)[:, tf.newaxis], tf.range(reach, reach + wide)
        copies = [
            tf.gather(tf.reshape(part, (-1,)), chosen) + self._side * (at - of)
            for part, at, of in zip((rows, cols), own, (chosen // width, chosen % width), strict=True)
        ]
        photographs = block_maps.photographs_of(tf.gather(tf.reshape(rows, (-1,)), chosen), self._places)
        allowed = block_maps.are_inside(copies, photographs, self._side, self._beyond)
        kept = (part[reach:-reach, reach:-reach] for part in (rows, cols))
        return tuple(tf.where(allowed, copy, part) for copy, part in zip(copies, kept, strict=True))

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
        if self._lattice is not None and phases is not None:
            found, off = self._lattice.nearest(found, phases, self._step // 2)
            most = self._lattice.squared_distance(_OFF * self._side / 16)
            found = tf.where((off > most)[:, tf.newaxis], _NONE, found)
            return tf.scatter_nd(corners, found, tf.concat((extent, [2]), 0))
        steps = np.array([(i, j) for i in range(-_STEPS, _STEPS + 1) for j in range(-_STEPS, _STEPS + 1)], np.int32)

        def aligned(values: tuple[tf.Tensor, ...]) -> tf.Tensor:
            place, *features = values
            for (tables, samples), around in zip(levels, features, strict=True):
                near = place + steps * tables.level.grid
                there = _features(tables, near[:, tf.newaxis] + self._ring * self._side, samples)
                products = tf.reduce_sum(tf.cast(there * around, tf.int32), axis=(1, 2))
                place = near[tf.argmin(_norms(there) - 2 * products)]
            return place

        found = tf.map_fn(
            aligned, (found, *wanted), parallel_iterations=2, fn_output_signature=tf.TensorSpec((2,), tf.int32)
        )
        return tf.scatter_nd(corners, found, tf.concat((extent, [2]), 0))

    def _alike(self, wanted: tf.Tensor, keys: tf.Tensor, phases: tf.Tensor | None) -> tf.Tensor:
        """First pixels, int32 [corners, 2], of the blocks around which the photographs have nearly these features.

        Args:
          wanted: float32 [corners, places, components]: features and local means of the blocks around the discs.
          keys: int64 [corners, blocks around].
          phases: float32 [corners, 2 waves] of the corners, where there is a lattice.
        """
        grouped, own = _grouped(wanted), _norms(wanted)[:, tf.newaxis]

        def compared(starts: tf.Tensor) -> tf.Tensor:
            copies = starts[:, tf.newaxis] + self._ring * self._side
            there = tf.concat([_features(self._coarse, copies, self._two), self._light(copies)], axis=-1)
            products = tf.matmul(grouped, _grouped(there), transpose_b=True)  # [groups, corners, part]
            both = own + _norms(there)
            distances = both - 2 * tf.reduce_sum(tf.cast(products, tf.int32), axis=0)
            # Relative to what unlike places would have: otherwise places without contrast would be near to all others.
            distances = tf.bitwise.right_shift(distances, _SHIFT) * _WHOLE // (tf.bitwise.right_shift(both, _SHIFT) + 1)
            if self._lattice is None or phases is None:
                return distances
            # What cannot be moved to the wanted phase within half a step.
            near = self._lattice.squared_distance(self._step / 2)
            off = self._lattice.distances(starts, phases[:, tf.newaxis]) - near
            return distances + tf.clip_by_value(off // _PHASE, 0, _MOST_PHASE)

        distances = tf.map_fn(
            compared, tf.constant(self._starts.reshape(-1, _PART, 2)), parallel_iterations=2,
            fn_output_signature=tf.TensorSpec((None, _PART), tf.int32),
        )  # fmt: skip
        distances = tf.reshape(tf.transpose(distances, (1, 0, 2)), (-1, len(self._starts)))
        # One random factor for each corner and region of the photographs, regions as large as a disc: eight bits of
        # the key of a block around the corner.
        down, right = (self._starts // (self.square * self._side)).T
        number = down * (right.max() + 1) + right
        parts = tf.bitwise.right_shift(keys[..., tf.newaxis], tf.range(8, dtype=tf.int64) * 8)
        chance = tf.reshape(tf.cast(tf.bitwise.bitwise_and(parts, 255), tf.int32), (-1, 8 * len(self._ring)))
        chance = tf.gather(chance, number % (8 * len(self._ring)), axis=1)
        best = tf.argmin(distances * (256 + _CHANCE * chance // 256), axis=1)
        return tf.gather(self._starts, best)

    def _light(self, copies: tf.Tensor) -> tf.Tensor:
        """The local means where blocks copy from: float32 [n, blocks * 2, 3], -256 to 256."""
        places = copies[:, :, tf.newaxis] + self._two
        found = tf.gather(self._local_means, places[..., 0] * self._width + places[..., 1])
        light = tf.cast(found // (MEAN_STEPS // 2), tf.float32) - 256
        return tf.reshape(light, (-1, copies.shape[1] * len(self._two), 3))

    def _places_to_start(self, blocks: int) -> tuple[np.ndarray, int]:
        """Where blocks may copy from, so that so many blocks around them are inside: int32 [n, 2], first pixels.

        And pixels from one of them to the next.
        """
        grid = self._coarse.level.grid
        moves = _STEPS if self._lattice is None else _STEPS + 1  # to a pixel with the right phase, half a step
        edge = blocks * self._side + self._beyond + moves * grid
        edge += -edge % grid
        extents = [
            (top + edge, top + height - edge - self._side, width - edge - self._side)
            for top, height, width in self._places
        ]
        pixels = sum(max(0, last - first) * max(0, right - edge) for first, last, right in extents)
        step = grid * max(2, int(np.ceil(np.sqrt(pixels / _POSITIONS) / grid)))
        found = [
            np.stack(np.meshgrid(np.arange(first, last + 1, step), np.arange(edge, right + 1, step), indexing="ij"), -1)
            for first, last, right in extents
        ]
        return np.concatenate([part.reshape(-1, 2) for part in found]).astype(np.int32), step


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
    """The sums of squares of features [n, features, components]: int32 [n]."""
    return tf.reduce_sum(tf.cast(features * features, tf.int32), axis=(1, 2))
