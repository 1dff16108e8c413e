"""Three formats for pictures of any extent with overviews, each filled block by block in any order.

.tif   BigTIFF (tifffile), tiled, not compressed; overviews are further pages marked as reduced images. The layout is
       written first, as a sparse file; a block is one write at its offset.
.zarr  zarr 3 with the multiscales of OME-Zarr 0.5; axes channel, row, column; one chunk a block.
.dzi   Deep Zoom: name.dzi and JPEG files name_files/<level>/<column>_<row>.jpg, for web viewers.
"""

import collections
import io
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from tf_psgan._version import __version__
from tf_psgan.data.colour import srgb_profile
from tf_psgan.rendering.raster import pyramid
from tf_psgan.runtime import files

SOFTWARE = f"tf_psgan {__version__}"
JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
Extents = Sequence[tuple[int, int]]


class Tiff:
    """A BigTIFF.

    Args:
      path: the unfinished file; made where it is missing.
      extents: height and width of each level, in pixels.
      side: of a block in pixels, a multiple of 16.
      identity: stored as JSON in the ImageDescription.
    """

    package: ClassVar[str] = "tifffile"
    to_one_pixel: ClassVar[bool] = False
    bytes_per_pixel: ClassVar[float] = 3.0

    def __init__(self, path: Path, extents: Extents, side: int, identity: Mapping[str, str]) -> None:
        import tifffile

        if not path.exists():
            with files.replacing(path) as layout:
                _lay_out(layout, extents, side, json.dumps(dict(identity)))
        with tifffile.TiffFile(path) as file:
            pages: Any = file.pages
            self._offsets = [
                np.asarray(page.dataoffsets, np.int64).reshape(pyramid.grid(extent, side))
                for page, extent in zip(pages, extents, strict=True)
            ]
        self._side = side
        self._file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # O_BINARY: Windows
        self._lock = threading.Lock()

    @staticmethod
    def target(out: Path) -> Path:
        """The final name of the unfinished file."""
        return out

    def put(self, level: int, row: int, col: int, pixels: np.ndarray) -> None:
        """Writes a block, uint8 [height, width, 3], cut at the picture's edge; from any thread."""
        whole = pixels
        if pixels.shape[:2] != (self._side, self._side):
            whole = np.zeros((self._side, self._side, 3), np.uint8)  # blocks are stored at full size
            whole[: pixels.shape[0], : pixels.shape[1]] = pixels
        rest, offset = memoryview(whole.tobytes()), int(self._offsets[level][row, col])
        while rest:
            written = self._write_at(rest, offset)
            rest, offset = rest[written:], offset + written

    def _write_at(self, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file, data, offset)
        with self._lock:  # Windows has no pwrite
            os.lseek(self._file, offset, os.SEEK_SET)
            return os.write(self._file, data)

    def sync(self) -> None:
        """Returns when every block written so far is on the disk."""
        files.sync_data(self._file)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    @staticmethod
    def publish(path: Path, out: Path) -> None:
        """Moves the finished file to its final name, unless that is done."""
        if path.exists():
            files.move(path, out)


class _Folder:
    """A format of many files, which are on the disk only when the files and their folders are synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: collections.deque[Path] = collections.deque()

    def sync(self) -> None:
        """Returns when every block written so far is on the disk."""
        sync_files([self._written.popleft() for _ in range(len(self._written))], self._path)

    def close(self) -> None:
        """Does nothing: no file is open."""


class Zarr(_Folder):
    """A zarr 3 group with an array [3, height, width] for each level; arguments as for `Tiff`."""

    package: ClassVar[str] = "zarr"
    to_one_pixel: ClassVar[bool] = False
    bytes_per_pixel: ClassVar[float] = 3.0  # at worst: compression may not help

    def __init__(self, path: Path, extents: Extents, side: int, identity: Mapping[str, str]) -> None:
        super().__init__(path)
        import zarr

        if not path.exists():
            with files.replacing(path) as layout:
                zarr_group(layout, path.stem, extents, side, identity)
        self._arrays = [_writable(zarr.open_array(path / str(level), mode="r+")) for level in range(len(extents))]
        self._side = side

    @staticmethod
    def target(out: Path) -> Path:
        """The final name of the unfinished folder."""
        return out

    def put(self, level: int, row: int, col: int, pixels: np.ndarray) -> None:
        """Writes a block, uint8 [height, width, 3], cut at the picture's edge; from any thread."""
        top, left, side = row * self._side, col * self._side, self._side
        self._arrays[level][:, top : top + side, left : left + side] = pixels.transpose(2, 0, 1)
        self._written.append(self._path / str(level) / "c" / "0" / str(row) / str(col))

    @staticmethod
    def publish(path: Path, out: Path) -> None:
        """Moves the finished folder to its final name, unless that is done."""
        if path.exists():
            for incomplete in path.rglob("*.partial"):
                incomplete.unlink()  # left by zarr when it was killed while it wrote a file
            files.move(path, out)


class DeepZoom(_Folder):
    """The folder of JPEG files of Deep Zoom, without overlap, its level 0 one pixel; arguments as for `Tiff`."""

    package: ClassVar[str] = ""
    to_one_pixel: ClassVar[bool] = True
    bytes_per_pixel: ClassVar[float] = 1.5  # photographs and procedural textures take 0.4 to 1.1

    def __init__(self, path: Path, extents: Extents, side: int, identity: Mapping[str, str]) -> None:
        super().__init__(path)
        if not path.exists():
            with files.replacing(path) as layout:
                for level in range(len(extents)):
                    (layout / str(level)).mkdir(parents=True)
                (layout / "about.json").write_text(self.about(*extents[0], side, identity), encoding="utf-8")
        self._last = len(extents) - 1

    @staticmethod
    def target(out: Path) -> Path:
        """The final name of the unfinished folder."""
        return out.with_name(f"{out.stem}_files")

    def put(self, level: int, row: int, col: int, pixels: np.ndarray) -> None:
        """Writes a block, uint8 [height, width, 3], cut at the picture's edge; from any thread."""
        file = self._path / str(self._last - level) / f"{col}_{row}.jpg"
        Image.fromarray(pixels).save(file, **JPEG, icc_profile=srgb_profile())
        self._written.append(file)

    @staticmethod
    def about(height: int, width: int, side: int, identity: Mapping[str, str]) -> str:
        """The content of about.json, from which the .dzi is made."""
        about = {"height": height, "width": width, "side": side, "software": SOFTWARE, "tf_psgan": dict(identity)}
        return json.dumps(about) + "\n"

    @staticmethod
    def description(about: str) -> str:
        """The content of the .dzi of a picture with this about.json."""
        read = json.loads(about)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpg" Overlap="0" '
            f'TileSize="{read["side"]}">\n  <Size Height="{read["height"]}" Width="{read["width"]}"/>\n</Image>\n'
        )

    @staticmethod
    def publish(path: Path, out: Path) -> None:
        """Moves the folder to its final name, then writes the .dzi; continues where that was interrupted."""
        folder = DeepZoom.target(out)
        if path.exists():
            files.move(path, folder)
        files.write(out, DeepZoom.description((folder / "about.json").read_text(encoding="utf-8")))


FORMATS: dict[str, type[Tiff | Zarr | DeepZoom]] = {
    ".tif": Tiff,
    ".tiff": Tiff,
    ".zarr": Zarr,
    ".dzi": DeepZoom,
}


def sync_files(paths: Sequence[Path], root: Path) -> None:
    """Returns when the files and their folders, from `root` down, are on the disk."""
    for file in paths:
        files.sync(file)
    for folder in {parent for file in paths for parent in file.parents if parent.is_relative_to(root)}:
        files.sync(folder)


class _Sparse(io.FileIO):
    """A file in which one given object, the zeros `hole`, is skipped instead of written."""

    hole = b""

    def write(self, data: Any) -> int:
        """Writes, or moves on by as much; returns the number of bytes."""
        if data is not self.hole:
            return super().write(data)
        self.seek(len(data), os.SEEK_CUR)
        return len(data)


def _lay_out(path: Path, extents: Extents, side: int, description: str) -> None:
    """Writes a BigTIFF with room for every block of every level, which takes nearly no space on the disk."""
    import tifffile

    hole = bytes(3 * side * side)
    with _Sparse(path, "w+") as stream:
        stream.hole = hole
        with tifffile.TiffWriter(stream, bigtiff=True) as writer:
            for level, extent in enumerate(extents):
                rows, cols = pyramid.grid(extent, side)
                blocks: Iterator[bytes] = (hole for _ in range(rows * cols))
                first: dict[str, Any] = {
                    "description": description,
                    "software": SOFTWARE,
                    "iccprofile": srgb_profile(),
                }
                writer.write(
                    blocks,
                    shape=(*extent, 3),
                    dtype=np.uint8,
                    tile=(side, side),
                    photometric="rgb",
                    planarconfig="contig",
                    subfiletype=1 if level else 0,  # 1: a reduced version of another page
                    metadata=None,
                    **({"software": False} if level else first),
                )


def zarr_group(
    store: Any, name: str, extents: Extents, chunk: int, identity: Mapping[str, str], shards: Sequence[int] = ()
) -> list[Any]:
    """Makes the group of a picture; its arrays, one for each level.

    Args:
      store: a path or a store of zarr.
      name: of the picture.
      extents: height and width of each level, in pixels.
      chunk: side of a chunk in pixels.
      identity: stored in the attributes.
      shards: side of the shards of each level in pixels; none for a file for each chunk.
    """
    import zarr

    about = {"ome": _multiscales(name, len(extents)), "software": SOFTWARE, "tf_psgan": dict(identity)}
    group = zarr.create_group(store, attributes=about)
    arrays = []
    for level, extent in enumerate(extents):
        array = group.create_array(
            str(level),
            shape=(3, *extent),
            chunks=(3, chunk, chunk),
            shards=(3, shards[level], shards[level]) if shards else None,
            dtype="uint8",
            dimension_names=["c", "y", "x"],
        )
        arrays.append(_writable(array))
    return arrays


def _writable(array: Any) -> Any:
    """An array that keeps black blocks, too. zarr 3.1 ignores this setting where it is given to open_array."""
    return array.with_config({"write_empty_chunks": True})


def _multiscales(name: str, levels: int) -> dict[str, Any]:
    """Metadata of OME-Zarr 0.5: the unit is a pixel; a pixel of a level is at the centre of those it is the mean of."""
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 2**level, 2**level]},
                {"type": "translation", "translation": [0, (2**level - 1) / 2, (2**level - 1) / 2]},
            ],
        }
        for level in range(levels)
    ]
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    colours = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
    channels = [{"label": label, "color": colour, "window": window, "active": True} for label, colour in colours]
    multiscales = [{"name": name, "axes": axes, "datasets": datasets, "type": "mean"}]
    return {"version": "0.5", "multiscales": multiscales, "omero": {"channels": channels}}
