"""Exports a trained run's generator as a SavedModel: python export.py --run=runs/honeycomb --out=models/honeycomb"""

import sys

from absl import flags

from tf_psgan import flags as edge

USAGE = """Writes the next version of a model for TensorFlow Serving and other programs.

  python export.py --run=runs/NAME --out=models/NAME"""


def define(values: flags.FlagValues) -> None:
    """The run, the model's folder and the version."""
    edge.define_run(values)
    flags.DEFINE_string("out", None, "The model's folder; versions are its folders 1, 2, ...", flag_values=values)
    text = "The version to write; 0 for the one after the newest."
    flags.DEFINE_integer("version", 0, text, lower_bound=0, flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Exports; the version's folder."""
    run, out = edge.path(values, "run"), edge.path(values, "out")
    given = values.flag_values_dict()
    with edge.quiet_start():
        from tf_psgan import run_folder
    return str(run_folder.export(run, out, given["dtype"], given["version"]))


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
