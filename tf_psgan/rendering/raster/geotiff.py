"""A cloud-optimised GeoTIFF from the compressed tiles of all levels, put together in one pass.

BigTIFF, tiled, deflate with horizontal differences. The directories stand at the beginning, the picture's first and
then those of the overviews, and the pixels of the smallest overview come before the others: a reader learns from the
file's beginning where everything is. The model space is the texture plane: a unit is a pixel, and y grows upwards.

TIFF 6.0; the BigTIFF extension; OGC 19-008 (GeoTIFF 1.1); OGC 21-026 (Cloud Optimized GeoTIFF).
"""

import itertools
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO

import numpy as np

from tf_psgan.data.colour import srgb_profile
from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster.formats import SOFTWARE
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.rendering.raster.pyramid import Index

SIZE = np.dtype("<u4")
"""Sizes of tiles in bytes, at the beginning of a file of tiles."""

COMPRESSION = 1
"""Of zlib. Level 6 makes textures 1 % smaller and takes almost twice as long."""

COPIED = 16 * 1024 * 1024
"""Bytes copied at a time."""

Read = Callable[[str, int, int | None], bytes]
"""Name, first byte, and the byte after the last one or None -> the bytes of a file of tiles."""

_HEADER = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
_PICTURE, _OVERVIEW, _DEFLATE, _RGB, _DIFFERENCES = 0, 1, 8, 2, 2
_ASCII, _SHORT, _LONG, _UNDEFINED, _DOUBLE, _LONG8 = 2, 3, 4, 7, 12, 16
_FORMS = {_SHORT: "<u2", _LONG: "<u4", _DOUBLE: "<f8", _LONG8: "<u8"}
_CITATION = "texture plane, a unit is a pixel|"
_USER_DEFINED = 32767

Tag = tuple[int, int, int, bytes]
"""Number, type, count and value."""


def tile(pixels: np.ndarray, side: int) -> bytes:
    """A compressed tile, of a block uint8 [height, width, 3] cut at the picture's edge."""
    whole = np.zeros((side, side, 3), np.uint8)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    whole[:, 1:] -= whole[:, :-1].copy()
    return zlib.compress(whole.tobytes(), COMPRESSION)


def tiles_name(index: Index) -> str:
    """The file of the tiles of a shard of a level."""
    level, row, col = index
    return f"tiles/{level}/{row}-{col}"


def write(stream: IO[bytes], planned: Plan, read: Read) -> Iterator[int]:
    """Writes the file; memory grows by some 24 bytes a tile.

    Args:
      stream: need not be seekable.
      planned: of the picture.
      read: reads files of tiles.

    Yields:
      The number of bytes that were copied since the last time.
    """
    extents = planned.levels(to_one_pixel=False)
    sizes = [_sizes(planned, level, extent, read) for level, extent in enumerate(extents)]
    starts = [np.zeros(counts.shape, np.uint64) for counts in sizes]
    length = len(_HEADER) + sum(map(len, _directories(planned, extents, starts, sizes)))
    for level, extent in reversed(list(enumerate(extents))):
        for _, within in _shards(planned, level, extent):
            block = sizes[level][within]
            ends = length + np.cumsum(block.ravel(), dtype=np.uint64)
            starts[level][within] = (ends - block.ravel()).reshape(block.shape)
            length = int(ends[-1])
    stream.write(_HEADER)
    for directory in _directories(planned, extents, starts, sizes):
        stream.write(directory)
    for level, extent in reversed(list(enumerate(extents))):
        for index, within in _shards(planned, level, extent):
            count = sizes[level][within].size
            first, last = count * SIZE.itemsize, count * SIZE.itemsize + int(sizes[level][within].sum())
            for begin in range(first, last, COPIED):
                stream.write(read(tiles_name(index), begin, min(last, begin + COPIED)))
            yield last - first


def _shards(planned: Plan, level: int, extent: tuple[int, int]) -> Iterator[tuple[Index, tuple[slice, slice]]]:
    """The shards of a level, and which of its tiles are theirs."""
    across = planned.shard_at(level) // planned.side
    for row, col in pyramid.order(*pyramid.grid(extent, planned.shard_at(level))):
        yield (level, row, col), (slice(row * across, (row + 1) * across), slice(col * across, (col + 1) * across))


def _sizes(planned: Plan, level: int, extent: tuple[int, int], read: Read) -> np.ndarray:
    """The sizes of the tiles of a level in bytes, uint32 [rows, columns]."""
    found = np.zeros(pyramid.grid(extent, planned.side), SIZE)
    for index, within in _shards(planned, level, extent):
        block = found[within]
        head = read(tiles_name(index), 0, block.size * SIZE.itemsize)
        found[within] = np.frombuffer(head, SIZE).reshape(block.shape)
    return found


def _directories(
    planned: Plan, extents: list[tuple[int, int]], starts: list[np.ndarray], sizes: list[np.ndarray]
) -> Iterator[bytes]:
    """The directories of all levels, each with its values, as they follow the header."""
    position = len(_HEADER)
    for level, extent in enumerate(extents):
        tags = _tags(extent, planned.side, level)
        tags += [_tag(324, _LONG8, starts[level].ravel()), _tag(325, _LONG, sizes[level].ravel())]
        directory = _directory(
            tags if level else [*tags, *_description(planned.identity)], position, last=level == len(extents) - 1
        )
        position += len(directory)
        yield directory


def _tags(extent: tuple[int, int], side: int, level: int) -> list[Tag]:
    height, width = extent
    return [
        _tag(254, _LONG, [_OVERVIEW if level else _PICTURE]),
        _tag(256, _LONG, [width]),
        _tag(257, _LONG, [height]),
        _tag(258, _SHORT, [8, 8, 8]),
        _tag(259, _SHORT, [_DEFLATE]),
        _tag(262, _SHORT, [_RGB]),
        _tag(277, _SHORT, [3]),
        _tag(284, _SHORT, [1]),
        _tag(317, _SHORT, [_DIFFERENCES]),
        _tag(322, _LONG, [side]),
        _tag(323, _LONG, [side]),
    ]


def _description(identity: Mapping[str, str]) -> list[Tag]:
    """What the picture is, and its place on the texture plane."""
    top, left = float(identity.get("top", 0)), float(identity.get("left", 0))
    keys = [(1024, 0, 1, _USER_DEFINED), (1025, 0, 1, 1), (1026, 34737, len(_CITATION), 0)]
    return [
        _text(270, json.dumps(dict(identity))),
        _text(305, SOFTWARE),
        _tag(33550, _DOUBLE, [1, 1, 0]),
        _tag(33922, _DOUBLE, [0, 0, 0, left, -top, 0]),
        _tag(34735, _SHORT, [1, 1, 1, len(keys), *itertools.chain(*keys)]),
        _text(34737, _CITATION),
        (34675, _UNDEFINED, len(srgb_profile()), srgb_profile()),
    ]


def _tag(number: int, kind: int, values: object) -> Tag:
    array = np.asarray(values).astype(_FORMS[kind])
    return number, kind, array.size, array.tobytes()


def _text(number: int, text: str) -> Tag:
    value = text.encode("ascii", "backslashreplace") + b"\0"
    return number, _ASCII, len(value), value


def _directory(tags: list[Tag], position: int, last: bool) -> bytes:
    """A directory with the values that do not fit into it, which stands at a position; the next one follows."""
    tags = sorted(tags)
    after = position + 8 + 20 * len(tags) + 8
    entries, values = [], []
    for number, kind, count, value in tags:
        entry = struct.pack("<HHQ", number, kind, count)
        if len(value) <= 8:
            entries.append(entry + value.ljust(8, b"\0"))
            continue
        entries.append(entry + struct.pack("<Q", after))
        values.append(value.ljust(-(-len(value) // 8) * 8, b"\0"))
        after += len(values[-1])
    following = struct.pack("<Q", 0 if last else after)
    return b"".join([struct.pack("<Q", len(tags)), *entries, following, *values])
