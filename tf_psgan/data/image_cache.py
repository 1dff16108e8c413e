"""The image cache: decoded pictures in bounded memory, as a pure function of (pictures, seed, step).

Pictures that all fit are loaded once. Otherwise the cache is refreshed every so many steps: the regions of each refresh
are drawn from (seed, refresh number), and the next buffer is prepared in the background. A resumed run therefore sees
the same crops from any step on.
"""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_psgan import material
from tf_psgan.data import manifest as manifests
from tf_psgan.data.crops import PackedImages
from tf_psgan.errors import SettingError
from tf_psgan.latents import noise
from tf_psgan.signal_processing import downsampled

_STREAM = 0x5E1F  # separates these random numbers from others with the same seed
_SHARES = 8  # a buffer holds at least so many pictures, if there are as many


class Region(NamedTuple):
    """A region of a picture, in pixels."""

    picture: int
    top: int
    left: int
    height: int
    width: int


class ImageCache:
    """The buffer of decoded pictures that serves a step. No picture is read before the first call.

    Args:
      manifest: a scan; it is checked here for crops of `side` pixels.
      side: height and width of a crop in pixels.
      seed: of the random order and regions.
      cache_bytes: for decoded pictures, including the buffer in preparation. The picture that is being decoded comes
        on top.
      cache_refresh_steps: steps that a buffer serves if not all pictures fit.
      downsampling: factor by which the pictures are reduced before anything else.
      maps: of a material, whose channels come behind the three of each picture.

    Raises:
      InputError: no usable pictures, too many that cannot be used, or no room for two crops.
    """

    def __init__(
        self,
        manifest: manifests.Manifest,
        side: int,
        seed: int,
        cache_bytes: int,
        cache_refresh_steps: int,
        downsampling: int = 1,
        maps: Sequence[str] = (),
    ) -> None:
        self.entries = manifests.check(manifest, side * downsampling).usable
        self._downsampling, self._maps = downsampling, maps
        self._sizes = [(entry.height // downsampling, entry.width // downsampling) for entry in self.entries]
        self.side, self.seed, self.cache_refresh_steps = side, seed, cache_refresh_steps
        self.fits = decoded_bytes(self.entries, downsampling, maps) <= cache_bytes
        half = cache_bytes // 2  # the next buffer needs the other half
        self._pixels = half // material.channels(maps)
        if not self.fits and self._pixels < side * side:
            raise SettingError(
                "cache_megabytes",
                f"a cache of {cache_bytes} bytes has no room for two crops of {side}x{side} pixels",
                "choose a larger cache or smaller crops",
                value=cache_bytes,
                settings=("cache_megabytes", "crop_cells"),
            )
        self._packed: PackedImages | None = None
        self._refresh = -1
        self._next: tuple[int, Future[PackedImages]] | None = None
        self._closed = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="image_cache")

    def at(self, step: int) -> PackedImages:
        """The buffer that serves a step.

        Raises:
          PictureError: a picture is gone or has changed since the scan.
        """
        refresh = 0 if self.fits else step // self.cache_refresh_steps
        if self._packed is None or refresh != self._refresh:
            prepared, self._next, self._packed = self._next, None, None
            if prepared is None or prepared[0] != refresh:
                prepared = refresh, self._worker.submit(self._load, refresh)
            self._refresh, self._packed = refresh, prepared[1].result()
            if not self.fits:
                self._next = refresh + 1, self._worker.submit(self._load, refresh + 1)
        return self._packed

    def close(self) -> None:
        """Stops the preparation; a worker still decoding would delay the end of the program."""
        self._closed.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def regions(self, refresh: int) -> list[Region]:
        """The content of the buffer after a refresh: a pure function of the seed, its number and the manifest."""
        sizes = self._sizes
        if self.fits:
            return [Region(i, 0, 0, height, width) for i, (height, width) in enumerate(sizes)]
        with tf.device("CPU:0"):
            keys = noise.fold(self.seed, _STREAM, refresh, tf.range(len(sizes), dtype=tf.int64))
            order = np.argsort(keys.numpy(), kind="stable")
            offsets = noise.fold(keys[:, tf.newaxis], tf.range(2, dtype=tf.int64)).numpy()
        least = self.side * self.side
        share = max(self._pixels // min(len(sizes), _SHARES), least)
        room, regions = self._pixels, []
        for i in order:
            # The last picture is cut to the room left: passing over those too large would favour the small ones.
            if room < max(least, share // 2):
                break
            height, width = sizes[i]
            rows, cols = _extent(height, width, min(share, room), self.side)
            top = _offset(offsets[i, 0], height, rows, self.side)
            left = _offset(offsets[i, 1], width, cols, self.side)
            regions.append(Region(int(i), top, left, rows, cols))
            room -= rows * cols
        return regions

    def _load(self, refresh: int) -> PackedImages:
        regions = self.regions(refresh)
        areas = np.array([region.height * region.width for region in regions], np.int64)
        starts = np.cumsum(areas) - areas
        channels = material.channels(self._maps)
        pixels = _aligned(int(areas.sum()), channels)
        for region, start, area in zip(regions, starts, areas, strict=True):
            if self._closed.is_set():
                raise CancelledError
            picture = downsampled(manifests.read(self.entries[region.picture], self._maps), self._downsampling)
            part = picture[region.top : region.top + region.height, region.left : region.left + region.width]
            pixels[start : start + area] = part.reshape(-1, channels)
        with tf.device("CPU:0"):
            heights, widths = (tf.constant([region[k] for region in regions], tf.int64) for k in (3, 4))
            # Without a copy: convert_to_tensor would need the memory twice.
            shared = tf.experimental.dlpack.from_dlpack(pixels.__dlpack__())
            return PackedImages(shared, tf.constant(starts), heights, widths)


def decoded_bytes(entries: Iterable[manifests.Entry], downsampling: int = 1, maps: Sequence[str] = ()) -> int:
    """Memory of the decoded pictures and their maps, reduced by a factor."""
    return material.channels(maps) * sum(
        (entry.height // downsampling) * (entry.width // downsampling) for entry in entries
    )


def _extent(height: int, width: int, pixels: int, side: int) -> tuple[int, int]:
    """Rows and columns of a region of at most `pixels` pixels, shaped like the picture, neither below `side`."""
    rows = min(max(int((pixels * height / width) ** 0.5), side), height)
    cols = min(max(pixels // rows, side), width)
    return min(pixels // cols, height), cols


def _offset(key: int, extent: int, part: int, side: int) -> int:
    """The first row or column of a region of `part` pixels in a picture of `extent` pixels.

    Drawn beyond both ends and clipped: drawn inside only, crops at a picture's border would be hundreds of times rarer
    than those in its middle; clipped, they are at most twice as frequent.
    """
    over = part - side
    drawn = int(noise.below(int(key), extent - part + 2 * over + 1)) - over
    return min(max(drawn, 0), extent - part)


def _aligned(count: int, channels: int) -> np.ndarray:
    """uint8 [count, channels] at a multiple of 64 bytes: TensorFlow ends the process for any other address."""
    memory = np.empty(channels * count + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + channels * count].reshape(count, channels)
