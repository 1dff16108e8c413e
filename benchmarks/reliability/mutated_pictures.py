"""Decodes damaged pictures of every format: each is either pixels or one line that names the file.

  python -m benchmarks.reliability.mutated_pictures --count=10000

Small pictures are made in every format and layout, and their bytes are damaged at random: flipped, overwritten with
extreme values, cut off, removed, repeated, or mixed with those of another picture. Each batch runs in a process of its
own, so that a crash or a hang of a codec is seen and counted.
"""

import argparse
import collections
import concurrent.futures
import io
import multiprocessing
import signal
import warnings
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import tifffile
from PIL import Image, ImageCms

from tf_psgan.data import images
from tf_psgan.errors import PictureError

BATCH = 1000
SECONDS = 20
MOST_PIXELS = 4_000_000  # a damaged header may ask for much more


def originals() -> list[bytes]:
    """Small pictures in every format that is written, with and without profiles, alpha, palettes and compression."""
    random = np.random.default_rng(0)
    rgba = Image.fromarray(random.integers(0, 256, (40, 48, 4), np.uint8))
    rgb, grey, deep = (
        rgba.convert("RGB"),
        rgba.convert("L"),
        Image.fromarray(random.integers(0, 65536, (40, 48), np.uint16)),
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = []
    for picture, kind, options in (
        *((picture, "PNG", {}) for picture in (rgba, rgb, grey, deep, rgb.quantize(8), grey.convert("1"))),
        (rgb, "PNG", {"icc_profile": profile}),
        *((picture, "JPEG", {}) for picture in (rgb, grey, rgb.convert("CMYK"))),
        (rgb, "JPEG", {"progressive": True, "icc_profile": profile}),
        *((picture, "WEBP", {"lossless": lossless}) for picture in (rgb, rgba) for lossless in (False, True)),
        *((rgb, kind, {}) for kind in ("BMP", "DIB", "GIF", "PPM", "TGA", "JPEG2000", "AVIF")),
        *((grey, kind, {}) for kind in ("BMP", "GIF", "PPM", "JPEG2000")),
        *((rgb, "TIFF", {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        *((picture, "TIFF", {}) for picture in (rgba, grey, deep, rgb.convert("CMYK"), rgb.convert("YCbCr"))),
    ):
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        found.append(stream.getvalue())
    for layout in ({"tile": (16, 16)}, {"planarconfig": "separate"}, {"bigtiff": True}, {"byteorder": ">"}):
        stream = io.BytesIO()
        pixels = np.moveaxis(np.asarray(rgb), -1, 0) if "planarconfig" in layout else np.asarray(rgb)
        tifffile.imwrite(stream, pixels, photometric="rgb", metadata=None, **layout)
        found.append(stream.getvalue())
    return found


def mutated(data: bytes, other: bytes, random: np.random.Generator) -> bytes:
    """A picture with one to eight damages."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 9)):
        # Half of the damages are in the first bytes, where the headers are.
        at = int(random.integers(0, min(len(changed), 200) if random.random() < 0.5 else len(changed)))
        length = int(random.integers(1, 17))
        match random.integers(0, 6):
            case 0:
                changed[at] ^= 1 << int(random.integers(0, 8))
            case 1:
                extreme = (b"\0", b"\xff", b"\x7f", b"\x80")[random.integers(0, 4)]
                changed[at : at + length] = extreme * len(changed[at : at + length])
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                changed[at : at + length] = other[at : at + length]
            case 5:
                if random.random() < 0.2:
                    del changed[at:]
        if not changed:
            return b""
    return bytes(changed)


def batch(number: int) -> collections.Counter[str]:
    """Decodes the damaged pictures of a batch; the counts of what became of them."""
    warnings.simplefilter("ignore")
    random, found = np.random.default_rng(number), originals()
    counts: collections.Counter[str] = collections.Counter()
    for _ in range(BATCH):
        first, second = random.integers(0, len(found), 2)
        data = mutated(found[first], found[second], random)
        signal.alarm(SECONDS)
        try:
            pixels = images.decode(data, MOST_PIXELS)
            assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
            counts["pixels"] += 1
        except PictureError as error:
            counts["several lines" if "\n" in str(error) else "one line"] += 1
        except Exception as error:
            counts[f"other error: {error!r:.200}"] += 1
        signal.alarm(0)
    return counts


def main() -> None:
    """Prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10000)
    options = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    for number in range(-(-options.count // BATCH)):
        # spawn: a fork of a process with TensorFlow may hang.
        with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            try:
                counts += pool.submit(batch, number).result()
            except BrokenProcessPool:
                counts[f"process ended in batch {number}"] += 1
    for what, count in counts.most_common():
        print(f"{count:>8} {what}")


if __name__ == "__main__":
    main()
