"""`psgan train --each`: a run for each of many pictures, side by side on the devices that there are."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from tf_psgan.cli.flags import given_settings, read_config
from tf_psgan.config import Config
from tf_psgan.errors import InputError, RunError, SettingError
from tf_psgan.runtime import accelerator, child_processes, files, locks, threads
from tf_psgan.runtime.child_processes import Child, Slot
from tf_psgan.runtime.progress import Progress
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.runtime.stderr import filtered_stderr

if TYPE_CHECKING:
    from tf_psgan.training.collection import Item

_CODE = (
    "import sys; from tf_psgan.cli import train; from tf_psgan.runtime import child_processes; "
    "child_processes.end_with_parent(); sys.exit(train.main(['psgan train', *sys.argv[1:]]))"
)
_OWN = ("each", "parallel", "images", "run", "preset", "flagfile", "undefok", "help", "h", "?")
"""Flags that are not passed on; presets and flag files are read by now."""

logger = logging.getLogger(__name__)


def define(values: flags.FlagValues) -> None:
    """The flags of many trainings."""
    text = (
        "Learns each picture of --images in a run of its own, in a folder of its name in --run, and writes index.md "
        "there. The same command continues: complete runs are left as they are, failed ones are tried again."
    )
    flags.DEFINE_bool("each", False, text, flag_values=values)
    text = "With --each: trainings at the same time; 0 for one on each GPU, or one where there is none."
    flags.DEFINE_integer("parallel", 0, text, lower_bound=0, flag_values=values)


def run(values: flags.FlagValues, folder: Path) -> str:
    """Trains what is not complete; the path of the page.

    Raises:
      InputError: settings or pictures that cannot be used; or trainings that failed, a line for each.
    """
    for name in ("explain", "dry_run", "workers"):
        if values[name].value != values[name].default:
            raise SettingError(f"each, {name}", "are not made for each other", "leave one of them out")
    config, given = read_config(values), given_settings(values)
    with filtered_stderr():
        from tf_psgan.data import manifest
        from tf_psgan.runs import outputs
        from tf_psgan.runs.run_folder import RunFolder
        from tf_psgan.training import collection

    if not config.data.images:
        raise SettingError("images", "none are given", "name pictures or folders of pictures", settings=("images",))
    if RunFolder(folder).exists:
        problem = "is a run, and --each makes a folder of runs"
        raise RunError(str(folder), problem, "choose another folder", settings=("run",))
    RunFolder(folder).check_place()
    outputs.check_owner(folder, "run")
    outputs.check_apart(folder, config.data.images)
    slots = _slots(values)
    items = collection.items(folder, manifest.scan(config.data.images, maps=config.model.maps))
    if not items:
        raise SettingError("images", "no pictures found", "name pictures or folders with pictures")
    folder.mkdir(parents=True, exist_ok=True)
    busy = RunError(str(folder), "another process trains its runs", "wait for it", settings=("run",))
    with locks.locked(folder / ".lock", busy):
        files.remove_temporaries(folder)
        return _Trainings(folder, items, config, given, _passed_on(values)).run(slots)


def child_command(arguments: Sequence[str]) -> list[str]:
    """`psgan train` with these arguments, as a process that ends with the one whose pipe is its standard input."""
    return [sys.executable, "-P", "-c", _CODE, *arguments]


class _Trainings:
    """The trainings of one command."""

    def __init__(
        self, folder: Path, items: Sequence["Item"], config: Config, given: set[str], passed: list[str]
    ) -> None:
        from tf_psgan.training import collection

        self.folder, self.items, self.config, self.given, self.passed = folder, items, config, given, passed
        self.collection = collection
        self.states: dict[str, str] = {}
        self.failures = {item.entry.path: item.entry.reason.rstrip(".") for item in items if item.entry.reason}

    def run(self, slots: Sequence[Slot]) -> str:
        """Trains side by side; the path of the page."""
        waiting = {item.name: item for item in self.items if item.name and not self._is_complete(item)}
        self.states |= {item.entry.path: "not trained yet" for item in waiting.values()}
        self.states |= {path: f"failed: {reason}" for path, reason in self.failures.items()}
        done = len(self.items) - len(waiting)
        learned = done - len(self.failures)
        logger.info("%s: %d of %d pictures are learned.", self.folder, learned, len(self.items))
        self._write_page()
        with StopSignals() as stopping, Progress(len(self.items), "pictures", display=True, initial=done) as progress:

            def on_end(child: Child, code: int) -> None:
                self._note(waiting[child.name], child, code, stopping.requested)
                progress.update()

            children = [self._child(item) for item in waiting.values()]
            child_processes.run(children, slots, lambda: stopping.requested, on_end)
        if stopping.requested:
            logger.info("stopped; the same command continues.")
        page = self.folder / self.collection.PAGE
        if self.failures:
            details = tuple(f"{path}: {reason.removeprefix(f'{path}: ')}." for path, reason in self.failures.items())
            problem = f"{len(details)} of {len(self.items)} pictures were not learned"
            raise InputError(str(self.folder), problem, "the same command tries them again", details=details)
        return str(page)

    def _child(self, item: "Item") -> Child:
        picture = os.path.abspath(item.entry.path).replace('"', '""')
        own = [f'--images="{picture}"', f"--run={(self.folder / item.name).absolute()}"]
        return Child(
            item.name, child_command([*self.passed, *own]), self.folder / self.collection.FILES / f"{item.name}.log"
        )

    def _is_complete(self, item: "Item") -> bool:
        from tf_psgan.runs.run_folder import RunFolder

        try:
            return self.collection.is_complete(RunFolder(self.folder / item.name), self.config, self.given)
        except InputError:
            return False  # its training will say why

    def _note(self, item: "Item", child: Child, code: int, is_stopping: bool) -> None:
        """What has become of a training."""
        path = item.entry.path
        self.states.pop(path, None)
        if code == 0 and self._is_complete(item):
            logger.info("%s: learned.", item.name)
        elif is_stopping:
            self.states[path] = "stopped"
        else:
            self.failures[path] = _reason(child.log, code)
            self.states[path] = f"failed: {self.failures[path]}"
            logger.warning("%s: %s.", item.name, self.failures[path])
        self._write_page()

    def _write_page(self) -> None:
        self.collection.write_page(self.folder, self.items, self.states)


def _slots(values: flags.FlagValues) -> list[Slot]:
    """Where trainings run: the GPUs in turn, with the cores divided among them.

    Raises:
      SettingError: more trainings than cores; or no GPU where one is wanted.
    """
    from tf_psgan.runtime import device

    device.choose(values.flag_values_dict()["device"])
    gpus = accelerator.gpus() if device.gpus() else []
    count, cores = values.parallel or max(1, len(gpus)), threads.cores()
    if count > cores:
        problem = f"{count} trainings at the same time are more than the {cores} cores"
        raise SettingError("parallel", problem, f"choose at most {cores}", value=count, settings=("parallel",))
    devices = [{"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} if gpus else {} for i in range(count)]
    return [Slot(environment, i, count) for i, environment in enumerate(devices)]


def _passed_on(values: flags.FlagValues) -> list[str]:
    """The given flags that every training has."""
    return [values[name].serialize() for name in values if values[name].present and name not in _OWN]


def _reason(log: Path, code: int) -> str:
    """Why a training failed: the last line of its output that says so, or how it ended."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    said = [line.removeprefix("error: ").rstrip(".:") for line in lines if line.startswith("error: ")]
    if said:
        return said[-1]
    how = f"was killed by signal {-code}" if code < 0 else f"ended early with exit code {code}"
    return f"the training {how}; its output is in {log}"
