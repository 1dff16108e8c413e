"""Speed and memory of very large pictures by side length; or compares a picture after kills with an unbroken one.

  python benchmarks/speed/raster.py --run=runs/NAME [--sides=1024,4096,16384,32768] [--suffix=.tif]
  python benchmarks/speed/raster.py --run=runs/NAME --kills=10 [--side=8192] [--suffix=.tif] [--out_folder=FOLDER]

Each picture is generated in a separate process and then deleted. The time excludes loading the model. Peak memory is
the maximum resident memory of the whole process.
"""

import hashlib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.runtime.stderr import filtered_stderr
from tf_psgan.runtime.threads import cores

USAGE = "Times very large pictures, or kills the process that writes one and compares the result."
COMPARED = 4096


def define(values: flags.FlagValues) -> None:
    """Defines flags for the run, the sides, the format, the output folder and the kills."""
    edge.define_run(values)
    flags.DEFINE_list("sides", ["1024", "4096", "16384", "32768"], "Sides in pixels.", flag_values=values)
    flags.DEFINE_string("suffix", ".tif", "The format: .tif, .zarr or .dzi.", flag_values=values)
    flags.DEFINE_string("out_folder", None, "Folder for the pictures; default: a temporary one.", flag_values=values)
    flags.DEFINE_integer("kills", 0, "Kills of one picture, instead of timings.", lower_bound=0, flag_values=values)
    flags.DEFINE_integer("side", 8192, "Side of that picture in pixels.", flag_values=values)
    flags.DEFINE_string("child", None, "The picture to generate; set for the child process only.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Returns a Markdown table, or with --kills one line with the result."""
    if values.child:
        return _picture(edge.path(values, "run"), Path(values.child), values.side, values.dtype)
    with tempfile.TemporaryDirectory(dir=values.out_folder) as folder:
        if values.kills:
            return _kills(values, Path(folder))
        rows = {side: _finished(_start(values, Path(folder), side)) for side in map(int, values.sides)}
    return _table(rows)


def _table(rows: dict[int, dict[str, float]]) -> str:
    costs = {side: row["seconds"] / side**2 for side, row in rows.items()}
    threads, base = cores(), costs.get(COMPARED)
    lines = [f"{threads} cores", ""]
    lines += [f"| side, px | seconds | megapixels/s | peak memory, MB | cost a pixel, {COMPARED} = 1 |"]
    lines += ["|---|---|---|---|---|"]
    for side, row in rows.items():
        relative = f"{costs[side] / base:.2f}" if base else ""
        speed = side**2 / 1e6 / row["seconds"]
        lines.append(f"| {side} | {row['seconds']:.1f} | {speed:.1f} | {row['megabytes']:.0f} | {relative} |")
    return "\n".join(lines)


def _kills(values: flags.FlagValues, folder: Path) -> str:
    """Generates the picture without kills, then with kills at random moments, and compares the two.

    Each process is killed only after it has recorded at least one new chunk in the journal.
    """
    from tf_psgan.rendering.raster.journal import Partial

    side, kills, counts, random_ = int(values.side), int(values.kills), [0], random.Random(0)
    expected = _finished(_start(values, folder, side))
    partial = Partial(_out(values, folder, side))
    for _ in range(kills):
        process = _start(values, folder, side)
        while process.poll() is None and _done(partial) <= counts[-1]:
            time.sleep(0.01)
        time.sleep(random_.uniform(0, expected["seconds"] / kills / 2))
        process.kill()
        process.communicate()
        done = _done(partial)
        if done <= counts[-1]:
            raise ValueError(f"side: {side} was made after {len(counts) - 1} kills; choose more pixels or fewer kills.")
        counts.append(done)
    found = _finished(_start(values, folder, side))
    same = "the same" if found["sha256"] == expected["sha256"] else "NOT the same"
    at = ", ".join(map(str, counts[1:]))
    return f"{side} x {side}, killed {kills} times, after chunks {at}: {same} as unbroken, {expected['sha256']}"


def _done(partial: Any) -> int:
    return partial.done() or 0


def _out(values: flags.FlagValues, folder: Path, side: int) -> Path:
    return folder / f"picture-{side}{values.suffix}"


def _start(values: flags.FlagValues, folder: Path, side: int) -> subprocess.Popen:
    given = {"run": values.run, "dtype": values.dtype, "child": _out(values, folder, side), "side": side}
    command = [sys.executable, __file__, *(f"--{name}={value}" for name, value in given.items())]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _finished(process: subprocess.Popen) -> dict:
    text, _ = process.communicate()
    if process.returncode:
        raise ValueError("run: a picture could not be made; see above.")
    return json.loads(text.splitlines()[-1])


def _picture(run: Path, out: Path, side: int, dtype: str) -> str:
    """Generates, measures and deletes one picture; returns JSON."""
    with filtered_stderr():
        from tf_psgan.loading import load_plane
        from tf_psgan.rendering.raster import writer as raster_writer
    plane = load_plane(run, dtype)
    plane.window(512, 512, top=-512, left=-512)  # traces the graph

    def view(top: int, left: int, height: int, width: int) -> Any:
        return plane.window(height, width, top=top, left=left)

    began = time.perf_counter()
    raster_writer.write(out, view, side, side, {"run": str(run)})
    seconds = time.perf_counter() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    digest = _digest(out)
    for path in (out, raster_writer.FORMATS[out.suffix].target(out)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return json.dumps({"seconds": seconds, "megabytes": megabytes, "sha256": digest})


def _digest(out: Path) -> str:
    """SHA-256 of a picture's file, or of the names and contents of all files of a multi-file format."""
    if out.is_file() and out.suffix != ".dzi":
        with out.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    total = hashlib.sha256()
    folder = out if out.is_dir() else out.with_name(f"{out.stem}_files")
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
