"""The run: pictures -> step -> log -> preview -> checkpoint, until time or steps are up.

A run killed at any moment goes on from its newest good checkpoint and ends with exactly the
weights of one that was not killed: everything random follows from (seed, step), and threads
are pinned.
"""

import json
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import tensorflow as tf

from tf_psgan import checkpoint, device, evaluation, first_waves, geometry, manifest, noise, report
from tf_psgan.config import Config
from tf_psgan.data import Shelves
from tf_psgan.gan_step import GanStep
from tf_psgan.progress import Progress
from tf_psgan.run_folder import RunFolder

MOST_ROLLBACKS = 3
FIRST_PREVIEW_SECONDS = 15.0


class DivergedError(ArithmeticError):
    """Training met gradients that are not finite again and again."""


def prepare(config: Config) -> manifest.Manifest:
    """Checks everything that can be checked before training; the usable pictures.

    Raises:
      ValueError: no limit on the run's length, sizes that do not fit, or pictures that cannot be used.
    """
    training, layers = config.training, len(config.model.filters) + 1
    if not training.steps and not training.minutes:
        raise ValueError("steps and minutes are both 0: a run needs an end; set --steps or --minutes.")
    crop = config.data.crop_cells * geometry.pixels_per_cell(layers)
    if crop % 2 ** (len(config.model.critic_filters) + 1):
        raise ValueError(
            f"crop_cells: crops of {crop} pixels do not halve {len(config.model.critic_filters) + 1} times; "
            "choose another --crop_cells or fewer --critic_filters."
        )
    if not config.data.images:
        raise ValueError("images: none named; give --images=PICTURE_OR_FOLDER[,...].")
    return manifest.check(manifest.scan(config.data.images), crop)


def rehearse(config: Config, path: Path) -> str:
    """Checks everything that `train` would and trains nothing; a line that says what would be trained."""
    pictures = prepare(config)
    folder = RunFolder(path)
    if (path / "config.json").exists():
        folder.check_config(config)
    count = len(pictures.usable)
    return f"{path}: ready to learn from {count} picture{'s' * (count != 1)}; nothing was trained or written."


def train(config: Config, path: Path) -> Path:
    """Trains in a run folder, or goes on where the run there stopped.

    Returns:
      The run's folder.

    Raises:
      ValueError: a setting, a picture or the folder cannot be used.
      DivergedError: the training broke down; the last good checkpoint and a report stand.
    """
    pictures = prepare(config)
    threads = device.pin_threads(config.training.threads)
    folder = RunFolder(path)
    with folder.locked():
        folder.write_config(config)
        _keep_manifest(folder, pictures)
        run = _Run(config, folder, pictures, threads)
        run.go()
    return path


class _Run:
    """One process's part of a run."""

    def __init__(self, config: Config, folder: RunFolder, pictures: manifest.Manifest, threads: int) -> None:
        self.config, self.folder = config, folder
        dtype = device.compute_type(config.training.dtype)
        conditions = device.conditions(threads, dtype)
        self.step = GanStep(config, dtype)
        side = config.data.crop_cells * self.step.generator.pixels_per_cell
        self.shelves = Shelves(
            pictures, side, config.training.seed, config.data.cache_megabytes << 20, config.data.turn_steps
        )
        self.sources = evaluation.Sources.read(pictures)
        self.state = self.step.state()
        self.evaluator = evaluation.Evaluator(self.sources, config.training, self.folder)
        self.done_seconds = self._resume(conditions)
        self.began = time.monotonic()
        self.stop_signal = 0

    @property
    def seconds(self) -> float:
        """Training time of the run so far, over all its processes."""
        return self.done_seconds + time.monotonic() - self.began

    def go(self) -> None:
        """The loop; ends with a checkpoint, an evaluation and the report."""
        training = self.config.training
        progress = Progress(training, int(self.step.step), self.seconds)
        next_preview = max(self.seconds, FIRST_PREVIEW_SECONDS) if not self.folder.read_metrics() else self.seconds
        next_preview += 60 * training.evaluate_minutes if self.folder.read_metrics() else 0
        next_checkpoint = self.seconds + 60 * training.checkpoint_minutes
        broken = ""
        previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            while not self._is_over() and not self.stop_signal:
                at = int(self.step.step)
                losses = self.step(self.shelves.at(at))
                progress.step(at + 1, self.seconds, losses)
                if int(self.step.skipped_in_a_row) >= training.patience and (broken := self._roll_back()):
                    break
                if self.seconds >= next_checkpoint or (
                    training.checkpoint_steps and (at + 1) % training.checkpoint_steps == 0
                ):
                    self._save()
                    next_checkpoint = self.seconds + 60 * training.checkpoint_minutes
                if self.seconds >= next_preview:
                    progress.metrics(self._evaluate(losses))
                    next_preview = self.seconds + 60 * training.evaluate_minutes
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        progress.end()
        if not broken:
            self._evaluate(progress.losses)
            self._save()
        report.write(self.folder, self.config, self.sources, broken)
        if broken:
            raise DivergedError(f"{self.folder.path}: {broken} See report.md; lower --learning_rate.")
        if self.stop_signal:
            progress.say(f"stopped at step {int(self.step.step)}; the same command goes on from here.")

    def _resume(self, conditions: dict[str, Any]) -> float:
        """Restores the newest good checkpoint, or starts the waves; the seconds trained before."""
        found = checkpoint.restore(self.folder.checkpoints, self.state)
        checkpoint.clean(self.folder.checkpoints)
        for reason in found.rejected:
            Progress.say(f"checkpoint passed over: {reason}")
        self.folder.forget_after(found.step)
        if found.path is None:
            self.folder.write("conditions.json", json.dumps(conditions, indent=2) + "\n")
            if self.config.model.waves:
                self.step.start_waves(self._first_waves())
            self._settle()
            self._save_at(0.0)
            return 0.0
        Progress.say(f"resumed from {found.path.name}.")
        before = json.loads((self.folder.path / "conditions.json").read_text(encoding="utf-8"))
        for name in conditions:
            if before.get(name) != conditions[name]:
                Progress.say(f"{name} was {before.get(name)} and is {conditions[name]}: the last bits will differ.")
        return float(found.notes["seconds"])

    def _first_waves(self) -> Any:
        how, side = self.config.training.first_waves, self.step.generator.pixels_per_cell
        return first_waves.first_waves(self.sources.pictures, self.config.model, how, side)

    def _is_over(self) -> bool:
        training = self.config.training
        over_steps = training.steps and int(self.step.step) >= training.steps
        return bool(over_steps or (training.minutes and self.seconds >= 60 * training.minutes))

    def _settle(self) -> None:
        self.step.settle(noise.fold(self.config.training.seed, -1, self.step.step))

    def _save(self) -> None:
        self._settle()
        self._save_at(self.seconds)

    def _save_at(self, seconds: float) -> None:
        keep = self.config.training.keep
        checkpoint.save(self.folder.checkpoints, int(self.step.step), self.state, {"seconds": seconds}, keep)

    def _roll_back(self) -> str:
        """Goes back to the last good checkpoint on another path of random numbers; a reason where that is no use."""
        rollbacks, at = int(self.step.rollbacks) + 1, int(self.step.step)
        found = checkpoint.restore(self.folder.checkpoints, self.state)
        if rollbacks > MOST_ROLLBACKS:
            return f"gradients were not finite again after {MOST_ROLLBACKS} roll-backs, at step {at}."
        self.step.rollbacks.assign(rollbacks)
        self.folder.forget_after(found.step)
        Progress.say(f"gradients not finite at step {at}: back to step {found.step}.")
        return ""

    def _evaluate(self, losses: dict[str, tf.Tensor]) -> dict[str, float]:
        self._settle()
        numbers = {name: float(value) for name, value in losses.items()}
        counters = {"step": int(self.step.step), "seconds": round(self.seconds, 2), "skipped": int(self.step.skipped)}
        return self.evaluator.evaluate(self.step.averaged, counters | numbers)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stop_signal == signal.SIGINT == number:
            raise KeyboardInterrupt  # asked twice: do not wait for the save
        self.stop_signal = number


def _keep_manifest(folder: RunFolder, pictures: manifest.Manifest) -> None:
    """Writes the manifest of a new run; a resumed run must have the same pictures."""
    file = folder.path / "manifest.json"
    if file.exists() and (folder.checkpoints).exists():
        before = manifest.from_json(file.read_text(encoding="utf-8"))
        if different := manifest.difference(before, pictures):
            raise ValueError(f"{folder.path}: {different}; put the pictures back or choose another --run.")
    folder.write("manifest.json", manifest.to_json(pictures))
