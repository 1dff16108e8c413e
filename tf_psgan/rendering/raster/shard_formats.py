"""Formats of pictures that several processes make: a shard becomes files of its own, each given as its bytes.

.zarr  as `formats.Zarr`, but the blocks of a shard are chunks of one file (ZEP 2).
.dzi   as `formats.DeepZoom`.
.tif   a cloud-optimised GeoTIFF (`geotiff`), which is put together from files of compressed tiles when all are there.

Names are relative to the folder that the processes share; those in PICTURE are files of the finished picture.
"""

import io
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from tf_psgan.data.colour import srgb_profile
from tf_psgan.rendering.raster import formats, geotiff, pyramid
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.rendering.raster.pyramid import Index
from tf_psgan.runtime.threads import cores

PICTURE = "picture"
"""Name of the unfinished picture in the shared folder."""

MOST_THREADS = 16


class ShardedZarr:
    """A Zarr group.

    Args:
      planned: of the picture.
      name: of the picture, without its suffix.
    """

    single: ClassVar = formats.Zarr
    disk_per_pixel: ClassVar[float] = formats.Zarr.bytes_per_pixel

    def __init__(self, planned: Plan, name: str) -> None:
        from zarr.storage import MemoryStore

        self._planned = planned
        self._files: dict[str, Any] = {}
        extents = planned.levels(to_one_pixel=False)
        shards = [planned.shard_at(level) for level in range(len(extents))]
        self._arrays = formats.zarr_group(
            MemoryStore(self._files), name, extents, planned.side, planned.identity, shards
        )
        self._about = {name: content.to_bytes() for name, content in self._files.items()}

    def encode(self, index: Index, pixels: np.ndarray) -> dict[str, bytes]:
        """The files of a shard of a level, uint8 [height, width, 3]."""
        level, row, col = index
        side = self._planned.shard_at(level)
        top, left, name = row * side, col * side, f"{level}/c/0/{row}/{col}"
        self._arrays[level][:, top : top + side, left : left + side] = pixels.transpose(2, 0, 1)
        return {f"{PICTURE}/{name}": self._files.pop(name).to_bytes()}

    def about(self) -> dict[str, bytes]:
        """The files that describe the picture; it is there with the last one."""
        names = sorted(self._about, key=lambda name: name == "zarr.json")
        return {f"{PICTURE}/{name}": self._about[name] for name in names}


class DeepZoom:
    """The JPEG files of Deep Zoom; arguments as for `ShardedZarr`."""

    single: ClassVar = formats.DeepZoom
    disk_per_pixel: ClassVar[float] = formats.DeepZoom.bytes_per_pixel

    def __init__(self, planned: Plan, name: str) -> None:
        self._planned, self._last = planned, len(planned.levels(to_one_pixel=True)) - 1

    def encode(self, index: Index, pixels: np.ndarray) -> dict[str, bytes]:
        """The files of a shard of a level, uint8 [height, width, 3]."""
        level, row, col = index
        across = self._planned.shard_at(level) // self._planned.side

        def encoded(place: tuple[int, int], block: np.ndarray) -> tuple[str, bytes]:
            buffer = io.BytesIO()
            Image.fromarray(block).save(buffer, **formats.JPEG, icc_profile=srgb_profile())
            file = f"{col * across + place[1]}_{row * across + place[0]}.jpg"
            return f"{PICTURE}/{self._last - level}/{file}", buffer.getvalue()

        return dict(_mapped(encoded, _blocks(pixels, self._planned.side)))

    def about(self) -> dict[str, bytes]:
        """The file that describes the picture, from which the .dzi is made."""
        planned = self._planned
        text = formats.DeepZoom.about(planned.height, planned.width, planned.side, planned.identity)
        return {f"{PICTURE}/about.json": text.encode()}


class GeoTiff:
    """A cloud-optimised GeoTIFF; arguments as for `ShardedZarr`."""

    single: ClassVar = formats.Tiff
    disk_per_pixel: ClassVar[float] = 2 * formats.Tiff.bytes_per_pixel  # the tiles, and the file made of them

    def __init__(self, planned: Plan, name: str) -> None:
        self._planned = planned

    def encode(self, index: Index, pixels: np.ndarray) -> dict[str, bytes]:
        """The file of the compressed tiles of a shard of a level, uint8 [height, width, 3]: their sizes, then they."""
        side = self._planned.side
        tiles = [
            tile for _, tile in _mapped(lambda place, block: (place, geotiff.tile(block, side)), _blocks(pixels, side))
        ]
        sizes = np.asarray([len(tile) for tile in tiles], geotiff.SIZE)
        return {geotiff.tiles_name(index): b"".join([sizes.tobytes(), *tiles])}

    def about(self) -> dict[str, bytes]:
        """Nothing: the file describes itself."""
        return {}


ShardFormat = ShardedZarr | DeepZoom | GeoTiff

FORMATS: dict[str, type[ShardFormat]] = {".zarr": ShardedZarr, ".dzi": DeepZoom, ".tif": GeoTiff, ".tiff": GeoTiff}
"""Formats of which several processes can make a picture."""


def _blocks(pixels: np.ndarray, side: int) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Row, column and pixels of the blocks of a shard."""
    for row, col in itertools.product(*map(range, pyramid.grid(pixels.shape[:2], side))):
        yield (row, col), pixels[row * side : (row + 1) * side, col * side : (col + 1) * side]


def _mapped(make: Any, blocks: Iterator[tuple[tuple[int, int], np.ndarray]]) -> list[Any]:
    """What `make` makes of each block, by several threads."""
    with ThreadPoolExecutor(min(MOST_THREADS, cores()), "encode") as encoders:
        return list(encoders.map(lambda block: make(*block), blocks))
