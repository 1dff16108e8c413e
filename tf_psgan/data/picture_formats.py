"""Which files are pictures, by their first bytes and their suffixes, and how Pillow calls the formats that are read."""

import os
import re
import stat
from pathlib import PurePath

from PIL import features

HEAD = 64
"""First bytes of a file that tell its format."""

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".j2k", ".avif", ".heic", ".heif"),
)
"""Suffixes of the formats that are read."""

RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef")
"""Suffixes of raw photographs. Some are TIFF files whose first picture is a thumbnail."""

_UNREAD_SUFFIXES = {
    ".psd": "Photoshop",
    ".exr": "OpenEXR",
    ".jxl": "JPEG XL",
    ".qoi": "QOI",
    ".dds": "DDS",
    ".svg": "SVG",
    ".xcf": "GIMP",
}
_SIGNATURES = (
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("JPEG", rb"\xff\xd8\xff"),
    ("WEBP", rb"RIFF.{4}WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("BMP", rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("PPM", rb"P[1-6f]\s+[#\d]"),
    ("JPEG2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("AVIF", rb".{4}ftyp.*avi[fs]"),
    ("HEIF", rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)"),
    ("Photoshop", rb"8BPS"),
    ("OpenEXR", rb"\x76\x2f\x31\x01"),
    ("Radiance HDR", rb"#\?R(ADIANCE|GBE)"),
    ("JPEG XL", rb"\0\0\0\x0cJXL "),
    ("QOI", rb"qoif"),
    ("DDS", rb"DDS "),
    ("SVG", rb"\s*(<\?xml[^>]*>\s*)?<svg"),
    ("GIMP", rb"gimp xcf"),
)
_READ = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "HEIF", "TGA", "DIB")
_NAMES = "PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, TGA, JPEG 2000, AVIF or HEIC"


def format_of(head: bytes, suffix: str = "") -> str:
    """The format of a file, as Pillow calls it if it is read; "" for a file that is no picture.

    Args:
      head: its first HEAD bytes.
      suffix: of its name, in lower case. It decides where the bytes do not: TGA and DIB have no signature, and raw
        photographs look like TIFF.
    """
    if suffix in RAW_SUFFIXES:
        return "raw photograph"
    for name, signature in _SIGNATURES:
        if re.match(signature, head, re.DOTALL):
            return name
    return {".tga": "TGA", ".dib": "DIB", **_UNREAD_SUFFIXES}.get(suffix, "")


def pillow_format(head: bytes, suffix: str = "") -> str:
    """The only format that Pillow should try, ready to be read. Arguments as for `format_of`.

    Raises:
      ValueError: no picture, a format that is not read, or one that a missing package reads; the reason.
    """
    found = format_of(head, suffix)
    if not found:
        raise ValueError(f"not a picture, or none of {_NAMES}")
    if found not in _READ:
        raise ValueError(f"a {found}, which is not read" if "photo" in found else f"{found}, which is not read")
    if found == "HEIF":
        _add_heif()
    if found in ("AVIF", "WEBP") and not features.check(found.lower()):
        raise ValueError(f"{found}, which this installation of Pillow does not read")
    return found


def is_picture(path: str) -> bool:
    """Whether a file is a picture by its suffix or its first bytes, read or not. Never opens what is not a file."""
    suffix = PurePath(path).suffix.lower()
    if suffix in SUFFIXES or suffix in RAW_SUFFIXES or suffix in _UNREAD_SUFFIXES:
        return True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would block
            return False
        with open(path, "rb") as stream:
            return bool(format_of(stream.read(HEAD)))
    except OSError:
        return False


def _add_heif() -> None:
    """Adds the format to Pillow, which does not read it itself."""
    try:
        import pillow_heif
    except ImportError:
        raise ValueError("HEIC, which needs the package pillow-heif (pip install 'tf_psgan[heic]')") from None
    pillow_heif.register_heif_opener()
