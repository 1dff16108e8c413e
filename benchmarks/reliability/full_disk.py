"""Writes on small file systems of growing size, so that the disk is full at one write after another.

  python -m benchmarks.reliability.full_disk --sizes=24 [--kinds=.png,.tif,train,export]

A tmpfs of that size is mounted for each trial, which needs the right to mount. The free space is reported as unlimited,
or the check before the work would find it. A trial is good if it ends with the complete file, or with one error that
names the user's path and no temporary one, the older file of that name as it was and nothing hidden beside it. A
training is then continued with more room, and must end with the tensors of one that never met a full disk.
"""

import contextlib
import functools
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.reliability.children import digest
from tests.support import small_export
from tests.support.small_run import changed, picture
from tests.support.traced_steps import traced_step
from tf_psgan.cli import program
from tf_psgan.data import images
from tf_psgan.exporting import export
from tf_psgan.rendering.animation import writer as animation_writer
from tf_psgan.rendering.raster import writer as raster_writer
from tf_psgan.training import training_loop

USAGE = "Writes on small file systems."
PICTURE = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
IDENTITY = {"seed": "1"}
ROOM = 1 << 20
"""Kibibytes in which everything fits."""

Usage = namedtuple("Usage", "total used free")


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("sizes", 24, "File systems for each kind.", flag_values=values)
    flags.DEFINE_list("kinds", [*WRITERS, "train", "export"], "What is written.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs the experiment; a line for each kind."""
    real, step = shutil.disk_usage, training_loop.GanStep
    shutil.disk_usage = lambda path: Usage(2**40, 0, 2**40)  # type: ignore[assignment, misc, return-value]
    training_loop.GanStep = traced_step  # type: ignore[assignment, misc]
    lines = []
    try:
        with tempfile.TemporaryDirectory() as temporary:
            for name in values.kinds:
                trial = _trial(name, Path(temporary))
                with _mounted(ROOM) as folder:
                    trial(folder)
                    largest = 1.2 * sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1024
                sizes = np.linspace(4, max(largest, 8), values.sizes).astype(int)
                ends = Counter(trial_end(trial, int(size)) for size in sizes)
                lines.append(f"{name}: {len(sizes)} disks; {', '.join(f'{n} {end}' for end, n in ends.items())}")
                print(lines[-1], file=sys.stderr, flush=True)
    finally:
        shutil.disk_usage, training_loop.GanStep = real, step  # type: ignore[misc]
    return "\n".join(lines)


def trial_end(trial: Callable[[Path], str], kilobytes: int) -> str:
    """How a trial on a disk of that size ends."""
    with _mounted(kilobytes) as folder:
        return trial(folder)


def _trial(name: str, place: Path) -> Callable[[Path], str]:
    if name == "train":
        image = picture(place / "grating.png")
        whole = training_loop.train(changed(images=(image,), checkpoint_steps=2), place / "whole")
        return functools.partial(_train, image, digest(whole))
    if name == "export":
        return functools.partial(_export, small_export.run(place / "run", global_channels=0).path)
    return functools.partial(_write, name)


def _write(name: str, folder: Path) -> str:
    out = folder / f"a{name.removeprefix('animated')}"
    is_file = out.suffix not in (".zarr", ".dzi", ".tif", ".tiff")
    with contextlib.suppress(OSError):
        if is_file:
            out.write_bytes(b"old")
    old = _content(out)
    if problem := _problem(lambda: WRITERS[name](out), out):
        if problem != "error that names the path":
            return problem
        if is_file and _content(out) != old:
            return "lost the old file"
        return problem
    return "written"


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _train(image: str, expected: str, folder: Path) -> str:
    config, run = changed(images=(image,), checkpoint_steps=2), folder / "run"
    problem = _problem(lambda: training_loop.train(config, run), run)
    if problem and problem != "error that names the path":
        return problem
    subprocess.run(["mount", "-o", f"remount,size={ROOM}k", folder], check=True)
    training_loop.train(config, run)
    if digest(run) != expected:
        return "other tensors"
    return f"{problem}, and continued to the same tensors" if problem else "written"


def _export(run: Path, folder: Path) -> str:
    out = folder / "models"
    problem = _problem(lambda: export.export(run, out, dtype="float32"), out)
    if problem:
        left = [path.name for path in out.rglob("*")] if out.exists() else []
        return f"{problem}, left {left}" if left else problem
    return "written"


def _problem(work: Callable[[], object], out: Path) -> str:
    """What is said about a failure of some work; "" without one."""
    try:
        work()
    except (OSError, ValueError) as error:
        text = str(error)
    except Exception as error:
        return f"other error ({type(error).__name__}: {str(error)[:100]})"
    else:
        return ""
    hidden = [path.name for path in out.parent.iterdir() if path.name.startswith(".")]
    if hidden:
        return f"left {hidden}"
    if str(out) not in text or ".tmp" in text:
        return f"error without the path: {text.replace(str(out.parent), '')}"
    return "error that names the path"


def _raster(out: Path) -> None:
    raster_writer.write(out, lambda t, left, h, w: PICTURE[t : t + h, left : left + w], 160, 160, IDENTITY, side=32)


def _animation(out: Path) -> None:
    animation_writer.write(out, iter([PICTURE] * 6), 6, 12.0, IDENTITY)


WRITERS: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys((".png", ".jpg", ".webp"), lambda out: images.write(out, PICTURE, IDENTITY)),
    **dict.fromkeys((".tif", ".zarr", ".dzi"), _raster),
    **{f"animated{suffix}": _animation for suffix in (".webp", ".gif", ".mp4")},
}


@contextlib.contextmanager
def _mounted(kilobytes: int) -> Iterator[Path]:
    folder = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=True)
    try:
        yield Path(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        Path(folder).rmdir()


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
