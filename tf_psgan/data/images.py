"""Decodes and encodes pictures, and scales pixels to [-1, 1]. No other module does.

Pillow is the decoder, with a fixed list of formats. A picture becomes uint8 RGB in sRGB, upright, with 16-bit grey
scaled (not clipped) and transparency composited over BACKGROUND.
"""

import contextlib
import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin

from tf_psgan.data import colour, tiff_layouts
from tf_psgan.data.colour import Conversion
from tf_psgan.data.decode_budget import DecodeBudget, bytes_for
from tf_psgan.data.picture_formats import HEAD, pillow_format
from tf_psgan.errors import PictureError
from tf_psgan.runtime import files

BACKGROUND = (255, 255, 255)
"""Colour behind transparent pixels."""

LIMIT_PIXELS = 400_000_000
"""Largest picture in one file."""

STRIP_PIXELS = 1 << 20
"""Pixels that are converted at a time: of a whole picture only its decoded and its RGB values are held."""

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
_BUDGET = DecodeBudget()


def decode(
    data: bytes | Path,
    limit_pixels: int = LIMIT_PIXELS,
    *,
    managed: bool = True,
    transparent: bool = True,
    name: str = "picture",
) -> np.ndarray:
    """Decodes a picture, or the first frame of an animation.

    Threads share the memory: one waits where all pictures together would take too much.

    Args:
      data: an encoded picture, or the path of one.
      limit_pixels: a larger picture is an error, before any pixel is decoded.
      managed: converts the colours to sRGB. False keeps the stored values, for maps whose colours are labels.
      transparent: composites transparent pixels over BACKGROUND. False takes their colours as they are, for maps whose
        transparency means something else.
      name: of encoded bytes, for errors; its suffix tells formats without a signature.

    Returns:
      uint8 [height, width, 3], upright.

    Raises:
      PictureError: too large, damaged, truncated, or of a format, a layout or a colour space that is not read.
      OSError: the file cannot be opened.
    """
    name = str(data) if isinstance(data, Path) else name
    suffix = PurePath(name).suffix.lower()
    with open(data, "rb") if isinstance(data, Path) else io.BytesIO(data) as stream:
        with _naming(name):
            image = _open(stream, suffix)
        if image.width * image.height > limit_pixels:
            problem = f"{image.height}x{image.width} pixels are more than {limit_pixels}"
            raise PictureError(name, problem, "cut it into smaller pictures", value=(image.height, image.width))
        with image, _naming(name), _BUDGET.reserve(bytes_for(image)):
            conversion = colour.conversion(image, stream) if managed else None
            if _is_deep(image):
                _check_deep(image, conversion)
            ImageOps.exif_transpose(image, in_place=True)
            return _rgb(image, conversion, transparent)


def to_unit(pixels: tf.Tensor) -> tf.Tensor:
    """Scales uint8 0 .. 255 to float32 -1 .. 1, any shape."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0


def to_bytes(pictures: tf.Tensor) -> tf.Tensor:
    """Scales floats -1 .. 1 to uint8 0 .. 255, any shape; rounds half to even and clips."""
    scaled = tf.round((tf.cast(pictures, tf.float32) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)


def write(path: str | Path, picture: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Writes a picture in the format of the suffix, atomically, marked as sRGB.

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
    if suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add(b"sRGB", b"\0")  # 0: perceptual
        for key, value in (text or {}).items():
            options["pnginfo"].add_text(key, value)
    else:
        options["icc_profile"] = colour.srgb_profile()
    if text and suffix != ".png":
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
    tops, lefts = _cells([picture.shape[:2] for picture in pictures], columns, gap)
    page = np.full((tops[-1] - gap, lefts[-1] - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = tops[i // (len(lefts) - 1)], lefts[i % (len(lefts) - 1)]
        page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return page


def sheet_extent(extents: Sequence[tuple[int, ...]], columns: int, gap: int = 4) -> tuple[int, int]:
    """Height and width in pixels of the `sheet` of pictures of these heights and widths."""
    tops, lefts = _cells(extents, columns, gap)
    return int(tops[-1]) - gap, int(lefts[-1]) - gap


def _cells(extents: Sequence[tuple[int, ...]], columns: int, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each row of a sheet's cells, the first column of each of their columns; and their ends."""
    columns = min(columns, len(extents))
    heights = [max(height for height, _ in extents[i : i + columns]) for i in range(0, len(extents), columns)]
    widths = [max(width for _, width in extents[i::columns]) for i in range(columns)]
    tops, lefts = (np.cumsum([0] + [side + gap for side in sides]) for sides in (heights, widths))
    return tops, lefts


def _open(stream: IO[bytes], suffix: str) -> Image.Image:
    kind = pillow_format(stream.read(HEAD), suffix)
    stream.seek(0)
    if kind == "TIFF":
        tiff_layouts.check(stream)
    # Pillow's own limit is a global that warns at 89 and fails at 179 megapixels; `limit_pixels` replaces it.
    with _OPENING:
        pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream, formats=(kind,))
        except Image.UnidentifiedImageError:
            raise ValueError(f"a damaged {kind} file, or a variant that is not read") from None
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit


def _is_deep(image: Image.Image) -> bool:
    """Whether a picture, opened and not decoded, has 16 bits per channel."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 16 in np.atleast_1d(image.tag_v2.get(258, 1))
    return image.mode.startswith("I;16") or any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _check_deep(image: Image.Image, conversion: Conversion | None) -> None:
    """Raises ValueError for 16-bit values that would lose what is seen when 8 bits are kept."""
    if conversion and conversion.steepest > colour.STEEPEST:
        raise ValueError("16-bit values of linear light, of which only 8 bits are read")
    if image.format == "TIFF":
        is_grey = image.mode.startswith("I;16")
        most = np.asarray(image).max() if is_grey else np.max(image.getextrema())
        if 0 < most <= (4095 if is_grey else 15):  # of RGB, Pillow keeps the high bytes
            raise ValueError(
                "16-bit values that use 12 bits at most and would be nearly black; scale them to all 16 bits"
            )


def _rgb(image: Image.Image, conversion: Conversion | None, transparent: bool) -> np.ndarray:
    """A decoded picture as uint8 [height, width, 3], strip by strip."""
    if image.mode in ("I", "F") and (image.mode == "F" or image.format != "PPM"):
        raise ValueError("with 32 bits per channel no value is known to be white")
    width, height = image.size
    page = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    values = np.asarray(image) if image.mode.startswith("I") else None  # Pillow cannot cut all of these modes
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        if values is None:
            page[part] = _strip(image.crop((0, top, width, part.stop)), conversion, transparent)
        else:
            clear = image.info.get("transparency", -1) if transparent else -1
            page[part] = _deep_grey(values[part], clear, conversion)
    return page


def _deep_grey(values: np.ndarray, transparent: int, conversion: Conversion | None) -> np.ndarray:
    """16-bit grey [height, width]. Pillow's own conversion clips: nearly every value would turn white."""
    grey = (values.astype(np.uint32) + 128) // 257
    strip = np.array(_in_srgb(Image.fromarray(grey.astype(np.uint8)), conversion))
    strip[values == transparent] = BACKGROUND
    return strip


def _strip(image: Image.Image, conversion: Conversion | None, transparent: bool) -> np.ndarray:
    if image.mode == "La":
        image = image.convert("LA")
    if not (transparent and image.has_transparency_data):
        return np.asarray(_in_srgb(image, conversion))
    layer = image.convert("RGBA")
    if conversion:
        colours = _in_srgb(image if conversion.mode == "L" else layer, conversion)
        colours.putalpha(layer.getchannel("A"))
        layer = colours
    return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, BACKGROUND), layer).convert("RGB"))


def _in_srgb(image: Image.Image, conversion: Conversion | None) -> Image.Image:
    """An opaque picture as RGB."""
    mode = conversion.mode if conversion else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    return conversion.apply(image) if conversion else image


@contextlib.contextmanager
def _naming(name: str, remedy: str = "save it again as an 8-bit PNG, or remove it") -> Iterator[None]:
    """Turns every error of a codec into a PictureError."""
    try:
        yield
    except Exception as error:  # for damaged files Pillow raises SyntaxError, struct.error, KeyError and many more
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(name, reason.rstrip("."), remedy) from None
