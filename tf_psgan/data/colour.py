"""From a file's colour space to sRGB, as browsers show pictures.

ICC profiles are converted by Little CMS (Pillow's ImageCms) with the perceptual intent. In PNG files cICP, iCCP, sRGB,
gAMA with cHRM count in this order (PNG specification, third edition, section 12.1), in AVIF and HEIC files the profile
before the code points (ITU-T H.273). A file that says nothing is sRGB, and so is one with a damaged profile or one for
another kind of picture. A space that changes no colour by more than 1 of 255 is taken for sRGB, so that the pixels of
sRGB pictures stay as they are stored.
"""

import functools
import io
import struct
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from tf_psgan.data import boxes

STEEPEST = 4
"""Largest step between neighbouring 8-bit greys that a conversion of 16-bit values may make: they are cut to 8 bits
before, and values of linear light would become bands."""

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""

_D65 = (0.3127, 0.3290)
_SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Chromaticities] = {
    1: _SRGB,
    2: _SRGB,  # unspecified
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""Colour primaries by code point."""

_EXPONENTS: dict[int, float] = {1: 0, 2: 0, 6: 0, 13: 0, 14: 0, 15: 0, 4: 2.2, 5: 2.8, 8: 1}
"""Exponent by code point of the transfer characteristics; 0 for the curve of sRGB, which stands for video's, too."""

_SRGB_GAMMA = 0.45455
_NEAR = 0.05  # libpng's threshold: a gamma within it is that of sRGB
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


class Conversion(NamedTuple):
    """From pictures of one of Pillow's modes to RGB in sRGB.

    Args:
      mode: RGB, L, CMYK or LAB.
      apply: converts a picture of that mode.
      steepest: largest step between neighbouring greys.
    """

    mode: str
    apply: Callable[[Image.Image], Image.Image]
    steepest: int = 0


def conversion(image: Image.Image, stream: IO[bytes]) -> Conversion | None:
    """How a picture becomes sRGB; None if it is sRGB.

    Args:
      image: opened.
      stream: of the whole file.

    Raises:
      ValueError: high dynamic range, or values that do not use the whole range.
    """
    if image.mode == "LAB":
        return _lab()
    found = _conversion(image, stream)
    grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I;16")
    fitting = {"L"} if grey else set()
    fitting |= {"CMYK"} if image.mode == "CMYK" else {"RGB"}
    return found if found and found.mode in fitting else None


def _conversion(image: Image.Image, stream: IO[bytes]) -> Conversion | None:
    if image.format == "PNG" and (chunk := _png_chunk(stream, b"cICP")):
        return _of_code_points(chunk[0], chunk[1], full_range=chunk[3] == 1)
    profile: bytes = image.info.get("icc_profile") or b""
    if profile:
        return _of_profile(profile, image.mode == "CMYK")
    if image.format == "PNG" and "srgb" not in image.info:
        return _of_gamma(image.info.get("gamma", 0.0), image.info.get("chromaticity", ()))
    if image.format in ("AVIF", "HEIF", "JPEG2000"):
        box = boxes.colour_box(stream)
        if box[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", box, 4)
            return _of_code_points(primaries, transfer, full_range=True)  # the decoder has widened the range
        if image.format == "JPEG2000" and box[:1] in (b"\2", b"\3"):
            return _of_profile(box[3:], image.mode == "CMYK")
    return None


@functools.lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same bytes every time, for files that name their colour space in no other way."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # Little CMS writes the present time here
    profile[84:100] = bytes(16)  # no digest
    return bytes(profile)


@functools.lru_cache(maxsize=16)
def _of_profile(profile: bytes, is_cmyk: bool) -> Conversion | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space.strip()]
        if source.profile.device_class not in ("scnr", "mntr", "prtr", "spac") or (mode == "CMYK") != is_cmyk:
            return None
        return _checked(_of_transform(source, mode))
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError):
        return None  # damaged


@functools.lru_cache(maxsize=1)
def _lab() -> Conversion:
    return _of_transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _of_transform(source: ImageCms.ImageCmsProfile, mode: str) -> Conversion:
    """The conversion by Little CMS.

    Its optimisation is ten times as fast. It is exact for profiles of curves and a matrix, and replaces the tables of
    others by a coarse grid, which may be off by more than 100: it is used where it changes a sample by 1 at most.
    """
    exact = _transform(source, mode, ImageCms.Flags.NOOPTIMIZE)
    if mode == "L":
        table = np.asarray(exact(Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])))[0]
        return Conversion(mode, lambda image: Image.fromarray(table[np.asarray(image)]))
    fast, sample = _transform(source, mode, ImageCms.Flags(0)), _sample(mode)
    difference = np.asarray(fast(sample)).astype(int) - np.asarray(exact(sample))
    return Conversion(mode, fast if np.abs(difference).max() <= 1 else exact)


def _transform(
    source: ImageCms.ImageCmsProfile, mode: str, flags: ImageCms.Flags
) -> Callable[[Image.Image], Image.Image]:
    target, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL
    transform = ImageCms.buildTransform(source, target, mode, "RGB", intent, flags)

    def apply(image: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(image, transform)
        assert converted is not None  # it is only in place
        return converted

    return apply


def _sample(mode: str) -> Image.Image:
    """Colours of a mode of several channels: greys in the first row, random ones and dark ones below."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    random = np.random.default_rng(0).integers(0, 256, (32, 256, channels), np.uint8)
    random[16:] //= 8
    random[0] = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    return Image.frombytes(mode, (256, 32), random.tobytes())


def _of_gamma(gamma: float, chromaticities: Any) -> Conversion | None:
    exponent = 0.0 if gamma <= 0 or abs(gamma / _SRGB_GAMMA - 1) <= _NEAR else 1 / gamma
    return _of_curve(exponent, tuple(chromaticities) if len(chromaticities) == 8 else _SRGB)


def _of_code_points(primaries: int, transfer: int, full_range: bool) -> Conversion | None:
    if transfer in (16, 18):
        kind = "PQ" if transfer == 16 else "HLG"
        raise ValueError(f"high dynamic range ({kind}), for which no value is known to be white")
    if not full_range:
        raise ValueError("values of narrow range, which are not read")
    if primaries not in _PRIMARIES or transfer not in _EXPONENTS:
        raise ValueError(f"the colour space of code points {primaries} and {transfer}, which is not read")
    return _of_curve(_EXPONENTS[transfer], _PRIMARIES[primaries])


@functools.lru_cache(maxsize=16)
def _of_curve(exponent: float, chromaticities: Chromaticities) -> Conversion | None:
    """For RGB values to the power of an exponent (0: sRGB's curve) in a space with these primaries."""
    try:
        matrix = np.linalg.solve(_to_xyz(_SRGB), _to_xyz(chromaticities)).T.astype(np.float32)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None  # no colour space
    values = np.arange(256) / 255
    table = (values**exponent if exponent else _srgb_to_linear(values)).astype(np.float32)

    def apply(image: Image.Image) -> Image.Image:
        linear = np.clip(table[np.asarray(image)] @ matrix, 0.0, 1.0)
        return Image.fromarray(np.rint(255 * _linear_to_srgb(linear)).astype(np.uint8))

    return _checked(Conversion("RGB", apply))


def _checked(found: Conversion) -> Conversion | None:
    """The conversion with its steepest step, or None if it changes no colour by more than 1."""
    if found.mode not in ("L", "RGB"):
        return found
    sample = _sample("RGB") if found.mode == "RGB" else Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    made = np.asarray(found.apply(sample)).astype(int)
    if np.abs(made - np.asarray(sample.convert("RGB"))).max() <= 1:
        return None
    return found._replace(steepest=int(np.abs(np.diff(made[0], axis=0)).max()))


def _to_xyz(chromaticities: Chromaticities) -> np.ndarray:
    """From linear RGB to XYZ with the white adapted to D65 (Bradford)."""
    points = np.array(chromaticities).reshape(4, 2)
    if (points[:, 1] <= 0).any():
        raise ZeroDivisionError
    xyz = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]  # columns: white, red, ...
    matrix = xyz[:, 1:] * np.linalg.solve(xyz[:, 1:], xyz[:, 0])
    white = np.array([_D65[0], _D65[1], 1 - sum(_D65)]) / _D65[1]
    gain = (_BRADFORD @ white) / (_BRADFORD @ xyz[:, 0])
    return np.linalg.solve(_BRADFORD, gain[:, np.newaxis] * (_BRADFORD @ matrix))


def _srgb_to_linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def _png_chunk(stream: IO[bytes], wanted: bytes) -> bytes:
    """The content of a chunk before the pixels; b"" where there is none."""
    position, found = stream.tell(), b""
    stream.seek(8)
    while len(header := stream.read(8)) == 8:
        size, name = struct.unpack(">I4s", header)
        if name == wanted and size == 4:
            found = stream.read(size)
        if found or name == b"IDAT":
            break
        stream.seek(size + 4, 1)
    stream.seek(position)
    return found
