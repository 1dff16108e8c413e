"""Maps of blocks: which pixels of the photographs each block of a picture copies, and what continues these copies."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

UNUSUAL = 0.1
"""Share of its pixels above which a piece is unusual."""


def continued(
    rows: tf.Tensor, cols: tf.Tensor, near: tf.Tensor, reach: int, places: np.ndarray, side: int
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """What a block would copy if it continued the copies of the blocks near it, and from which photographs.

    Args:
      rows, cols: int32 [h, w]: first row and column that each block copies.
      near: int32 [near, 2]: blocks around a block, (down, right).
      reach: the farthest of them; so many blocks at each edge of the map have no result.
      places: int32 [photographs, 3], `Exemplar.places`.
      side: of a block, in pixels.

    Returns:
      Rows and columns; first rows, heights and widths of the photographs; int32 [h - 2 reach, w - 2 reach, near] each.
    """
    width = tf.shape(rows)[1]
    own = tf.range(reach, tf.shape(rows)[0] - reach)[:, tf.newaxis] * width + tf.range(reach, width - reach)
    there = own[..., tf.newaxis] + near[:, 0] * width + near[:, 1]
    copies = [
        tf.gather(tf.reshape(part, (-1,)), there) - side * step
        for part, step in zip((rows, cols), tf.unstack(near, axis=1), strict=True)
    ]
    photographs = photographs_of(rows, places)
    return copies, [tf.gather(tf.reshape(part, (-1,)), there) for part in photographs]


def halved(rows: tf.Tensor, cols: tf.Tensor, half: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The map of half blocks that copies the same pixels as a map of blocks: from int32 [h, w] to [2 h, 2 w].

    Args:
      rows, cols: first row and column that each block copies.
      half: side of half a block, in pixels.
    """
    rows, cols = (tf.repeat(tf.repeat(part, 2, axis=0), 2, axis=1) for part in (rows, cols))
    down, right = (tf.range(tf.shape(rows)[axis]) % 2 * half for axis in (0, 1))
    return rows + down[:, tf.newaxis], cols + right


def photographs_of(rows: tf.Tensor, places: np.ndarray) -> list[tf.Tensor]:
    """First rows, heights and widths of the photographs in which rows lie, int32 of the shape of `rows` each."""
    return tf.unstack(tf.gather(tf.constant(places), numbers_of(rows, places)), axis=-1)


def numbers_of(rows: tf.Tensor, places: np.ndarray) -> tf.Tensor:
    """The numbers of the photographs in which rows lie, int32 of the shape of `rows`; 0 for rows above all of them."""
    found = tf.searchsorted(places[:, 0], tf.reshape(rows, (-1,)), side="right") - 1
    return tf.reshape(tf.maximum(found, 0), tf.shape(rows))


def are_inside(copies: Sequence[tf.Tensor], photographs: Sequence[tf.Tensor], side: int, beyond: int) -> tf.Tensor:
    """Whether blocks that copy from these first pixels, and `beyond` pixels around them, lie inside of a photograph.

    Args:
      copies: rows and columns of first pixels, int32.
      photographs: first rows, heights and widths, int32.
      side: of a block, in pixels.
      beyond: pixels.
    """
    (down, right), (tops, heights, widths) = copies, photographs
    last = side + beyond
    is_inside = (down >= tops + beyond) & (down <= tops + heights - last)
    return is_inside & (right >= beyond) & (right <= widths - last)


def unusual_pieces(unusual: np.ndarray, places: np.ndarray, side: int, radius: int) -> np.ndarray:
    """Whether the blocks around a block show something unusual, by the block's first pixel: bool [rows, width].

    Args:
      unusual: bool [rows, width], of each pixel of the photographs (`mean_cell.unusual`).
      places: int32 [photographs, 3], `Exemplar.places`.
      side: of a block in pixels.
      radius: of the piece in blocks.
    """
    found = np.zeros_like(unusual)
    for top, height, width in places:
        sums = np.pad(unusual[top : top + height, :width].cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        first, last = (
            [np.clip(np.arange(extent) + step, 0, extent) for extent in (height, width)]
            for step in (-radius * side, (radius + 1) * side)
        )
        many = sums[np.ix_(*last)] - sums[np.ix_(first[0], last[1])] - sums[np.ix_(last[0], first[1])]
        many += sums[np.ix_(*first)]
        pixels = np.outer(*(end - begin for begin, end in zip(first, last, strict=True)))
        found[top : top + height, :width] = many > UNUSUAL * pixels
    return found
