"""`psgan train`: learns a texture from pictures."""

from collections.abc import Sequence

from absl import flags

from tf_psgan import presets
from tf_psgan.cli import program
from tf_psgan.cli.flags import define_config, define_device, given_settings, path, read_config
from tf_psgan.errors import SettingError
from tf_psgan.runtime import accelerator
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = """Learns a texture from pictures.

  psgan train --preset=honeycomb
  psgan train --images=PICTURE_OR_FOLDER --run=runs/NAME

Some settings are chosen from the pictures where they are not given; --explain shows which and why. A run that is
continued keeps its own."""

_COMPILED = {"auto": None, "yes": True, "no": False}
"""Values of --compile, and what they are for `train`."""


def define(values: flags.FlagValues) -> None:
    """The settings of a run, and its folder."""
    define_config(values)
    flags.DEFINE_string("run", None, "The folder of the run; an existing run is continued.", flag_values=values)
    text = f"Reads the flags of a ready-made job: {', '.join(presets.names())}. Later flags win."
    flags.DEFINE_string("preset", None, text, flag_values=values)
    text = (
        "Prints the measurements of the pictures and the settings chosen from them; trains nothing and writes nothing."
    )
    flags.DEFINE_bool("explain", False, text, flag_values=values)
    define_device(values)
    text = "Compiles the training step by XLA: yes, no, or auto for a GPU only; on processors it is slower."
    flags.DEFINE_enum("compile", "auto", list(_COMPILED), text, flag_values=values)
    flags.DEFINE_bool("dry_run", False, "Checks everything, trains nothing and writes nothing.", flag_values=values)


def run(values: flags.FlagValues) -> str:
    """Trains; the run's folder."""
    if values.explain and values.dry_run:
        raise SettingError("explain, dry_run", "both are given, and explaining checks no run", "leave one out")
    config, given = read_config(values), given_settings(values)
    folder = path(values, "run") if values.run or not values.explain else None
    if accelerator.has_driver():
        accelerator.keep_compiled_programs()
    with filtered_stderr():
        from tf_psgan.runtime import device
        from tf_psgan.training import advice, training_loop

    device.choose(values.flag_values_dict()["device"])
    found = advice.advice_for(config, given, folder, always_measure=values.explain)
    if folder is None or values.explain:
        return f"{found.to_text()}\nNothing was trained or written."
    found.log()
    if values.dry_run:
        return training_loop.dry_run(found.config, folder)
    compiled = _COMPILED[values.flag_values_dict()["compile"]]
    return str(training_loop.train(found.config, folder, progress=True, compiled=compiled))


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, run)
