"""Makes a picture from a trained run: python generate.py --run=runs/honeycomb --out=honeycomb.png"""

import sys

from absl import flags

from tf_psgan.cli import flags as edge

USAGE = """Makes pictures of any size from a trained run.

  python generate.py --run=runs/NAME --out=picture.png --height=1000 --width=3000"""
OUT = (
    "The file to write. A picture: .png, .jpg or .webp; of any extent, tile by tile: .tif, .zarr or .dzi; "
    "with --animate: .webp, .gif or .mp4."
)


def define(values: flags.FlagValues) -> None:
    """The run, the file, and what is asked for."""
    edge.define_run(values)
    flags.DEFINE_string("out", None, OUT, flag_values=values)
    edge.define_request(values)


def main(values: flags.FlagValues) -> str:
    """Makes the picture; its path."""
    run, asked = edge.path(values, "run"), edge.read_request(values)
    out = None if asked.like and not values.out else edge.path(values, "out")
    with edge.filtered_stderr():
        from tf_psgan.rendering import render
    return render.render(run, out, values.flag_values_dict()["dtype"], asked, progress=True)


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
