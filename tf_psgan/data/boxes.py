"""The colour boxes of JPEG 2000, AVIF and HEIC files, which Pillow does not pass on.

Boxes: ISO/IEC 14496-12, section 4.2; items and their properties: ISO/IEC 23008-12, section 9.3; the colour box of
JPEG 2000: ISO/IEC 15444-1, annex I.5.3.3.
"""

import struct
from collections.abc import Iterator
from typing import IO

_MOST_BYTES = 1 << 24  # of a box that is read; the pictures themselves are in others


def colour_box(stream: IO[bytes]) -> bytes:
    """The content of the first colour box of a picture's header; b"" where there is none or the file is damaged.

    Args:
      stream: of the whole file; its position is kept.
    """
    position = stream.tell()
    try:
        stream.seek(0)
        for name, content in _top_boxes(stream):
            if name == b"jp2h":
                return dict(reversed(list(_boxes(content)))).get(b"colr", b"")
            if name == b"meta":
                return _of_primary_item(content[4:])
        return b""
    except (struct.error, IndexError, ValueError):
        return b""
    finally:
        stream.seek(position)


def _of_primary_item(meta: bytes) -> bytes:
    inside = dict(_boxes(meta))
    primary = inside.get(b"pitm", bytes(6))
    item = struct.unpack_from(">I" if primary[0] else ">H", primary, 4)[0]
    properties = dict(_boxes(inside.get(b"iprp", b"")))
    listed = list(_boxes(properties.get(b"ipco", b"")))
    for index in _associated(properties.get(b"ipma", b"\0" * 8), item):
        name, content = listed[index - 1]
        if name == b"colr" and content[:4] == b"nclx":
            return content
    return b""


def _associated(table: bytes, wanted: int) -> list[int]:
    """The numbers of an item's properties, from 1."""
    wide_item, wide_index = table[0] >= 1, table[3] & 1
    count, at = struct.unpack_from(">I", table, 4)[0], 8
    for _ in range(count):
        item = struct.unpack_from(">I" if wide_item else ">H", table, at)[0]
        at += 4 if wide_item else 2
        size, at = table[at], at + 1
        if wide_index:
            found = [value & 0x7FFF for value in struct.unpack_from(f">{size}H", table, at)]
        else:
            found = [value & 0x7F for value in table[at : at + size]]
        if item == wanted:
            return [index for index in found if index]
        at += size * (2 if wide_index else 1)
    return []


def _top_boxes(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    while len(header := stream.read(8)) == 8:
        size, name = struct.unpack(">I4s", header)
        taken = 8
        if size == 1:
            size, taken = struct.unpack(">Q", stream.read(8))[0], 16
        if size < taken:  # 0: to the end of the file
            return
        if name in (b"jp2h", b"meta") and size <= _MOST_BYTES:
            yield name, stream.read(size - taken)
        else:
            stream.seek(size - taken, 1)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield name, data[at + 8 : at + size]
        at += size
