"""`psgan generate`: makes pictures of any size from a trained run."""

from collections.abc import Sequence

from absl import flags

from tf_psgan.cli import flags as fields
from tf_psgan.cli import program, request
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = """Makes pictures of any size from a trained run.

  psgan generate --run=runs/NAME --out=picture.png --height=1000 --width=3000"""
OUT = (
    "The file to write. A picture: .png, .jpg or .webp. A picture of any extent, written in parts: .tif, .zarr or "
    ".dzi. With --animate: .webp, .gif or .mp4."
)


def define(values: flags.FlagValues) -> None:
    """The run, the file, and the description of the picture."""
    fields.define_run(values)
    flags.DEFINE_string("out", None, OUT, flag_values=values)
    fields.define(values, request.Request)


def run(values: flags.FlagValues) -> str:
    """Makes the file; its path, or the texture that was found."""
    flagged = fields.given(values, request.Request)
    folder, spec = fields.path(values, "run"), request.parse(fields.read(values, request.Request), flagged)
    out = None if spec.inversion and not values.out else fields.path(values, "out")
    if out is None:
        request.check_without_file(flagged)
    with filtered_stderr():
        from tf_psgan.rendering import render
        from tf_psgan.runtime import device

    device.choose(values.flag_values_dict()["device"])
    given = values.flag_values_dict()
    return str(render.render(folder, out, spec, dtype=given["dtype"], detail=given["detail"], progress=True))


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, run)
