"""The finished pieces of a large picture on disk, so that a later call continues instead of starting again.

A file of records is only ever appended to: a line of JSON that says which picture it is, then for each piece its place,
its number of bytes and their CRC-32, and its pixels. What a killed process or a full disk leaves incomplete at the end
is dropped when the file is read.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan_serving.client.views import Piece

_RECORD = struct.Struct("<QQQI")
_MAX_HEADER = 2**16


def path_for(out: Path) -> Path:
    """The file that keeps the finished pieces of a picture that is to be written as `out`."""
    return out.with_name(f".{out.name[:50]}.partial")


class PartialFile:
    """The file of one picture.

    Args:
      path: of the file, made with the first piece. A file of another picture is replaced.
      header: JSON values that determine every pixel of the picture and its division into pieces.

    Raises:
      OSError: it cannot be read or written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self._path, self._line = path, json.dumps(header, sort_keys=True).encode() + b"\n"

    def read(self, pieces: Mapping[tuple[int, int], Piece], pixels: np.ndarray) -> set[tuple[int, int]]:
        """Copies the finished pieces into a picture, and prepares the file for further ones.

        Args:
          pieces: the pieces of the picture by their first row and column.
          pixels: uint8 [height, width, 3].

        Returns:
          The places of the finished pieces.
        """
        done, end = set(), 0
        if self._path.exists():
            with self._path.open("rb") as stream:
                if stream.readline(_MAX_HEADER) == self._line:
                    end = stream.tell()
                    for place, data in _records(stream):
                        if place not in pieces or len(data) != _bytes(pieces[place]):
                            break
                        rows, columns, view = pieces[place]
                        pixels[rows, columns] = np.frombuffer(data, np.uint8).reshape(view.height, view.width, 3)
                        done.add(place)
                        end = stream.tell()
        if end:
            with self._path.open("r+b") as stream:
                stream.truncate(end)
        else:
            self._path.unlink(missing_ok=True)  # another process may still append to that file
        return done

    def append(self, place: tuple[int, int], pixels: np.ndarray) -> None:
        """Adds a finished piece, uint8 [height, width, 3]."""
        data = pixels.tobytes()
        with self._path.open("ab") as stream:
            if not stream.tell():
                stream.write(self._line)
            stream.write(_RECORD.pack(*place, len(data), zlib.crc32(data)) + data)


def _bytes(piece: Piece) -> int:
    return piece[2].height * piece[2].width * 3


def _records(stream: Any) -> Iterator[tuple[tuple[int, int], bytes]]:
    """The places and pixels of the complete records from here on; ends at the first other one."""
    while len(head := stream.read(_RECORD.size)) == _RECORD.size:
        row, column, length, checksum = _RECORD.unpack(head)
        data = stream.read(min(length, 2**31))
        if len(data) != length or zlib.crc32(data) != checksum:
            return
        yield (row, column), data
