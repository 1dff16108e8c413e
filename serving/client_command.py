"""The client as a command: one picture file from a server.

A user's mistake prints one line that names the thing, its value and the remedy, and exits with
2; a server's or the machine's failure with 1.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NoReturn

from PIL import Image

from serving.async_client import AsyncClient
from serving.channels import Tls
from serving.views import Encoding, Limits, Morph, Torus, View, Window
from serving.wire import Error

KINDS: dict[str, Encoding] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
MOST_PIXELS = 400_000_000
JPEG_SIDE = 65535

PASSED_PIXELS = 2**20
"""Pictures up to this size are the server's own file; larger ones come in pieces, several at a time."""

USERS = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED")
"""Status codes that a server gives to a wrong request."""

_OPTIONS = {"PNG": {"compress_level": 1}, "JPEG": {"quality": 95, "subsampling": 0}}


def main(arguments: Sequence[str]) -> int:
    """Makes the picture and prints its path; the exit code."""
    try:
        asked = _parser().parse_args(arguments)
        print(asyncio.run(_make(asked)), flush=True)
        return 0
    except KeyboardInterrupt:
        return _fail("stopped by the keyboard.", 130)
    except Error as error:
        return _fail(str(error), 2 if error.code in USERS else 1)
    except ValueError as error:
        return _fail(str(error), 2)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}." if error.filename else str(error), 1)
    except MemoryError:
        return _fail("not enough memory; ask for a smaller picture.", 1)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists all flags)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m serving.client", description="Makes a picture by a server of exported models.",
                     allow_abbrev=False)  # fmt: skip
    add = parser.add_argument
    add("--server", default="localhost:8500", metavar="HOST:PORT", help="its gRPC address (default: %(default)s)")
    add("--model", required=True, help="the model's name on the server")
    add("--version", type=int, default=0, help="of the model (default: the newest)")
    add("--out", required=True, type=Path, help="the file to write, .png or .jpg")
    add("--height", type=int, default=512, help="in pixels (default: %(default)s)")
    add("--width", type=int, default=512, help="in pixels (default: %(default)s)")
    add("--top", type=int, default=0, help="the first row on the plane, any whole number (default: %(default)s)")
    add("--left", type=int, default=0, help="the first column on the plane (default: %(default)s)")
    add("--seed", type=int, default=0, help="which plane (default: %(default)s)")
    add("--texture", type=int, default=0, help="which texture of a model that holds many (default: %(default)s)")
    add("--torus", action="store_true", help="an exact tile, which repeats without a seam")
    add("--morph", default="", metavar="A,B/C,D", help="blend four textures over the picture, as in 1,7/9,30")
    add("--parallel", type=int, default=4, help="requests at a time for a large picture (default: %(default)s)")
    add("--timeout", type=float, default=30.0, help="seconds for one try of a request (default: %(default)s)")
    add("--retries", type=int, default=5, help="further tries where the server is away, full or late "
        "(default: %(default)s)")  # fmt: skip
    add("--tls", action="store_true", help="encrypt, and trust the public authorities")
    add("--tls_ca", type=Path, metavar="FILE", help="encrypt, and trust the certificates in this PEM file")
    add("--tls_cert", type=Path, metavar="FILE", help="encrypt, and show this certificate to the server (PEM)")
    add("--tls_key", type=Path, metavar="FILE", help="the key of --tls_cert (PEM)")
    return parser


async def _make(asked: argparse.Namespace) -> Path:
    view, kind = _view(asked), _kind(asked.out, asked.height, asked.width)
    secure = asked.tls or asked.tls_ca or asked.tls_cert or asked.tls_key
    tls = Tls(asked.tls_ca, asked.tls_cert, asked.tls_key) if secure else None
    settings = {name: getattr(asked, name) for name in ("timeout", "retries", "parallel", "version")}
    async with AsyncClient(asked.server, asked.model, tls=tls, **settings) as client:
        limits = Limits.read(await client.describe())
        small = view.height * view.width <= PASSED_PIXELS and limits.admit(view.height, view.width)
        if small or isinstance(view, Torus):
            content: bytes | memoryview = await client.encoded(view, kind)
        else:
            encoded = BytesIO()
            Image.fromarray(await client.large(view)).save(encoded, kind.upper(), **_OPTIONS[kind.upper()])
            content = encoded.getbuffer()
    _write(asked.out, content)
    return asked.out


def _view(asked: argparse.Namespace) -> View:
    if asked.torus and (asked.morph or asked.top or asked.left):
        other = "morph" if asked.morph else "top" if asked.top else "left"
        raise ValueError(f"torus: --{other} does not go with an exact tile; leave one out.")
    if asked.torus:
        return Torus(asked.seed, asked.texture, asked.height, asked.width)
    if not asked.morph:
        return Window(asked.seed, asked.texture, asked.top, asked.left, asked.height, asked.width)
    corners = re.fullmatch(r"([+-]?\d+),([+-]?\d+)/([+-]?\d+),([+-]?\d+)", asked.morph.replace(" ", ""))
    if not corners:
        raise ValueError(f"morph: {asked.morph!r} is not four textures; write the corners as 1,7/9,30.")
    if asked.top or asked.left:
        raise ValueError("morph: the blend begins at the picture's corner; leave --top and --left out.")
    return Morph.whole(asked.seed, [int(text) for text in corners.groups()], asked.height, asked.width)


def _kind(out: Path, height: int, width: int) -> Encoding:
    """What to write; ValueError where that cannot be done, before anything is asked of a server."""
    if out.suffix.lower() not in KINDS:
        raise ValueError(f"{out}: cannot write the suffix {out.suffix!r}; use one of {', '.join(KINDS)}.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: the folder {out.parent} is missing; make it or correct --out.")
    if height * width > MOST_PIXELS:
        raise ValueError(f"height, width: {height}x{width} are more than {MOST_PIXELS} pixels; ask for less.")
    kind = KINDS[out.suffix.lower()]
    if kind == "jpeg" and max(height, width) > JPEG_SIDE:
        raise ValueError(f"{out}: a JPEG's sides end at {JPEG_SIDE} pixels; use .png, or ask for less.")
    return kind


def _write(path: Path, content: bytes | memoryview) -> None:
    """Writes and syncs a file under a temporary name beside `path`, then moves it there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _fail(message: str, code: int) -> int:
    print(f"error: {' '.join(message.split())[:600]}", file=sys.stderr, flush=True)
    return code
