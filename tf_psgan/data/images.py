"""Decodes and encodes pictures, and scales pixels to [-1, 1]. No other module does.

Pillow is the decoder, with a fixed list of formats. A picture becomes uint8 RGB, upright, with 16-bit grey scaled (not
clipped) and transparency composited over BACKGROUND.
"""

import contextlib
import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, PngImagePlugin

from tf_psgan.errors import PictureError
from tf_psgan.runtime import files

BACKGROUND = (255, 255, 255)
"""Colour behind transparent pixels."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
LIMIT_PIXELS = 400_000_000
"""Largest picture in one file."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm")

_WRITERS: dict[str, dict[str, Any]] = {
    # Compression level 1: textures hardly compress, and higher levels take ten times as long.
    ".png": {"format": "PNG", "compress_level": 1},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
}
WRITTEN = tuple(_WRITERS)
"""Suffixes that `write` can write."""

_OPENING = threading.Lock()


def decode(data: bytes | Path, limit_pixels: int = LIMIT_PIXELS) -> np.ndarray:
    """Decodes a picture, or the first frame of an animation.

    Args:
      data: an encoded picture, or the path of one.
      limit_pixels: a larger picture is an error, before any pixel is decoded.

    Returns:
      uint8 [height, width, 3], upright.

    Raises:
      PictureError: too large, damaged, truncated, of an unknown format, or of 32 bits per channel.
      OSError: the file cannot be opened.
    """
    name = str(data) if isinstance(data, Path) else "picture"
    with open(data, "rb") if isinstance(data, Path) else io.BytesIO(data) as stream:
        with _naming(name):
            image = _open(stream)
        if image.width * image.height > limit_pixels:
            problem = f"{image.height}x{image.width} pixels are more than {limit_pixels}"
            raise PictureError(name, problem, "cut it into smaller pictures", value=(image.height, image.width))
        with image, _naming(name):
            ImageOps.exif_transpose(image, in_place=True)
            return _rgb(image)


def to_unit(pixels: tf.Tensor) -> tf.Tensor:
    """Scales uint8 0 .. 255 to float32 -1 .. 1, any shape."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0


def to_bytes(pictures: tf.Tensor) -> tf.Tensor:
    """Scales floats -1 .. 1 to uint8 0 .. 255, any shape; rounds half to even and clips."""
    scaled = tf.round((tf.cast(pictures, tf.float32) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)


def write(path: str | Path, picture: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Writes a picture in the format of the suffix, atomically.

    Args:
      path: ends in .png, .jpg, .jpeg or .webp.
      picture: uint8 [height, width, 3].
      text: kept in PNG text chunks, or as JSON in the EXIF ImageDescription of JPEG and WebP.

    Raises:
      PictureError: another suffix, or a picture or text too large for the format.
      OSError: the file cannot be written.
    """
    suffix = check_suffix(path)
    options = dict(_WRITERS[suffix])
    if text and suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for key, value in text.items():
            options["pnginfo"].add_text(key, value)
    elif text:
        options["exif"] = Image.Exif()
        options["exif"][0x010E] = json.dumps(dict(text))
    encoded = io.BytesIO()
    with _naming(str(path), "use .png, or a smaller picture or text"):
        Image.fromarray(picture).save(encoded, **options)
    files.write(path, encoded.getbuffer())


def check_suffix(path: str | Path) -> str:
    """The suffix of a path, in lower case.

    Raises:
      PictureError: `write` cannot write it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise PictureError(str(path), f"cannot write the suffix {suffix!r}", f"use one of {', '.join(_WRITERS)}")
    return suffix


def write_png(path: str | Path, picture: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """`write` for PNG only; any other suffix is a PictureError."""
    if Path(path).suffix.lower() != ".png":
        raise PictureError(str(path), "not the name of a PNG", "let it end in .png")
    write(path, picture, text)


def sheet(pictures: Sequence[np.ndarray], columns: int, gap: int = 4) -> np.ndarray:
    """A contact sheet on white: pictures row by row, each at the top left of its cell.

    Args:
      pictures: uint8 [height, width, 3], of any sizes.
      columns: cells per row; a column is as wide as its widest picture, a row as high as its highest.
      gap: pixels between cells.
    """
    columns = min(columns, len(pictures))
    heights = [max(p.shape[0] for p in pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    widths = [max(p.shape[1] for p in pictures[i::columns]) for i in range(columns)]
    tops = np.cumsum([0] + [height + gap for height in heights])
    lefts = np.cumsum([0] + [width + gap for width in widths])
    page = np.full((tops[-1] - gap, lefts[-1] - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = tops[i // columns], lefts[i % columns]
        page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return page


def _open(stream: IO[bytes]) -> Image.Image:
    # Pillow's own limit is a global that warns at 89 and fails at 179 megapixels; `limit_pixels` replaces it.
    with _OPENING:
        pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream, formats=FORMATS)
        except Image.UnidentifiedImageError:
            raise ValueError(f"not a picture, or none of {', '.join(FORMATS)}") from None
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        # Pillow's own conversion clips: nearly every 16-bit pixel would turn white.
        values = np.asarray(image).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)
        page = np.repeat(grey[..., np.newaxis], 3, axis=-1)
        page[values == image.info.get("transparency", -1)] = BACKGROUND
        return page
    if image.mode in ("I", "F"):
        raise ValueError("with 32 bits per channel no value is known to be white")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image.convert("RGBA"))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


@contextlib.contextmanager
def _naming(name: str, remedy: str = "save it again as an 8-bit PNG, or remove it") -> Iterator[None]:
    """Turns every error of a codec into a PictureError."""
    try:
        yield
    except Exception as error:  # for damaged files Pillow raises SyntaxError, struct.error, KeyError and many more
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(name, reason.rstrip("."), remedy) from None
