"""Patches: pieces of the photographs that blocks copy together.

The plane is divided into squares of blocks. In each square all blocks continue one copy; around each corner of four
squares a disc of blocks is copied anew, from where the photographs fit what lies around it (`discs`).

`Patches` are led by a guide: a square continues the best of the copies that the blocks around its middle have found.
`LatticePatches` are copied from photographs that are rectified on a lattice (`rectification`). There chance decides
what a square copies, each place with the right phase as often: the places that are most like a guide are few, and what
they show would be seen again and again. Where a copy would leave the photograph, it goes on at another place with its
phase.

A block depends on what is given for the blocks within `reach` and on nothing else.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps
from tf_psgan.detail.correction import REACH, LevelTables
from tf_psgan.detail.discs import Discs
from tf_psgan.detail.phases import PARTS, Lattice

RADIUS = 5
"""Largest radius of a disc in blocks. Squares have twice that side."""

SEARCH = 2
"""Farthest block from the middle of a square whose copy the square may continue."""

_LUCK = 20
"""Bits of the random number that chooses among places."""


def radius(places: np.ndarray, side: int, edge: int = 4) -> int:
    """The radius of discs in blocks: a third of what the photographs have room for, so that there is a choice.

    Args:
      places: `Exemplar.places`.
      side: of a block, in pixels of the photographs.
      edge: blocks at the edges that nothing begins with; none where discs may reach beyond the photograph.
    """
    blocks = int(places[:, 1:].min(axis=1).max()) // side
    return int(np.clip((blocks - edge) // 3, 1, RADIUS))


class Patches(tf.Module):
    """The copies of blocks, in patches that are like a guide and fit each other.

    Args:
      tables: of the levels that are synthesised, finest first.
      local_means: `Exemplar.local_means`.
      places: `Exemplar.places`.
      side: of a block, in pixels of the photographs.

    Attributes:
      square: side of a square of blocks.
      reach: blocks around a block that its copy depends on.
    """

    def __init__(self, tables: Sequence[LevelTables], local_means: tf.Variable, places: np.ndarray, side: int) -> None:
        super().__init__()
        self._places, self._side = places, side
        self._beyond = REACH * tables[-1].level.pixels
        size = radius(places, side)
        self._discs = Discs(tables, local_means, places, side, size)
        self.square = 2 * size
        self._search = min(SEARCH, size // 2)
        self._own_reach = size + self._search
        self.reach = self._own_reach + self._discs.reach

    def __call__(
        self,
        rows: tf.Tensor,
        cols: tf.Tensor,
        ranks: tf.Tensor,
        keys: tf.Tensor,
        row_squares: tf.Tensor,
        col_squares: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of blocks in patches.

        Args:
          rows, cols: int32 [h, w]: row and column of the first pixel of each block's own copy.
          ranks: int64 [h, w], high for good copies.
          keys: int64 [h, w], random.
          row_squares, col_squares: int32, [h, 2] and [w, 2], `chunks.squares`: how many blocks the square of a block
            begins before it, and the square's side.

        Returns:
          Rows and columns, int32 [h - 2 reach, w - 2 reach].
        """
        edge = self._own_reach
        row_squares, col_squares = row_squares[edge:-edge], col_squares[edge:-edge]
        rows, cols = self._in_squares(rows, cols, ranks, row_squares, col_squares)
        return self._discs(rows, cols, keys[edge:-edge, edge:-edge], row_squares, col_squares)

    def _in_squares(
        self, rows: tf.Tensor, cols: tf.Tensor, ranks: tf.Tensor, row_squares: tf.Tensor, col_squares: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Each block continues the best copy around the middle of its square, where the photograph has not ended."""
        reach, width = self._own_reach, tf.shape(rows)[1]
        steps = range(-self._search, self._search + 1)
        near = tf.constant(sorted(((i, j) for i in steps for j in steps), key=lambda step: step[0] ** 2 + step[1] ** 2))
        middles = [_middles(squares, reach) for squares in (row_squares, col_squares)]
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


class LatticePatches(tf.Module):
    """The copies of blocks, in patches that keep the phase of a lattice.

    Args:
      tables, local_means, places, side: as of `Patches`.
      lattice: on which the photographs are rectified.
      unusual: bool [rows, width], `Exemplar.unusual`.

    Attributes:
      square, reach: as of `Patches`.
    """

    def __init__(
        self,
        tables: Sequence[LevelTables],
        local_means: tf.Variable,
        places: np.ndarray,
        side: int,
        lattice: Lattice,
        unusual: np.ndarray,
    ) -> None:
        super().__init__()
        self._places, self._side, self._lattice = places, side, lattice
        self._beyond = REACH * tables[-1].level.pixels
        size = radius(places, side, 0)
        pieces = block_maps.unusual_pieces(unusual, places, side, size)
        self._discs = Discs(tables, local_means, places, side, size, lattice, pieces)
        self.square, self._own_reach = 2 * size, size
        self.reach = self._own_reach + self._discs.reach
        cell = np.abs(lattice.vectors).sum(axis=0)
        self._everywhere = lattice.periods(*(places[:, 1:].max(axis=0) / 2 + cell))
        nearby = lattice.periods(*(size * side + cell))  # as far as squares reach beyond what they copy
        self._nearby = ((nearby + PARTS // 2) // PARTS).astype(np.int32)
        self._unusual, self._width = tf.Variable(pieces.ravel(), trainable=False), pieces.shape[1]

    def __call__(
        self, keys: tf.Tensor, row_squares: tf.Tensor, col_squares: tf.Tensor, phases: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of blocks in patches.

        Args:
          keys, row_squares, col_squares: as of `Patches`.
          phases: int64 [h, w, 2], that blocks should have (`phases.wanted_phases`).

        Returns:
          Rows and columns, int32 [h - 2 reach, w - 2 reach].
        """
        edge = self._own_reach
        rows, cols = self._in_squares(keys, row_squares, col_squares, phases)
        row_squares, col_squares = row_squares[edge:-edge], col_squares[edge:-edge]
        keys, phases = (part[edge:-edge, edge:-edge] for part in (keys, phases))
        return self._discs(rows, cols, keys, row_squares, col_squares, phases)

    def _in_squares(
        self, keys: tf.Tensor, row_squares: tf.Tensor, col_squares: tf.Tensor, phases: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Each block continues the copy that chance gives the middle of its square."""
        reach = self._own_reach
        down, right = (_middles(squares[reach:-reach], reach) for squares in (row_squares, col_squares))
        (tops, to_row), (lefts, to_col) = tf.unique(down), tf.unique(right)
        at = tf.stack(tf.meshgrid(tops, lefts, indexing="ij"), axis=-1)
        chosen = self._by_chance(tf.gather_nd(keys, at), tf.gather_nd(phases, at))
        copies = tf.gather(tf.gather(chosen, to_row), to_col, axis=1)
        photographs = [part[..., tf.newaxis] for part in block_maps.photographs_of(copies[..., 0], self._places)]
        own = [tf.range(tf.shape(part)[0]) + reach - part for part in (down, right)]
        numbers = block_maps.numbers_of(copies[..., 0], self._places)
        copies += self._side * tf.stack(tf.meshgrid(*own, indexing="ij"), axis=-1)
        # Where the photograph has ended, the nearest place with the same phase that lies in it.
        options = copies[..., tf.newaxis, :] + self._nearby
        inside = block_maps.are_inside(tf.unstack(options, axis=-1), photographs, self._side, self._beyond + 1)
        first = tf.argmax(tf.cast(inside, tf.int8), axis=-1)
        moved = tf.gather(options, first, batch_dims=2)
        phases = phases[reach:-reach, reach:-reach]
        moved = tf.where(
            (first > 0)[..., tf.newaxis],
            self._lattice.aligned(moved, phases, numbers),
            self._lattice.followed(moved, phases, numbers),
        )
        tops, heights, widths = (part[..., 0] for part in photographs)
        last = self._side + self._beyond  # where no place lies in it, the phase is lost
        rows = tf.clip_by_value(moved[..., 0], tops + self._beyond, tops + heights - last)
        return rows, tf.clip_by_value(moved[..., 1], self._beyond, widths - last)

    def _by_chance(self, keys: tf.Tensor, phases: tf.Tensor) -> tf.Tensor:
        """First pixels of blocks with the wanted phases, int32 [rows, cols, 2], of all those each as often.

        Of unusual pieces only where there is no other. Where there is no place at all, one outside of a photograph.

        Args:
          keys: int64 [rows, cols], random.
          phases: int64 [rows, cols, 2], wanted.
        """
        count, most = len(self._places), len(self._everywhere)
        photographs = [tf.constant(part)[:, tf.newaxis] for part in self._places.T]
        tops, heights, widths = self._places.T
        middles = np.stack([tops + heights // 2, widths // 2], axis=-1).astype(np.int32)

        def chosen(values: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            key, phase = values  # of a row of squares: [cols], [cols, 2]
            alike = self._lattice.alike(tf.constant(middles), phase[:, tf.newaxis], tf.range(count), self._everywhere)
            inside = block_maps.are_inside(tf.unstack(alike, axis=-1), photographs, self._side, self._beyond + 1)
            position = tf.where(inside, alike[..., 0] * self._width + alike[..., 1], 0)
            usual = inside & ~tf.gather(self._unusual, position)
            allowed = tf.where(tf.reduce_any(usual, axis=(1, 2), keepdims=True), usual, inside)
            number = tf.cumsum(tf.cast(tf.reshape(allowed, (-1, count * most)), tf.int64), axis=1)
            luck = tf.bitwise.bitwise_and(tf.bitwise.right_shift(key, 64 - _LUCK), (1 << _LUCK) - 1)
            wanted = tf.bitwise.right_shift(luck[:, tf.newaxis] * number[:, -1:], _LUCK) + 1
            best = tf.argmax(tf.cast(number >= wanted, tf.int8), axis=1)
            return tf.gather(tf.reshape(alike, (-1, count * most, 2)), best, batch_dims=1)

        return tf.map_fn(
            chosen, (keys, phases), parallel_iterations=2, fn_output_signature=tf.TensorSpec((None, 2), tf.int32)
        )


def _middles(squares: tf.Tensor, reach: int) -> tf.Tensor:
    """The block in the middle of each block's square, where `reach` more blocks lie before the first."""
    return tf.range(reach, reach + tf.shape(squares)[0]) - squares[:, 0] + squares[:, 1] // 2
