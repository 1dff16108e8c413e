"""Makes a picture from a trained run: python generate.py --run=runs/honeycomb --out=honeycomb.png"""

import sys

from absl import flags

from tf_psgan import flags as edge

USAGE = "Makes a picture of any size from a trained run.\n\n  python generate.py --run=runs/NAME --out=picture.png"
WINDOW = {
    "height": (512, "Height in pixels."),
    "width": (512, "Width in pixels."),
    "top": (0, "The window's first row on the plane; any integer."),
    "left": (0, "The window's first column on the plane; any integer."),
    "seed": (0, "Which plane: the same seed shows the same pixels."),
    "texture": (0, "Which texture of a model that holds many; any integer."),
}


def define(values: flags.FlagValues) -> None:
    """The run, the file, and the window of its plane."""
    edge.define_run(values)
    flags.DEFINE_string("out", None, "The picture to write: .png, .jpg or .webp.", flag_values=values)
    for name, (default, text) in WINDOW.items():
        flags.DEFINE_integer(name, default, text, flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Makes the picture; its path."""
    run, out, given = edge.path(values, "run"), edge.path(values, "out"), values.flag_values_dict()
    with edge.quiet_start():
        from tf_psgan import render
    return str(render.render(run, out, given["dtype"], **{name: given[name] for name in WINDOW}))


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
