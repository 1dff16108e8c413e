"""Compares decoded pictures with those of libvips, another decoder with colour management, over a folder of any files.

  python -m benchmarks.reliability.wild_pictures FOLDER --out=found.csv

A file is `same` if the mean of the absolute differences of 8-bit values is at most WITHIN, `different` if it is more,
`unread` if only libvips reads it, `only here` if only this project does, and `neither`. Needs `pyvips[binary]`.
"""

import argparse
import collections
import csv
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pyvips

from tf_psgan.data import images, picture_formats
from tf_psgan.errors import PictureError

WITHIN = 1.5
MOST_PIXELS = 30_000_000
SECONDS = 60


def reference(path: Path) -> np.ndarray:
    """The picture as libvips shows it: upright, in sRGB with the perceptual intent, over white; uint8 [h, w, 3]."""
    found = pyvips.Image.new_from_file(str(path), fail_on="error")
    if found.width * found.height > MOST_PIXELS:
        raise ValueError("too large for this comparison")
    found = found.autorot()
    if found.get_typeof("icc-profile-data"):
        found = found.icc_transform("srgb", embedded=True, intent="perceptual")
    found = found.colourspace("srgb")
    if found.hasalpha():
        found = found.flatten(background=255)
    found = found.cast("uchar")
    pixels = found.numpy().reshape(found.height, found.width, found.bands)
    return pixels[..., :3] if found.bands >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)


def compared(path: Path) -> tuple[str, str, str]:
    """What became of a file: the class, a number or a reason, and the format."""
    with open(path, "rb") as stream:
        kind = picture_formats.format_of(stream.read(picture_formats.HEAD), path.suffix.lower())
    ours, reason = None, ""
    signal.alarm(SECONDS)
    try:
        ours = images.decode(path, MOST_PIXELS)
    except PictureError as error:
        reason = error.problem
    signal.alarm(SECONDS)
    try:
        theirs = reference(path)
    except Exception as error:
        return ("neither" if ours is None else "only here"), reason or str(error).splitlines()[0], kind
    finally:
        signal.alarm(0)
    if ours is None:
        return "unread", reason, kind
    if ours.shape != theirs.shape:
        return "different", f"{ours.shape} and {theirs.shape}", kind
    difference = np.abs(ours.astype(np.int16) - theirs).mean()
    return ("same" if difference <= WITHIN else "different"), f"{difference:.2f}", kind


def main() -> None:
    """Compares, writes a line a file, and prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_slow)
    paths = sorted(Path(parent, name) for parent, _, names in os.walk(options.folder) for name in names)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    with options.out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        for path in paths:
            found, value, kind = compared(path)
            counts[kind or "no picture", found] += 1
            writer.writerow([found, kind, value, path.relative_to(options.folder)])
            stream.flush()
    for (kind, found), count in sorted(counts.items()):
        print(f"{kind:<16} {found:<10} {count}")
    print(f"{sum(counts.values())} files", file=sys.stderr)


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"took more than {SECONDS} seconds")


if __name__ == "__main__":
    main()
