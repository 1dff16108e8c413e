"""Moving pictures: frames, as they are made, into a file that loops.

What the kinds of files cost, for 256 x 256 pixels of a honeycomb, drifting or changing: GIF 65 KiB a
frame at 36 dB, WebP 27 KiB at 37 dB, MP4 2 to 4 KiB at 34 dB.
"""

import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from tf_psgan.data import images
from tf_psgan.rendering.animation import encoders
from tf_psgan.runtime import files
from tf_psgan.runtime.progress import Progress

SLOWEST = 0.1
"""Frames a second, at least."""


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A kind of file: its writer, its longest side in pixels, and its highest rate in frames a second."""

    write: Callable[[Path, Iterator[np.ndarray], int, Fraction, str], None]
    longest: int
    fastest: int


_KINDS = {
    ".webp": _Kind(encoders.webp, 16383, 90),  # browsers show a frame of 10 ms or less for 100
    ".gif": _Kind(encoders.gif, 65535, 50),  # and so one of 10 ms in a GIF, which counts in hundredths of a second
    ".mp4": _Kind(encoders.mp4, 16384, 240),
}
SUFFIXES = tuple(_KINDS)


def check(out: Path, count: int, height: int, width: int, frames_per_second: float) -> None:
    """Raises ValueError for a moving picture that `write` cannot make, before work is lost on it."""
    kind = _KINDS.get(out.suffix.lower())
    if kind is None:
        raise ValueError(f"{out}: cannot animate the suffix {out.suffix!r}; use one of {', '.join(SUFFIXES)}.")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{out}: the folder {out.parent} is missing; make it or correct --out.")
    if out.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{out}: is a folder, or in one that may not be written to; correct --out.")
    if count < 2:
        raise ValueError(f"frames: {count} do not move; give 2 at least.")
    if not SLOWEST <= frames_per_second <= kind.fastest:
        raise ValueError(
            f"frames_per_second: {frames_per_second:g} is outside {SLOWEST} .. {kind.fastest}, what a "
            f"{out.suffix} can show; choose a value inside{'' if kind is _KINDS['.mp4'] else ' or another suffix'}."
        )
    extent = f"height, width: {height}x{width} pixels"
    if min(height, width) < 1 or max(height, width) > kind.longest:
        raise ValueError(f"{extent}, but the sides of a {out.suffix} have 1 to {kind.longest}; choose others.")
    if height * width > images.LIMIT_PIXELS:
        raise ValueError(f"{extent} are more than {images.LIMIT_PIXELS}; make smaller frames.")
    if kind is _KINDS[".mp4"]:
        _check_mp4(out, height, width)


def write(
    out: Path,
    frames: Iterable[np.ndarray],
    count: int,
    frames_per_second: float,
    identity: Mapping[str, str],
    *,
    progress: bool = False,
) -> None:
    """Writes a moving picture in the format that the suffix names; a reader sees the old file or the new one.

    Frames are taken one at a time, so that memory does not grow with their number.

    Args:
      out: ends in .webp, .gif or .mp4.
      frames: uint8 [height, width, 3] each, of one extent.
      count: how many there are.
      frames_per_second: exact in MP4; in GIF frames last whole hundredths of a second, in WebP thousandths, which
        differ by one where they must, so that the whole is right.
      identity: what the picture is; kept as JSON in the EXIF ImageDescription of WebP, or as the file's comment.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      ValueError: as `check`; or frames of another extent or number than announced.
      OSError: the file cannot be written.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{out}: no frame came; give {count}.")
    extent = first.shape[0], first.shape[1]
    check(out, count, *extent, frames_per_second)
    rate = Fraction(frames_per_second).limit_denominator(1001)
    with files.replacing(out) as temporary, Progress(count, "frames", display=progress) as counted:
        taken = _taken(itertools.chain([first], frames), count, extent, counted)
        _KINDS[out.suffix.lower()].write(temporary, taken, count, rate, json.dumps(dict(identity)))


def _check_mp4(out: Path, height: int, width: int) -> None:
    try:
        import av
    except ImportError as error:
        raise ValueError(f"{out}: needs av ({error}); pip install 'tf_psgan[video]', or choose .webp.") from None
    if encoders.MP4_CODEC not in av.codecs_available:
        raise ValueError(f"{out}: the av here has no {encoders.MP4_CODEC}; take the one of PyPI, or choose .webp.")
    if height % 2 or width % 2:
        smaller, larger = ([max(2, side + step * (side % 2)) for side in (height, width)] for step in (-1, 1))
        # H.264 can do odd extents, but only with colours of full size, which browsers do not show.
        raise ValueError(
            f"height, width: {height}x{width}, but the sides of an .mp4 are even; "
            f"choose {smaller[0]}x{smaller[1]} or {larger[0]}x{larger[1]}."
        )


def _taken(
    frames: Iterator[np.ndarray], count: int, extent: tuple[int, int], progress: Progress
) -> Iterator[np.ndarray]:
    """The frames one by one, counted and looked at."""
    taken = 0
    for frame in frames:
        taken += 1
        if taken > count:
            raise ValueError(f"frames: more than the {count} announced; give their number.")
        if frame.shape != (*extent, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frames: number {taken} is {frame.dtype} {frame.shape}; give uint8 {(*extent, 3)}.")
        yield frame
        progress.update()
    if taken < count:
        raise ValueError(f"frames: {taken} instead of the {count} announced; give their number.")
