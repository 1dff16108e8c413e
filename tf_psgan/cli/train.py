"""`psgan train`: learns a texture from pictures."""

import functools
import logging
import os
import signal
from collections.abc import Sequence

from absl import flags

from tf_psgan import presets
from tf_psgan.cli import program, train_each
from tf_psgan.cli.flags import define_config, define_device, given_settings, path, read_config
from tf_psgan.errors import SettingError
from tf_psgan.runtime import accelerator, launcher
from tf_psgan.runtime.cluster import VARIABLE, Cluster, from_json, share
from tf_psgan.runtime.signals import Terminated
from tf_psgan.runtime.stderr import filtered_stderr

logger = logging.getLogger(__name__)

USAGE = """Learns a texture from pictures.

  psgan train --preset=honeycomb
  psgan train --images=PICTURE_OR_FOLDER --run=runs/NAME
  psgan train --each --images=FOLDER --run=runs

All pictures of a folder make one model; with --each they make one model each.
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
    text = (
        "Processes that train together, each on a GPU of its own or on its part of the cores. Starts them on this "
        "machine, with ports that others must not reach; where TF_CONFIG is set, this process is one of those that it "
        "lists."
    )
    flags.DEFINE_integer("workers", 1, text, lower_bound=1, upper_bound=4096, flag_values=values)
    train_each.define(values)
    flags.DEFINE_bool("dry_run", False, "Checks everything, trains nothing and writes nothing.", flag_values=values)


def run(values: flags.FlagValues, arguments: Sequence[str] = ()) -> str:
    """Trains; the run's folder, or the page of many. `arguments`: of the command line, for processes that it starts."""
    if values.each:
        return train_each.run(values, path(values, "run"))
    if values["parallel"].present:
        raise SettingError("parallel", "has no effect without --each", "add --each, or leave it out")
    if values.explain and values.dry_run:
        raise SettingError("explain, dry_run", "both are given, and explaining checks no run", "leave one out")
    config, given = read_config(values), given_settings(values)
    folder = path(values, "run") if values.run or not values.explain else None
    workers: int = values.flag_values_dict()["workers"]
    share(config.data.batch_size, workers)
    members = _cluster(workers)
    if workers > 1 and not members and not (values.explain or values.dry_run):
        return _launch(values, workers, arguments)
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
        return training_loop.dry_run(found.config, folder, workers)
    compiled = _COMPILED[values.flag_values_dict()["compile"]]
    return str(training_loop.train(found.config, folder, progress=True, compiled=compiled, cluster=members))


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, functools.partial(run, arguments=argv[1:]))


def _cluster(workers: int) -> Cluster | None:
    """The cluster that this process is a member of.

    Raises:
      SettingError: TF_CONFIG cannot be used, or lists another number of workers.
    """
    text = os.environ.get(VARIABLE, "")
    if workers == 1:
        if text:
            logger.warning("%s is set and ignored; with --workers this process trains with those it lists.", VARIABLE)
        return None
    if not text:
        return None
    found = from_json(text)
    if len(found.addresses) != workers:
        problem = f"{workers}, but {VARIABLE} lists {len(found.addresses)}"
        raise SettingError("workers", problem, "give the number of all workers, or unset the variable", value=workers)
    return found


def _launch(values: flags.FlagValues, workers: int, arguments: Sequence[str]) -> str:
    """Trains with workers on this machine; what the first one prints."""
    kind, found = values.flag_values_dict()["device"], accelerator.gpus() if accelerator.has_driver() else []
    use_gpus = kind != "cpu" and bool(found)
    if use_gpus and len(found) < workers:
        allowed = f"choose {len(found)}, or --device=cpu"
        raise SettingError("workers", f"{workers}, but this machine has {len(found)} GPUs", allowed, value=workers)
    outcome = launcher.launch(train_each.child_command(arguments), workers, use_gpus)
    if not outcome.code:
        return outcome.output.rstrip("\n")
    if outcome.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if outcome.stopped_by:
        raise Terminated(outcome.stopped_by)
    if outcome.code < 0 or (outcome.worker and outcome.first_code != 2):  # otherwise the first worker has said why
        name, reason = f"worker {outcome.worker} of {workers}", outcome.reason.removeprefix("error: ")
        if outcome.code < 0:
            reason = f"{name} ended by signal {-outcome.code}; the same command goes on from the newest checkpoint."
        elif not reason.startswith("worker "):  # no report of a lost one
            reason = f"{name}: {reason}"
        raise ConnectionError(reason)
    raise program.Reported(outcome.code)
