"""Writes frames, as they are computed, to an animation that repeats.

Size and quality of a frame of 256 x 256 pixels of the honeycomb, in a drift or a change: GIF 65 KiB at 36 dB, WebP
27 KiB at 37 dB, MP4 2 to 4 KiB at 34 dB.
"""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from tf_psgan.data import images
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.rendering.animation import encoders
from tf_psgan.runs import outputs
from tf_psgan.runtime import files
from tf_psgan.runtime.progress import Progress

SLOWEST = 0.1
"""Least frames per second."""


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A file format: its encoder, what it allows and takes, and its most frames per second."""

    encode: Callable[[Path, Iterator[np.ndarray], int, Fraction, str], None]
    form: outputs.Format
    fastest: int


_KINDS = {
    ".webp": _Kind(encoders.webp, outputs.Format(16383, 0.4), 90),  # browsers show a frame of 10 ms or less for 100 ms
    ".gif": _Kind(encoders.gif, outputs.Format(65535, 4.0), 50),  # the same; a GIF counts in 10 ms; 3 of its spool
    ".mp4": _Kind(encoders.mp4, outputs.Format(16384, 0.05), 240),
}
SUFFIXES = tuple(_KINDS)


def check(
    out: Path,
    count: int,
    height: int,
    width: int,
    frames_per_second: float,
    inputs: Iterable[str | Path] = (),
) -> None:
    """Checks that `write` can make an animation, before any work.

    Args:
      out: the file.
      count: number of frames.
      height, width: extent of a frame in pixels.
      frames_per_second: speed.
      inputs: files that are read.

    Raises:
      InputError: a suffix or a value that does not allow it, a missing package, no room on the disk, or as
        `outputs.check`.
    """
    kind = _KINDS.get(out.suffix.lower())
    if kind is None:
        raise _error(out, f"cannot animate the suffix {out.suffix!r}", f"use one of {', '.join(SUFFIXES)}")
    outputs.check(out, inputs)
    if count < 2:
        raise SettingError("frames", f"{count} are no animation", "give 2 or more", value=count, settings=("frames",))
    if not SLOWEST <= frames_per_second <= kind.fastest:
        problem = f"{frames_per_second:g} is outside {SLOWEST} .. {kind.fastest}, the range of {out.suffix} files"
        allowed = f"choose a value inside{'' if kind is _KINDS['.mp4'] else ' or another suffix'}"
        raise SettingError("frames_per_second", problem, allowed, settings=("frames_per_second",))
    if min(height, width) < 1 or max(height, width) > kind.form.side:
        problem = f"{height}x{width} pixels, but the sides of {out.suffix} files have 1 to {kind.form.side}"
        raise _extent_error(problem, "choose others")
    if height * width > images.LIMIT_PIXELS:
        raise _extent_error(f"{height}x{width} pixels are more than {images.LIMIT_PIXELS}", "make smaller frames")
    if kind is _KINDS[".mp4"]:
        _check_mp4(out, height, width)
    outputs.check_picture(out, height, width, count, kind.form)


def write(
    out: Path,
    frames: Iterable[np.ndarray],
    count: int,
    frames_per_second: float,
    identity: Mapping[str, str],
    *,
    progress: bool = False,
) -> None:
    """Writes an animation in the format that the suffix names; the file is replaced atomically.

    Frames are taken one at a time, so that memory does not grow with their number.

    Args:
      out: ends in .webp, .gif or .mp4.
      frames: uint8 [height, width, 3] each, of one extent.
      count: number of frames.
      frames_per_second: exact in MP4. Frames of GIF last whole hundredths of a second, those of WebP thousandths; where
        needed they differ by one unit, so that the total is exact.
      identity: what the animation shows, as text by name; stored as JSON in the EXIF ImageDescription of WebP, or as
        the comment of the file.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      InputError: as `check`.
      ValueError: frames of another extent or number than given.
      OSError: the file cannot be written.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"frames: none instead of {count}.")
    extent = first.shape[0], first.shape[1]
    check(out, count, *extent, frames_per_second)
    rate = Fraction(frames_per_second).limit_denominator(1001)
    with files.replacing(out) as temporary, Progress(count, "frames", display=progress) as counted:
        checked = _checked(itertools.chain([first], frames), count, extent, counted)
        _KINDS[out.suffix.lower()].encode(temporary, checked, count, rate, json.dumps(dict(identity)))


def _check_mp4(out: Path, height: int, width: int) -> None:
    try:
        import av
    except ImportError as error:
        raise _error(out, f"needs the package av ({error})", "pip install 'tf_psgan[video]', or choose .webp") from None
    if encoders.MP4_CODEC not in av.codecs_available:
        problem = f"the installed package av has no {encoders.MP4_CODEC}"
        raise _error(out, problem, "install the one of PyPI, or choose .webp")
    if height % 2 or width % 2:
        smaller, larger = ([max(2, side + step * (side % 2)) for side in (height, width)] for step in (-1, 1))
        # H.264 allows odd extents only with full-resolution colours, which browsers do not support.
        allowed = f"choose {smaller[0]}x{smaller[1]} or {larger[0]}x{larger[1]}"
        raise _extent_error(f"{height}x{width}, but the sides of .mp4 files are even", allowed)


def _checked(
    frames: Iterator[np.ndarray], count: int, extent: tuple[int, int], progress: Progress
) -> Iterator[np.ndarray]:
    """The frames one by one, checked and counted."""
    taken = 0
    for frame in frames:
        taken += 1
        if taken > count:
            raise ValueError(f"frames: more than {count}.")
        if frame.shape != (*extent, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frames: number {taken} is {frame.dtype} {frame.shape}, not uint8 {(*extent, 3)}.")
        yield frame
        progress.update()
    if taken < count:
        raise ValueError(f"frames: {taken} instead of {count}.")


def _error(out: Path, problem: str, allowed: str) -> PictureError:
    return PictureError(str(out), problem, allowed, settings=("out",))


def _extent_error(problem: str, allowed: str) -> SettingError:
    return SettingError("height, width", problem, allowed, settings=("height", "width"))
