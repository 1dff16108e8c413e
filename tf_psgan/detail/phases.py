"""The lattice of rectified photographs: the phase of each of their pixels, and the pixels with a wanted phase."""

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps

BITS = 32
"""Phases are integers, in turns of 2**-BITS."""

_PARTS = 1 << 8
"""Steps of a pixel in which vectors of the lattice are known."""


class Lattice(tf.Module):
    """The phases of blocks of photographs, in integers, so that they are exact on every device.

    Args:
      waves: float [2, 2], `Exemplar.waves`.
      ahead: float [photographs, 2], `Exemplar.ahead`.
      places: `Exemplar.places`.
      side: of a block in pixels; the phase of a block is that of the pixel in its middle.

    Attributes:
      vectors: float64 [2, 2], (row, col) pixels from a place to two places like it.
    """

    def __init__(self, waves: np.ndarray, ahead: np.ndarray, places: np.ndarray, side: int) -> None:
        super().__init__()
        self._places, self._middle = places, (side - 1) // 2
        self._steps = np.round(waves * 2**BITS).astype(np.int64)
        self._ahead = np.round(ahead % 1.0 * 2**BITS).astype(np.int64)
        (a, b), (c, d) = waves
        self.vectors = np.array([[d, -c], [-b, a]]) / (a * d - b * c)
        self._moves = np.round(self.vectors * _PARTS).astype(np.int64)

    def periods(self, down: float, right: float) -> np.ndarray:
        """The vectors from a place to all places like it, so far down and right at most: int32 [n, 2], shortest first.

        Args:
          down, right: pixels.
        """
        most = int(np.ceil(np.abs(np.linalg.inv(self.vectors)).sum() * max(down, right)))
        steps = np.arange(-most, most + 1)
        found = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2) @ self.vectors
        found = np.round(found[(np.abs(found) <= (down, right)).all(axis=1)]).astype(np.int32)
        return found[np.argsort((found**2).sum(axis=1), kind="stable")]

    def aligned(self, copies: tf.Tensor, wanted: tf.Tensor, numbers: tf.Tensor | None = None) -> tf.Tensor:
        """The first pixels of the nearest blocks with the wanted phases, within half a pixel: int32 [..., 2].

        Args:
          copies: int32 [..., 2], first pixels of blocks.
          wanted: int64 [..., 2], phases, `wanted_phases`.
          numbers: int32 [...], of the photographs, where blocks may lie outside of them.
        """
        if numbers is None:
            numbers = block_maps.numbers_of(copies[..., 0], self._places)
        rows = copies[..., 0] - tf.gather(tf.constant(self._places[:, 0]), numbers)
        row, col = (tf.cast(part + self._middle, tf.int64)[..., tf.newaxis] for part in (rows, copies[..., 1]))
        found = row * self._steps[:, 0] + col * self._steps[:, 1] + tf.gather(tf.constant(self._ahead), numbers)
        half = 1 << (BITS - 1)
        apart = tf.bitwise.bitwise_and(wanted - found + half, (1 << BITS) - 1) - half  # less than half a turn
        moves = apart[..., :1] * self._moves[0] + apart[..., 1:] * self._moves[1]
        unit = _PARTS << BITS
        return copies + tf.cast((moves + unit // 2) // unit, tf.int32)

    def followed(self, copies: tf.Tensor, wanted: tf.Tensor, numbers: tf.Tensor | None = None) -> tf.Tensor:
        """`aligned` where blocks are off by more than a pixel: on seamless tiles, to which the lattice is stretched.

        Elsewhere what continues a copy continues it exactly.
        """
        aligned = self.aligned(copies, wanted, numbers)
        is_off = tf.reduce_max(tf.abs(aligned - copies), axis=-1, keepdims=True) > 1
        return tf.where(is_off, aligned, copies)


def wanted_phases(rows: tf.Tensor, cols: tf.Tensor, side: int) -> tf.Tensor:
    """The phases that the blocks of a picture should have: int64 [rows, cols, 2], turns of 2**-BITS.

    Args:
      rows, cols: int64 [pixels, 2], whose sum is the phase of a pixel in turns of 2**-64.
      side: of a block in pixels.
    """
    rows, cols = (part[(side - 1) // 2 :: side] for part in (rows, cols))
    return tf.bitwise.bitwise_and(tf.bitwise.right_shift(rows[:, tf.newaxis] + cols, 64 - BITS), (1 << BITS) - 1)
