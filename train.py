"""Trains a texture model: python train.py --flagfile=flags/honeycomb.cfg"""

import sys

from absl import flags

from tf_psgan.cli import flags as edge

USAGE = """Learns a texture from pictures.

  python train.py --flagfile=flags/honeycomb.cfg
  python train.py --images=PICTURE_OR_FOLDER --run=runs/NAME"""


def define(values: flags.FlagValues) -> None:
    """The settings of a run, and where it lives."""
    edge.define_config(values)
    flags.DEFINE_string("run", None, "The run's folder; an existing run goes on.", flag_values=values)
    flags.DEFINE_bool("dry_run", False, "Checks everything, trains nothing and writes nothing.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Trains; the run's folder."""
    config, run = edge.read_config(values), edge.path(values, "run")
    with edge.filtered_stderr():
        from tf_psgan.training import training_loop

    if values.dry_run:
        return training_loop.rehearse(config, run)
    return str(training_loop.train(config, run, progress=True))


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
