"""Exports a trained run's generator as a SavedModel: python export.py --run=runs/honeycomb --out=models/honeycomb"""

import sys

from absl import flags

from tf_psgan.cli import flags as edge

USAGE = """Writes the next version of a model for TensorFlow Serving and other programs.

  python export.py --run=runs/NAME --out=models/NAME --source_licence='CC0, by ...'"""
NUMBERS = {
    "version": (0, "The version to write; 0 for the one after the newest."),
    "most_side": (8192, "Most pixels of a picture's height and of its width in one request."),
    "most_pixels": (4096**2, "Most pixels of a picture in one request; memory grows with it."),
}


def define(values: flags.FlagValues) -> None:
    """The run, the model's folder, and what goes along."""
    edge.define_run(values)
    flags.DEFINE_string("out", None, "The model's folder; versions are its folders 1, 2, ...", flag_values=values)
    for name, (default, text) in NUMBERS.items():
        flags.DEFINE_integer(name, default, text, lower_bound=0, flag_values=values)
    flags.DEFINE_string("source_licence", "", "Licence of the pictures, for the card.", flag_values=values)
    flags.DEFINE_bool("onnx", False, "Writes the bare network as ONNX, too.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Exports; the version's folder."""
    run, out, said = edge.path(values, "run"), edge.path(values, "out"), values.flag_values_dict()
    with edge.filtered_stderr():
        from tf_psgan.exporting import export as exporter
    limits = exporter.Limits(said["most_side"], said["most_pixels"])
    return str(exporter.export(run, out, said["dtype"], said["version"], limits, said["source_licence"], said["onnx"]))


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
