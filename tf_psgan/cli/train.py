"""`psgan train`: learns a texture from pictures."""

from collections.abc import Sequence

from absl import flags

from tf_psgan import presets
from tf_psgan.cli import program
from tf_psgan.cli.flags import define_config, path, read_config
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = """Learns a texture from pictures.

  psgan train --preset=honeycomb
  psgan train --images=PICTURE_OR_FOLDER --run=runs/NAME"""


def define(values: flags.FlagValues) -> None:
    """The settings of a run, and its folder."""
    define_config(values)
    flags.DEFINE_string("run", None, "The folder of the run; an existing run is continued.", flag_values=values)
    text = f"Reads the flags of a ready-made job: {', '.join(presets.names())}. Later flags win."
    flags.DEFINE_string("preset", None, text, flag_values=values)
    flags.DEFINE_bool("dry_run", False, "Checks everything, trains nothing and writes nothing.", flag_values=values)


def run(values: flags.FlagValues) -> str:
    """Trains; the run's folder."""
    config, folder = read_config(values), path(values, "run")
    with filtered_stderr():
        from tf_psgan.training import training_loop

    if values.dry_run:
        return training_loop.dry_run(config, folder)
    return str(training_loop.train(config, folder, progress=True))


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, run)
