"""A view that costs nothing, and large pictures of it small enough for a test."""

import hashlib
import threading

import numpy as np

from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster import writer as raster_writer

SIDE = 16
IDENTITY = {"seed": "3", "texture": "brick"}
NAMES = ("a.tif", "a.zarr", "a.dzi")


def view(top, left, height, width):
    """A colour that follows from the place alone."""
    rows, cols = np.mgrid[top : top + height, left : left + width].astype(np.uint64)
    mixed = (rows * 2654435761 + cols * 40503) ^ (rows * cols)
    return np.stack([mixed % 251, (mixed >> 8) % 256, cols % 256], axis=-1).astype(np.uint8)


class Watched:
    """`view`, noting where it was asked; `at` a call of that number does something else first."""

    def __init__(self, at=-1, act=lambda: None):
        self.places, self.at, self.act, self.lock = [], at, act, threading.Lock()

    def __call__(self, top, left, height, width):
        with self.lock:
            self.places.append((top // SIDE, left // SIDE))
            now = len(self.places) == self.at
        if now:
            self.act()
        return view(top, left, height, width)


def write(out, height, width, shown=view, identity=IDENTITY):
    raster_writer.write(out, shown, height, width, identity, side=SIDE)


def levels(height, width, smallest=SIDE):
    """What every level is to show."""
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
    return [path.name for path in out.parent.iterdir() if path not in (out, out.with_name(f"{out.stem}_files"))]
