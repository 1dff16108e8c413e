"""`psgan generate`: makes pictures of any size from a trained run."""

from collections.abc import Collection, Sequence
from pathlib import Path

from absl import flags

from tf_psgan.cli import flags as fields
from tf_psgan.cli import program, request, texts
from tf_psgan.errors import SettingError
from tf_psgan.rendering.raster import shards
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = """Makes pictures of any size from a trained run.

  psgan generate --run=runs/NAME --out=picture.png --height=1000 --width=3000
  psgan generate --model=honeycomb --out=picture.png

One picture by many processes, each with a part, and then its end:

  psgan generate --run=runs/NAME --out=wall.zarr --height=65536 --width=65536 --part=0/16
  psgan generate --out=wall.zarr --part=finish

One picture by the workers of a cluster:

  psgan generate --run=runs/NAME --out=wall.zarr --height=65536 --width=65536 --engine=ray --workers=16"""
FINISH = "finish"
"""The value of --part that puts the parts together."""

OUT = (
    "The file to write. A picture: .png, .jpg or .webp. A picture of any extent, written in parts: .tif, .zarr or "
    ".dzi. With --animate: .webp, .gif or .mp4. With --part or --engine also an address, as s3://bucket/wall.zarr."
)


def define(values: flags.FlagValues) -> None:
    """The run, the file, and the description of the picture."""
    fields.define_run(values)
    fields.define_model(values)
    fields.define_map(values)
    flags.DEFINE_string("out", None, OUT, flag_values=values)
    fields.define(values, request.Request)
    text = (
        "Makes a part of a .zarr, .dzi or .tif picture, from 0/N to N-1/N, each by a process of its own; finish puts "
        "them together."
    )
    flags.DEFINE_string("part", "", text, flag_values=values)
    text = (
        "Makes a .zarr, .dzi or .tif picture by the workers of a cluster. ray: that of RAY_ADDRESS, or one on this "
        "machine. beam: that of --engine_options, or processes on this machine."
    )
    flags.DEFINE_enum("engine", "", ["", "ray", "beam"], text, flag_values=values)
    text = "With --engine: number of worker processes; 0 for one on each machine of a Ray cluster."
    flags.DEFINE_integer("workers", 0, text, flag_values=values)
    text = "With --engine=beam: options of the pipeline, for example '--runner=FlinkRunner --flink_master=HOST:8081'."
    flags.DEFINE_string("engine_options", "", text, flag_values=values)
    text = "With --part or --engine: side in pixels of the squares that one process makes at a time, a multiple of 512."
    flags.DEFINE_integer("shard", shards.SHARD, text, flag_values=values)


def run(values: flags.FlagValues) -> str:
    """Makes the file; its path, or the texture that was found."""
    flagged = fields.given(values, request.Request)
    part, engine = _part(values, flagged), _engine(values)
    if values.part == FINISH:
        return _finish(fields.path_or_address(values, "out"))
    source = fields.source(values)
    spec = request.parse(fields.read(values, request.Request), flagged)
    out = None if spec.inversion and not values.out else fields.path_or_address(values, "out")
    if out is None:
        request.check_without_file(flagged)
    with filtered_stderr():
        from tf_psgan.rendering import render
        from tf_psgan.runtime import device

    device.choose(values.flag_values_dict()["device"])
    given = values.flag_values_dict()
    names = ("dtype", "detail", "map", "shard")
    options = {name: given[name] for name in names}
    return str(render.render(source, out, spec, part=part, engine=engine, progress=True, **options))


def _part(values: flags.FlagValues, flagged: Collection[str]) -> tuple[int, int] | None:
    """The part to make; None for the whole picture and where the parts are put together."""
    if values["shard"].present and values.part in ("", FINISH) and not values.engine:
        raise SettingError("shard", "requires --part or --engine", "add it, or leave this out")
    if values.part and values.engine:
        raise SettingError("part", "says nothing beside --engine", "leave one of them out")
    if values.part != FINISH:
        return texts.part(values.part) if values.part else None
    for name in (
        *flagged,
        *(name for name in ("run", "model", "dtype", "detail", "map", "device") if values[name].present),
    ):
        raise SettingError(name, f"says nothing beside --part={FINISH}", "leave it out: the parts know it")
    return None


def _engine(values: flags.FlagValues) -> shards.Engine | None:
    """What makes the shards; None for this process."""
    for name, engines in (("workers", ("ray", "beam")), ("engine_options", ("beam",))):
        if values[name].present and values.engine not in engines:
            wanted = " or ".join(f"--engine={engine}" for engine in engines)
            raise SettingError(name, f"requires {wanted}", "add it, or leave this out")
    if values.engine == "ray":
        from tf_psgan.rendering.engines.ray_engine import RayEngine

        return RayEngine(values.workers, progress=True)
    if values.engine == "beam":
        from tf_psgan.rendering.engines.beam_engine import BeamEngine

        return BeamEngine(values.workers, values.engine_options)
    return None


def _finish(out: Path | str) -> str:
    shards.finish(out, progress=True)
    return str(out)


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, run)
