"""Random crops of the pictures, cut inside the graph: a pure function of (pictures, seed, step).

All pictures lie on one packed in memory if they fit. If not, they take turns: each turn has a
packed of its own, drawn from (seed, turn), and the next one is prepared in the background.
So a resumed run sees the same crops from whatever step it goes on.
"""

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_psgan.data import manifest as manifests
from tf_psgan.latents import noise

_SHELF = 0x5E1F  # keeps these random numbers apart from others with the same seed
_SHARES = 8  # a packed holds at least so many pictures, if there are as many


class PackedImages(NamedTuple):
    """Decoded pictures, or regions of them, end to end in the host's memory."""

    pixels: tf.Tensor  # uint8 [total_pixels, 3], row by row
    starts: tf.Tensor  # int64 [pictures], index of each first pixel
    heights: tf.Tensor  # int64 [pictures]
    widths: tf.Tensor  # int64 [pictures]


# What a tf.function declares so that cache of all sizes share one trace.
PACKED_IMAGES_SPEC = PackedImages(
    tf.TensorSpec([None, 3], tf.uint8), *(tf.TensorSpec([None], tf.int64) for _ in range(3))
)


class Piece(NamedTuple):
    """A region of a picture, in pixels."""

    picture: int
    top: int
    left: int
    height: int
    width: int


def crops(packed: PackedImages, key: tf.Tensor, count: int, side: int) -> tf.Tensor:
    """Cuts squares: first the picture is drawn, each alike, then the place, each alike.

    Args:
      packed: every picture at least `side` pixels high and wide.
      key: int64 scalar, from `noise.fold`; the same key cuts the same crops.
      count, side: how many crops, and their height and width in pixels.

    Returns:
      uint8 [count, side, side, 3].
    """
    with tf.device("CPU:0"):  # where the packed is: a GPU would be sent all of it at every step
        keys = noise.fold(key, tf.range(count, dtype=tf.int64))
        picture = drawn(packed, key, count)
        widths = tf.gather(packed.widths, picture)
        top = noise.below(noise.fold(keys, 1), tf.gather(packed.heights, picture) - side + 1)
        left = noise.below(noise.fold(keys, 2), widths - side + 1)
        first = tf.gather(packed.starts, picture) + top * widths + left  # [count]
        steps = tf.range(side, dtype=tf.int64)
        rows = first[:, tf.newaxis] + steps * widths[:, tf.newaxis]  # [count, side]
        return tf.gather(packed.pixels, rows[..., tf.newaxis] + steps)  # [count, side, side, 3]


def drawn(packed: PackedImages, key: tf.Tensor, count: int) -> tf.Tensor:
    """From which pictures of the packed `crops` cuts: int64 [count]."""
    keys = noise.fold(key, tf.range(count, dtype=tf.int64))
    return noise.below(noise.fold(keys, 0), tf.size(packed.starts, tf.int64))


class ImageCache:
    """Which pictures are on the packed at a step."""

    def __init__(
        self, manifest: manifests.Manifest, side: int, seed: int, cache_bytes: int, cache_refresh_steps: int
    ) -> None:
        """Reads no picture yet.

        Args:
          manifest: a scan; it is checked here for crops of `side` pixels.
          side: of a crop, in pixels.
          seed: the turns follow from it.
          cache_bytes: for decoded pictures, the packed in preparation included. The one picture
            that is just being decoded comes on top.
          cache_refresh_steps: steps that a packed serves if not all pictures fit.

        Raises:
          ValueError: no usable pictures, too many bad ones, or no room for even one crop.
        """
        self.entries = manifests.check(manifest, side).usable
        self.side, self.seed, self.cache_refresh_steps = side, seed, cache_refresh_steps
        self.fits = 3 * sum(entry.height * entry.width for entry in self.entries) <= cache_bytes
        self._pixels = cache_bytes // 2 // 3  # half of the cache: the next packed needs the other half
        if not self.fits and self._pixels < side * side:
            raise ValueError(
                f"a cache of {cache_bytes} bytes has no room for two crops of {side}x{side} pixels; "
                "raise --cache_megabytes or lower --crop_cells."
            )
        self._shelf: PackedImages | None = None
        self._turn = -1
        self._next: tuple[int, Future[PackedImages]] | None = None
        self._closed = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="cache")

    def at(self, step: int) -> PackedImages:
        """The packed that serves a step.

        Raises:
          ValueError: a picture is gone or changed since the scan.
        """
        turn = 0 if self.fits else step // self.cache_refresh_steps
        if self._shelf is None or turn != self._turn:
            prepared, self._next, self._shelf = self._next, None, None
            if prepared is None or prepared[0] != turn:
                prepared = turn, self._worker.submit(self._load, turn)
            self._turn, self._shelf = turn, prepared[1].result()
            if not self.fits:
                self._next = turn + 1, self._worker.submit(self._load, turn + 1)
        return self._shelf

    def close(self) -> None:
        """Stops preparing; a worker still decoding would hold up the end of the program."""
        self._closed.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def pieces(self, turn: int) -> list[Piece]:
        """What lies on the packed at a turn: a pure function of the seed, the turn and the manifest."""
        sizes = [(entry.height, entry.width) for entry in self.entries]
        if self.fits:
            return [Piece(i, 0, 0, height, width) for i, (height, width) in enumerate(sizes)]
        with tf.device("CPU:0"):
            keys = noise.fold(self.seed, _SHELF, turn, tf.range(len(sizes), dtype=tf.int64))
            order = np.argsort(keys.numpy(), kind="stable")
            places = noise.fold(keys[:, tf.newaxis], tf.range(2, dtype=tf.int64)).numpy()
        least = self.side * self.side
        share = max(self._pixels // min(len(sizes), _SHARES), least)
        room, pieces = self._pixels, []
        for i in order:
            # The last picture is cut to the room left: passing over those too large would favour the small ones.
            if room < max(least, share // 2):
                break
            height, width = sizes[i]
            rows, cols = _region(height, width, min(share, room), self.side)
            top = _place(places[i, 0], height, rows, self.side)
            left = _place(places[i, 1], width, cols, self.side)
            pieces.append(Piece(int(i), top, left, rows, cols))
            room -= rows * cols
        return pieces

    def _load(self, turn: int) -> PackedImages:
        pieces = self.pieces(turn)
        areas = np.array([piece.height * piece.width for piece in pieces], np.int64)
        starts = np.cumsum(areas) - areas
        pixels = _aligned(int(areas.sum()))
        for piece, start, area in zip(pieces, starts, areas, strict=True):
            if self._closed.is_set():
                raise CancelledError
            picture = manifests.read(self.entries[piece.picture])
            part = picture[piece.top : piece.top + piece.height, piece.left : piece.left + piece.width]
            pixels[start : start + area] = part.reshape(-1, 3)
        with tf.device("CPU:0"):
            heights, widths = (tf.constant([piece[k] for piece in pieces], tf.int64) for k in (3, 4))
            # Without a copy: convert_to_tensor would need the memory twice.
            shared = tf.experimental.dlpack.from_dlpack(pixels.__dlpack__())
            return PackedImages(shared, tf.constant(starts), heights, widths)


def _region(height: int, width: int, pixels: int, side: int) -> tuple[int, int]:
    """Rows and columns of a region of at most `pixels` pixels, shaped like the picture, neither below `side`."""
    rows = min(max(int((pixels * height / width) ** 0.5), side), height)
    cols = min(max(pixels // rows, side), width)
    return min(pixels // cols, height), cols


def _place(key: int, extent: int, part: int, side: int) -> int:
    """The first row or column of a region of `part` pixels.

    Drawn beyond both ends and moved back inside: otherwise the crops at a picture's border would be
    hundreds of times rarer than those in its middle; now they are at most twice as frequent.
    """
    over = part - side
    drawn = int(noise.below(int(key), extent - part + 2 * over + 1)) - over
    return min(max(drawn, 0), extent - part)


def _aligned(count: int) -> np.ndarray:
    """uint8 [count, 3] at a multiple of 64 bytes: TensorFlow ends the process over a tensor elsewhere."""
    memory = np.empty(3 * count + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + 3 * count].reshape(count, 3)
