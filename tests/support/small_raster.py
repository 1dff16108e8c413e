"""A view that is cheap to compute, and pictures of it in small blocks."""

import hashlib
import threading

import numpy as np

from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster import writer as raster_writer

SIDE = 16
IDENTITY = {"seed": "3", "texture": "brick"}
NAMES = ("a.tif", "a.zarr", "a.dzi")


def view(top, left, height, width):
    """A colour that depends on the position alone."""
    rows, cols = np.mgrid[top : top + height, left : left + width].astype(np.uint64)
    mixed = (rows * 2654435761 + cols * 40503) ^ (rows * cols)
    return np.stack([mixed % 251, (mixed >> 8) % 256, cols % 256], axis=-1).astype(np.uint8)


class Watched:
    """`view` that records the blocks it computed; the call with the number `at` calls `act` first."""

    def __init__(self, at=-1, act=lambda: None):
        self.blocks, self.at, self.act, self.lock = [], at, act, threading.Lock()

    def __call__(self, top, left, height, width):
        with self.lock:
            self.blocks.append((top // SIDE, left // SIDE))
            now = len(self.blocks) == self.at
        if now:
            self.act()
        return view(top, left, height, width)


def write(out, height, width, shown=view, identity=IDENTITY):
    raster_writer.write(out, shown, height, width, identity, side=SIDE)


def levels(height, width, smallest=SIDE):
    """The expected pixels of every level."""
    found = [view(0, 0, height, width)]
    for _ in pyramid.extents(height, width, smallest)[1:]:
        found.append(pyramid.halved(found[-1]))
    return found


def digest(out):
    """A hash of a picture's files and their names."""
    files = [out] if out.is_file() else []
    for folder in (out, out.with_name(f"{out.stem}_files")):
        files += sorted(path for path in folder.rglob("*") if path.is_file())
    total = hashlib.sha256()
    for file in files:
        total.update(str(file.relative_to(out.parent)).encode() + file.read_bytes())
    return total.hexdigest()


def left_behind(out):
    """Names beside a picture that do not belong to it."""
    return [path.name for path in out.parent.iterdir() if path not in (out, out.with_name(f"{out.stem}_files"))]
