"""The TIFF layouts that Pillow reads as they are meant. It opens others too, and returns noise or wrong values.

Tried with every combination of the fields below, both byte orders, strips and tiles, with and without compression
(TIFF 6.0; tags by number).
"""

from typing import IO, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

_NAMES = {
    0: "MinIsWhite",
    1: "MinIsBlack",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    32803: "raw sensor data",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw data",
}
_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
_CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
"""Channels of each photometric interpretation that is read, without alpha."""


def check(stream: IO[bytes]) -> None:
    """Checks the first picture of a TIFF file; the stream's position is kept.

    Raises:
      ValueError: a layout that is not read, in words: bits, kind of number, channels, interpretation.
    """
    tags = _tags(stream)
    bits, kind, photometric = max(tags.bits), tags.first(339, 1), tags.first(262, 1)
    if kind in _FORMATS:
        raise ValueError(f"a TIFF of {_FORMATS[kind]} numbers of {bits} bits, for which no value is known to be white")
    name = _NAMES.get(photometric, f"interpretation {photometric}")
    if photometric not in _CHANNELS:
        raise ValueError(f"a TIFF of {name}, which is not read")
    if problem := _problem(tags, photometric, bits):
        raise ValueError(f"a TIFF of {name} with {problem}, which is not read")


def _problem(tags: "_Tags", photometric: int, bits: int) -> str:
    """What of a layout is not read; "" if all is."""
    channels, is_compressed = tags.first(277, 1), tags.first(259, 1) != 1
    is_planar = channels > 1 and tags.first(284, 1) == 2
    extra, is_grey = channels - _CHANNELS[photometric], photometric in (0, 1)
    if len(set(tags.bits)) > 1 or bits not in _bits(photometric):
        return f"{' and '.join(map(str, dict.fromkeys(tags.bits)))} bits"
    if extra not in (0, 1) or (extra and photometric not in (0, 1, 2, 5)) or (extra and is_grey and bits != 8):
        return f"{channels} channels of {bits} bits"
    if extra and is_grey and (is_planar or tags.first(338, 0) not in (1, 2)):
        return f"{channels} channels, the second not alpha" if not is_planar else "alpha in a plane of its own"
    if is_planar and (photometric == 8 or (bits == 16 and not is_compressed)):
        return f"channels in planes of {bits} bits"
    if photometric == 5 and tags.first(332, 1) != 1:
        return "other inks than cyan, magenta, yellow and black"
    if photometric == 6 and not is_compressed:
        return "channels that are not compressed"
    return ""


def _bits(photometric: int) -> tuple[int, ...]:
    """Bits per channel that are read."""
    if photometric in (0, 3):  # Pillow does not invert 16-bit MinIsWhite
        return 1, 2, 4, 8
    if photometric == 1:
        return 1, 2, 4, 8, 16
    return (8, 16) if photometric in (2, 5) else (8,)


class _Tags(NamedTuple):
    values: ImageFileDirectory_v2

    def first(self, tag: int, default: int) -> int:
        """A tag's value, or the first of several."""
        value = self.values.get(tag, default)
        return int(value[0] if isinstance(value, tuple) and value else value)

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of each channel."""
        value = self.values.get(258, 1)
        return value if isinstance(value, tuple) else (value,)


def _tags(stream: IO[bytes]) -> _Tags:
    position = stream.tell()
    header = stream.read(8)
    if 43 in header[2:4]:  # BigTIFF
        header += stream.read(8)
    tags = ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    stream.seek(position)
    return _Tags(tags)
