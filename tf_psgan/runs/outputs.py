"""Files that a command is about to write, checked before any work: place, name, format, space, and what lies there.

Nothing that is read may be replaced: neither an input of the command, whatever name or link leads to it, nor a file of
a run.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tf_psgan.errors import InputError, PictureError

NAME_BYTES = 255
"""Longest name of a file in bytes where the system does not say."""


RUN_NAMES = frozenset(
    {
        "config.json", "manifest.json", "conditions.json", "metrics.jsonl", "exemplar.npz", "adaptation.json",
        ".lock",
        "checkpoints", "previews", "logs", "textures",
        "report.md", "report-source.png", "report-samples.png", "report-detail.png", "report-progress.png",
    }
)  # fmt: skip
"""Names in a run's folder that are its own (`run_folder`)."""


@dataclasses.dataclass(frozen=True)
class Format:
    """What a file format allows and takes.

    Args:
      side: largest height and width in pixels.
      bytes_per_pixel: about what a texture takes on the disk, with what writing takes for a while.
    """

    side: int
    bytes_per_pixel: float


PICTURES = {
    ".png": Format(2**31 - 1, 3.0),
    ".jpg": Format(65500, 1.0),
    ".jpeg": Format(65500, 1.0),
    ".webp": Format(16383, 0.6),
}
"""The formats that `data.images.write` writes: the limits of libpng, libjpeg and libwebp."""


def check(
    out: Path, inputs: Iterable[str | Path] = (), setting: str = "out", *, extra: int = 0, as_folder: bool = False
) -> None:
    """Checks that a file, or a new folder, can be written under a name without losing anything.

    Args:
      out: the path as the user gave it.
      inputs: files that the command reads; those that do not exist are passed over.
      setting: the setting that names `out`, for the error.
      extra: bytes that names made from this one have more.
      as_folder: whether `out` may be a folder.

    Raises:
      PictureError: the folder is missing or cannot be written; the name is too long or taken by something that is no
        file; or the file is an input, or one of a run.
    """
    folder, name = out.absolute().parent, out.name
    try:
        if not folder.is_dir():
            raise _error(out, f"the folder {out.parent} is missing", "make it", setting)
        taken = out.lstat() if os.path.lexists(out) else None
    except OSError as error:  # a part of the path is too long
        raise _error(out, f"cannot be a file ({error.strerror})", "choose another name", setting) from None
    longest = _longest_name(folder) - extra
    if (length := len(os.fsencode(name))) > longest:
        raise _error(out, f"its name has {length} bytes", f"choose one of at most {longest}", setting)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _error(out, f"no permission to write in {out.parent}", "choose another folder", setting)
    if taken and out.is_dir() and not as_folder:
        raise _error(out, "is a folder", "give the name of a file", setting)
    if taken and out.exists() and not (out.is_file() or out.is_dir()):
        raise _error(out, "is a device or a pipe", "give the name of a file", setting)
    check_owner(out, setting)
    if taken:
        for path in inputs:
            if _is_same(out, path):
                raise _error(out, f"is the input {path}", "choose another name", setting)


def check_owner(out: Path, setting: str = "out") -> None:
    """Raises PictureError for a path that is a run's own, or inside a folder that is."""
    real = out.absolute().parent.resolve() / out.name
    for run in real.parents:
        own = real.relative_to(run).parts[0]
        if own in RUN_NAMES and (run / "config.json").is_file() and (run / "checkpoints").is_dir():
            raise _error(out, f"belongs to the run {run}", "choose another name", setting)


def check_apart(run: Path, sources: Iterable[str | Path]) -> None:
    """Checks that a run's folder is not searched for training pictures: its own previews would become some.

    Raises:
      InputError: it lies in one of the sources.
    """
    real = run.resolve()
    for source in map(Path, sources):
        folder = source.resolve()
        if not folder.is_dir() or not real.is_relative_to(folder):
            continue
        if not any(part.startswith(".") for part in real.relative_to(folder).parts):  # hidden folders are not searched
            problem = f"lies in the folder of pictures {source}, and its own pictures would be learned"
            raise InputError(str(run), problem, "choose a folder elsewhere", settings=("run", "images"))


def check_picture(
    out: Path,
    height: int,
    width: int,
    pictures: int = 1,
    form: Format | None = None,
    settings: tuple[str, ...] = ("height", "width", "out"),
) -> None:
    """Checks that a picture fits its format and the disk.

    Args:
      out: its path; the folder exists.
      height, width: extent in pixels.
      pictures: how many of this extent the file holds.
      form: its format; None for that of the suffix among `PICTURES`.
      settings: names of the settings that change its extent or its name.

    Raises:
      PictureError: it does not fit the format.
      InputError: the disk has no room for it.
    """
    form = form or PICTURES[out.suffix.lower()]
    if max(height, width) > form.side:
        problem = f"{height}x{width} pixels, but the sides of {out.suffix} files have at most {form.side}"
        raise PictureError(str(out), problem, "choose fewer pixels or another suffix", settings=settings)
    allowed = "make room, or choose fewer pixels or another file"
    check_space(out, height * width * pictures * form.bytes_per_pixel, allowed, settings)


def check_space(out: Path, needed: float, allowed: str, settings: tuple[str, ...] = ("out",)) -> None:
    """Checks that the disk has room for what is to be written.

    Args:
      out: a file or a folder; its parents may be missing.
      needed: bytes that it takes, or that are still missing.
      allowed: the remedy.
      settings: names of the settings that change it.

    Raises:
      InputError: fewer bytes are free.
    """
    place = next(path for path in (out.absolute(), *out.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        problem = f"takes about {_amount(needed)}, and {_amount(free)} are free in {place}"
        raise InputError(str(out), problem, allowed, settings=settings)


def _is_same(out: Path, path: str | Path) -> bool:
    try:
        return os.path.samefile(out, path)
    except OSError:  # one of them does not exist
        return False


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # not on Windows
        return NAME_BYTES


def _error(out: Path, problem: str, allowed: str, setting: str) -> PictureError:
    return PictureError(str(out), problem, allowed, settings=(setting,))


def _amount(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
