"""Makes a picture from a trained run: python generate.py --run=runs/honeycomb --out=honeycomb.png"""

import sys

from absl import flags

from tf_psgan import flags as edge

USAGE = "Makes a picture of any size from a trained run.\n\n  python generate.py --run=runs/honeycomb --out=honeycomb.png"


def define(values: flags.FlagValues) -> None:
    """The run, the window of its plane, and the file."""
    flags.DEFINE_string("run", None, "The run's folder.", flag_values=values)
    flags.DEFINE_string("out", None, "The picture to write: .png, .jpg or .webp.", flag_values=values)
    flags.DEFINE_integer("height", 512, "Height in pixels.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("width", 512, "Width in pixels.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("top", 0, "The window's first row on the plane; any integer.", flag_values=values)
    flags.DEFINE_integer("left", 0, "The window's first column on the plane; any integer.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Which plane: the same seed shows the same pixels.", flag_values=values)
    flags.DEFINE_integer("texture", 0, "Which texture of a model that holds many; any integer.", flag_values=values)
    choices = ["auto", "float32", "mixed_bfloat16"]
    flags.DEFINE_enum("dtype", "auto", choices, "Compute type; auto takes bfloat16 where it is native.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Makes the picture; its path."""
    run, out = edge.path(values, "run"), edge.path(values, "out")
    from tf_psgan import render

    window = {name: values[name].value for name in ("seed", "texture", "top", "left", "height", "width")}
    return str(render.render(run, out, values.dtype, **window))


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
