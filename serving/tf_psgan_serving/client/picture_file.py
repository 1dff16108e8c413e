"""One picture from a server, written to a file: the work of the command `psgan-client`."""

import argparse
import asyncio
import os
import re
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms

from tf_psgan_serving.client.async_client import AsyncClient
from tf_psgan_serving.client.channels import Tls, late
from tf_psgan_serving.client.partial import path_for
from tf_psgan_serving.client.views import Encoding, Limits, Morph, Tile, Window

ENCODINGS: dict[str, Encoding] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
MAX_PIXELS = 400_000_000
MAX_JPEG_SIDE = 65535

MAX_ENCODED_PIXELS = 2**20
"""Pictures up to this size are encoded by the server in one request; larger ones are requested in pieces."""

_SAVE_OPTIONS = {"PNG": {"compress_level": 1}, "JPEG": {"quality": 95, "subsampling": 0}}


async def write(arguments: argparse.Namespace) -> Path:
    """Requests the picture and writes it; the path.

    The finished pieces of a large picture are kept beside it until it is written, and a later call continues with them.

    Args:
      arguments: the parsed flags of `psgan-client`.

    Raises:
      ValueError: the flags do not fit together.
      ServingError: the server's failure.
      OSError: the file cannot be written.
    """
    view, encoding = _view(arguments), _encoding(arguments.out, arguments.height, arguments.width)
    encrypt = arguments.tls or arguments.tls_ca or arguments.tls_cert or arguments.tls_key
    tls = Tls(arguments.tls_ca, arguments.tls_cert, arguments.tls_key) if encrypt else None
    settings = {
        name: getattr(arguments, name)
        for name in ("timeout", "retries", "parallel", "version", "deadline", "reconnect")
    }
    client = AsyncClient(arguments.server, arguments.model, tls=tls, **settings)
    try:
        async with asyncio.timeout(arguments.deadline), client:
            content = await _content(client, view, encoding, path_for(arguments.out))
    except TimeoutError:
        raise late(arguments.server, arguments.deadline) from None
    _write_atomically(arguments.out, content)
    path_for(arguments.out).unlink(missing_ok=True)
    return arguments.out


async def _content(
    client: AsyncClient, view: Window | Tile | Morph, encoding: Encoding, partial: Path
) -> bytes | memoryview:
    """The content of the file."""
    limits = Limits.from_description(await client.describe())
    small = view.height * view.width <= MAX_ENCODED_PIXELS and limits.allow(view.height, view.width)
    if small or isinstance(view, Tile):
        return await client.encoded(view, encoding)
    pixels, buffer = await client.large(view, partial=partial), BytesIO()
    Image.fromarray(pixels).save(
        buffer, encoding.upper(), icc_profile=_srgb_profile(), **_SAVE_OPTIONS[encoding.upper()]
    )
    return buffer.getbuffer()


def _srgb_profile() -> bytes:
    """An ICC profile of sRGB without its time and its digest, so that the same picture has the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36], profile[84:100] = bytes(12), bytes(16)
    return bytes(profile)


def _view(arguments: argparse.Namespace) -> Window | Tile | Morph:
    size = {"height": arguments.height, "width": arguments.width}
    position = {"top": arguments.top, "left": arguments.left}
    if arguments.tile and (arguments.morph or any(position.values())):
        other = "morph" if arguments.morph else "top" if arguments.top else "left"
        raise ValueError(f"tile: excludes --{other}; leave one out.")
    if arguments.tile:
        return Tile(seed=arguments.seed, texture=arguments.texture, **size)
    if not arguments.morph:
        return Window(seed=arguments.seed, texture=arguments.texture, **position, **size)
    corners = re.fullmatch(r"([+-]?\d+),([+-]?\d+)/([+-]?\d+),([+-]?\d+)", arguments.morph.replace(" ", ""))
    if not corners:
        raise ValueError(f"morph: {arguments.morph!r} is not four textures; write the corners as 1,7/9,30.")
    if any(position.values()):
        raise ValueError("morph: excludes --top and --left, because the blend starts at the picture's corner.")
    return Morph.whole(**size, textures=[int(text) for text in corners.groups()], seed=arguments.seed)


def _encoding(out: Path, height: int, width: int) -> Encoding:
    """The encoding of a file; ValueError, before any request, if the picture cannot be written."""
    if out.suffix.lower() not in ENCODINGS:
        raise ValueError(f"{out}: unknown suffix {out.suffix!r}; use one of {', '.join(ENCODINGS)}.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: the folder {out.parent} does not exist; create it or correct --out.")
    if height * width > MAX_PIXELS:
        raise ValueError(f"height, width: {height}x{width} are more than {MAX_PIXELS} pixels; lower them.")
    encoding = ENCODINGS[out.suffix.lower()]
    if encoding == "jpeg" and max(height, width) > MAX_JPEG_SIDE:
        raise ValueError(f"{out}: a JPEG has at most {MAX_JPEG_SIDE} pixels a side; use .png, or lower the size.")
    return encoding


def _write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Writes and syncs a temporary file in the same folder, renames it, and syncs the folder."""
    temporary = path.with_name(f".tf-psgan-{os.getpid()}.tmp")  # short: a long name plus a suffix may not be allowed
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
        folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
