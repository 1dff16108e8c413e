"""One picture by many processes: same pixels, work beyond one process, kills; or the cost of very large ones.

  python benchmarks/speed/distributed.py --model=honeycomb --side=8192 [--ways=single,part-2,part-4,ray-2,beam-2,kills]
  python benchmarks/speed/distributed.py --simulate=100000,1000000 --shard=16384 [--suffix=.zarr]

A way is a number of processes with --part, of workers of an engine, or, for kills-part, kills-ray and kills-beam, two
workers of which one is killed five times, each time after a new shard. Each way runs commands of `psgan generate`; the
hash is SHA-256 over the pixels. Processor seconds are those of all processes of --part, less those of a picture of one
block for each of as many processes: on a machine with other work they say more than the clock.

A simulated picture is of one colour: its shards are encoded once and written under all names, so that no pixel is
computed and `finish` does all that it does, on small files.
"""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.rendering.raster import geotiff, pyramid, shards
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.rendering.raster.shard_folder import ShardFolder
from tf_psgan.rendering.raster.shard_formats import PICTURE

USAGE = "Makes one picture by many processes and compares them, or simulates very large ones."
ROOT = Path(__file__).resolve().parents[2]
BLOCK, KILLS = 512, 5
WORKERS = 100
STEP = 1024


def define(values: flags.FlagValues) -> None:
    """Defines the model, the picture, the ways, and the simulation."""
    flags.DEFINE_string("model", "honeycomb", "A ready-made model.", flag_values=values)
    edge.define_device(values)
    flags.DEFINE_integer("side", 8192, "Side of the picture in pixels.", flag_values=values)
    flags.DEFINE_integer("shard", 2048, "Side of a shard in pixels.", flag_values=values)
    ways = ["single", "part-1", "part-2", "part-4", "ray-2", "kills-part", "kills-ray"]
    flags.DEFINE_list("ways", ways, "Ways to make the picture.", flag_values=values)
    flags.DEFINE_string("suffix", ".zarr", "The format of a simulated picture: .zarr or .tif.", flag_values=values)
    flags.DEFINE_list("simulate", [], "Sides of simulated pictures, in pixels.", flag_values=values)
    flags.DEFINE_string("out_folder", None, "Folder for the pictures; default: a temporary one.", flag_values=values)
    flags.DEFINE_float("rate", 0, "Megapixels a second of a worker, for the time of many.", flag_values=values)
    flags.DEFINE_string("child", None, "A picture to finish; set for the child process only.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """A Markdown table."""
    if values.child:
        return _finish(Path(values.child))
    with tempfile.TemporaryDirectory(dir=values.out_folder) as folder:
        if values.simulate:
            return _simulations(values, Path(folder))
        return _ways(values, Path(folder))


def _ways(values: flags.FlagValues, folder: Path) -> str:
    """Makes the picture in each way."""
    starts = {}
    lines = ["| way | seconds | processor seconds, without start-up | SHA-256 of the pixels |", "|---|---|---|---|"]
    for way in values.ways:
        kind, _, how = way.partition("-")
        out = folder / f"{way}.zarr"
        begun, used, start = time.perf_counter(), _used(), 0.0
        if kind in ("single", "part"):
            count = int(how or 0)
            _parts(values, out, values.side, count)
            used = _used() - used
            seconds = time.perf_counter() - begun
            if count not in starts:
                before = _used()
                _parts(values, folder / "start.zarr", BLOCK, count, BLOCK)
                starts[count] = _used() - before
                shutil.rmtree(folder / "start.zarr")
            start = starts[count]
        elif kind == "kills":
            _kill(values, out, how)
            seconds = time.perf_counter() - begun
        else:
            _wait(_start(values, out, values.side, f"--engine={kind}", f"--workers={how}", f"--shard={values.shard}"))
            seconds = time.perf_counter() - begun
        work = f"{used - start:.1f}" if start else ""
        lines.append(f"| {way} | {seconds:.1f} | {work} | {_digest(out)[:16]} |")
        print(lines[-1], file=sys.stderr, flush=True)
        shutil.rmtree(out)
    return "\n".join(lines)


def _used() -> float:
    """Processor seconds of all processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _parts(values: flags.FlagValues, out: Path, height: int, count: int, shard: int = 0) -> None:
    """Makes a picture by processes of --part side by side; by one process without parts where there are none.

    It is square, or, with shards of its height, has one for each process.
    """
    if not count:
        _wait(_start(values, out, height))
        return
    size = f"--shard={shard or values.shard}", f"--width={height * count if shard else height}"
    parts = [_start(values, out, height, f"--part={part}/{count}", *size) for part in range(count)]
    for process in parts:
        _wait(process)
    _finish_by_command(out)


def _start(values: flags.FlagValues, out: Path, side: int, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "generate.py", f"--model={values.model}", f"--device={values.device}", f"--out={out}"]
    command += [f"--height={side}", f"--width={side}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)


def _finish_by_command(out: Path) -> None:
    subprocess.run(
        [sys.executable, "generate.py", f"--out={out}", "--part=finish"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _wait(process: subprocess.Popen) -> None:
    if process.wait():
        raise ValueError("model: a picture could not be made; see above.")


def _kill(values: flags.FlagValues, out: Path, kind: str) -> None:
    """Makes a picture by two workers, of which one is killed again and again, each time after a new shard."""
    engine = [f"--shard={values.shard}"] + ([] if kind == "part" else [f"--engine={kind}", "--workers=2"])
    if kind == "part":
        other = _start(values, out, values.side, "--part=1/2", *engine)
        engine.append("--part=0/2")
    process = _start(values, out, values.side, *engine)
    for _ in range(KILLS):
        before = _records(out)
        while process.poll() is None and _records(out) <= before:
            time.sleep(0.05)
        if process.poll() is not None:
            raise ValueError(
                f"side: {values.side} was made before {KILLS} kills; choose more pixels or smaller shards."
            )
        if kind == "ray":
            os.kill(next(_actors(process.pid)), signal.SIGKILL)
            continue
        os.killpg(process.pid, signal.SIGKILL)  # Beam's local runner does not go on without a process
        process.wait()
        process = _start(values, out, values.side, *engine)
    _wait(process)
    if kind == "part":
        _wait(other)
        _finish_by_command(out)


def _records(out: Path) -> int:
    return len(list((out.with_name(f"{out.name}.parts") / "records").glob("*.json")))


def _actors(driver: int) -> Iterator[int]:
    """The processes of Ray's actors that make shards, below a process."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::ShardWorker" in (path / "cmdline").read_bytes() and driver in _ancestors(int(path.name)):
                yield int(path.name)
        except OSError:
            continue


def _ancestors(process: int) -> list[int]:
    found = []
    while process > 1:
        status = Path(f"/proc/{process}/stat").read_text()
        process = int(status.rpartition(")")[2].split()[1])
        found.append(process)
    return found


def _digest(out: Path) -> str:
    """SHA-256 over the pixels of the largest level, by rows."""
    import zarr

    array, total = zarr.open_array(out / "0", mode="r"), hashlib.sha256()
    for top in range(0, array.shape[1], STEP):
        total.update(np.ascontiguousarray(array[:, top : top + STEP].transpose(1, 2, 0)))
    return total.hexdigest()


def _simulations(values: flags.FlagValues, folder: Path) -> str:
    """Plans, writes and finishes pictures of one colour."""
    head = "| side, px | shards | plan, s | files of the parts | finish, s | peak memory, MB | files | metadata, KB |"
    lines = [head, "|---" * 8 + "|"]
    for side in map(int, values.simulate):
        out = folder / f"{side}{values.suffix}"
        begun = time.perf_counter()
        planned = shards.plan(side, side, {"seed": "1"}, shard=values.shard)
        count = sum(1 for _ in planned.shards())
        seconds = time.perf_counter() - begun
        _write_parts(_Simulated(out), planned)
        parts = sum(1 for path in Path(f"{out}.parts").rglob("*") if path.is_file())
        command = [sys.executable, __file__, f"--child={out}"]
        found = json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )
        files = [path for path in (out, *out.rglob("*")) if path.is_file()]
        about = sum(path.stat().st_size for path in files if path.suffix == ".json") or _directories(planned)
        cells = (
            side,
            count,
            f"{seconds:.2f}",
            parts,
            f"{found['seconds']:.1f}",
            f"{found['megabytes']:.0f}",
            len(files),
        )
        lines.append("| " + " | ".join(map(str, (*cells, f"{about / 1000:.1f}"))) + " |")
        shutil.rmtree(out, ignore_errors=True)
        out.unlink(missing_ok=True)
    if values.rate:
        lines += ["", f"| side, px | {WORKERS} workers of {values.rate} megapixels a second each |", "|---|---|"]
        for side in map(int, values.simulate):
            lines.append(f"| {side} | {side**2 / values.rate / 1e6 / WORKERS / 3600:.2f} h |")
    return "\n".join(lines)


class _Simulated(ShardFolder):
    def check_space(self, planned: Plan) -> None:
        """Does nothing: one colour takes little room."""


def _directories(planned: Plan) -> int:
    """Bytes of the directories of a .tif: offset and size of each tile, and little else."""
    extents = planned.levels(to_one_pixel=False)
    return sum(12 * int(np.prod(pyramid.grid(extent, planned.side))) for extent in extents)


def _write_parts(folder: ShardFolder, planned: Plan) -> None:
    """Writes the shards of a picture of one colour, each kind of extent encoded once."""
    folder.begin(planned)
    made: dict[tuple[int, int], tuple[int, int]] = {}
    for row, col in planned.shards():
        extent = planned.extent(row, col)
        if extent not in made:
            folder.write(planned, row, col, np.full((*extent, 3), 127, np.uint8), "")
            made[extent] = row, col
            continue
        first = made[extent]
        for level in range(folder.own_levels(planned)):
            _copy(folder, _name(folder, (level, *first)), _name(folder, (level, row, col)))
        _copy(folder, f"records/{first[0]}-{first[1]}.npy", f"records/{row}-{col}.npy")
        record = (Path(folder.path) / f"records/{first[0]}-{first[1]}.json").read_text()
        for level in range(folder.own_levels(planned)):
            record = record.replace(_name(folder, (level, *first)), _name(folder, (level, row, col)))
        record = record.replace(f"records/{first[0]}-{first[1]}.npy", f"records/{row}-{col}.npy")
        (Path(folder.path) / f"records/{row}-{col}.json").write_text(record)


def _name(folder: ShardFolder, index: pyramid.Index) -> str:
    """The file of a shard of a level."""
    level, row, col = index
    is_zarr = Path(folder.out).suffix == ".zarr"
    return f"{PICTURE}/{level}/c/0/{row}/{col}" if is_zarr else geotiff.tiles_name(index)


def _copy(folder: ShardFolder, source: str, target: str) -> None:
    path = Path(folder.path) / target
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(folder.path) / source, path)


def _finish(out: Path) -> str:
    """Finishes a picture; seconds and peak memory as JSON."""
    begun = time.perf_counter()
    shards.finish(out)
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count what the parent process had
    megabytes = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return json.dumps({"seconds": time.perf_counter() - begun, "megabytes": megabytes})


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
