"""The phase of a lattice at each pixel of a photograph, which says how far from a lattice point the pixel lies."""

import numpy as np
import tensorflow as tf

PEAK = 255
"""Largest magnitude of a feature, so that weighted sums of squared distances stay below 2**24, exact in float32."""

STEPS = 1024
"""Steps of a turn in phase features."""


def phase_features(turns: np.ndarray) -> np.ndarray:
    """Two triangle waves of each phase, a quarter turn apart: from [..., waves] turns to int16 [..., 2 waves].

    Triangle waves instead of sines, because the synthesis computes them in integers.
    """
    steps = np.floor(turns * STEPS).astype(np.int64)
    both = np.stack([steps + STEPS // 4, steps], axis=-1).reshape(*turns.shape[:-1], -1) % STEPS
    return np.clip(PEAK - np.abs(both - STEPS // 2), -PEAK, PEAK).astype(np.int16)


class Lattice(tf.Module):
    """The phases of the photographs' lattice at each of their pixels.

    Args:
      waves: float [waves, 2], cycles per pixel.
      phases: int16 [positions, 2 waves], `phase_features` at the pixels of the finest level.
      width: positions in a row.
      side: of a block in pixels; the phase of a block is that of the pixel in its middle.
    """

    def __init__(self, waves: np.ndarray, phases: np.ndarray, width: int, side: int) -> None:
        super().__init__()
        self._waves, self._phases = waves, tf.Variable(phases, trainable=False)
        self._width, self._middle = width, (side - 1) // 2

    def squared_distance(self, pixels: float) -> int:
        """The squared distance between phases that are so many pixels apart along each wave, a quarter turn at most."""
        turns = np.minimum(pixels * np.linalg.norm(self._waves, axis=1), 0.25)
        return int(2 * ((STEPS * turns) ** 2).sum())

    def distances(self, copies: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Squared distances between the phases of blocks and the wanted ones, int32 [...].

        Args:
          copies: int32 [..., 2], first pixels of blocks.
          wanted: float32 [..., 2 waves].
        """
        row, col = tf.unstack(copies + self._middle, axis=-1)
        found = tf.cast(tf.gather(self._phases, row * self._width + col), tf.float32)
        return tf.cast(tf.reduce_sum(tf.math.squared_difference(found, wanted), axis=-1), tf.int32)

    def nearest(self, copies: tf.Tensor, wanted: tf.Tensor, reach: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Moves blocks to where their phases are nearest to the wanted ones.

        Args:
          copies: int32 [..., 2], first pixels of blocks, so far inside of a photograph.
          wanted: float32 [..., 2 waves].
          reach: pixels; farthest move down and right.

        Returns:
          int32 [..., 2], and the squared distances there, int32 [...].
        """
        steps = range(-reach, reach + 1)
        moves = sorted(((i, j) for i in steps for j in steps), key=lambda move: move[0] ** 2 + move[1] ** 2)
        moved = copies[..., tf.newaxis, :] + tf.constant(moves)
        distances = self.distances(moved, wanted[..., tf.newaxis, :])
        best, rank = tf.argmin(distances, axis=-1), copies.shape.rank - 1
        return tf.gather(moved, best, batch_dims=rank), tf.gather(distances, best, batch_dims=rank)
