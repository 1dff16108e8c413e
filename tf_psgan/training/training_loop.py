"""The run: pictures -> step -> log -> preview -> checkpoint, until time or steps are up.

A run killed at any moment goes on from its newest good checkpoint and ends with exactly the
weights of one that was not killed: everything random follows from (seed, step), and threads
are pinned.
"""

import contextlib
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.data import manifest
from tf_psgan.data.image_cache import ImageCache
from tf_psgan.evaluation import lattice
from tf_psgan.evaluation.evaluator import SOURCE_PIXELS, Sources
from tf_psgan.latents import noise
from tf_psgan.runs import checkpoint
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.runtime.progress import Progress
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.signal_processing import central_crop
from tf_psgan.training import preflight, preview, report, wave_initialisation
from tf_psgan.training.gan_step import GanStep
from tf_psgan.training.schedule import Schedule, Speed

MOST_ROLLBACKS = 3
FIRST_PREVIEW_SECONDS = 15.0
LOG_STEPS = 25
SHOWN_LOSSES = ("generator_loss", "discriminator_loss")
SHOWN_METRICS = ("sliced_wasserstein", "log_spectrum")
"""What the progress shows, of the losses and of the newest preview's metrics."""

logger = logging.getLogger(__name__)


class DivergedError(ArithmeticError):
    """Training met values that are not finite again and again."""


def rehearse(config: Config, path: Path) -> str:
    """Checks everything that `train` would and trains nothing; a line that says what would be trained."""
    pictures = preflight.prepare(config, RunFolder(path))
    if config.model.waves:
        _initial_wave_numbers(config, pictures)
    return f"{path}: ready to learn from {preflight.describe(config, pictures)}; nothing was trained or written."


def train(config: Config, path: Path, *, progress: bool = False) -> Path:
    """Trains in a run folder, or goes on where the run there stopped.

    Args:
      progress: draws a progress bar if standard error is a terminal.

    Returns:
      The run's folder.

    Raises:
      ValueError: a setting, a picture or the folder cannot be used.
      DivergedError: the training broke down; the last good checkpoint and a report stand.
    """
    folder = RunFolder(path)
    pictures = preflight.prepare(config, folder)
    threads = device.set_threads(config.training.threads)
    with folder.locked():
        folder.write_config(config)
        folder.write("manifest.json", manifest.to_json(pictures))
        logger.info("%s: %s, threads %d.", path, preflight.describe(config, pictures), threads)
        _Run(config, folder, pictures, threads, progress).go()
    return path


class _Run:
    """One process's part of a run."""

    def __init__(
        self, config: Config, folder: RunFolder, pictures: manifest.Manifest, threads: int, display: bool
    ) -> None:
        self.config, self.folder = config, folder
        dtype = device.compute_type(config.training.dtype)
        conditional = config.training.conditioning == "class"
        self.step = GanStep(config, dtype, len(pictures.usable) if conditional else 0)
        self.state = self.step.state()
        self.pictures, self.sources = pictures, Sources.read(pictures)
        self.preview = preview.Preview(self.sources, config.training, folder)
        self.cache = ImageCache(
            pictures,
            preflight.crop_pixels(config),
            config.training.seed,
            config.data.cache_megabytes << 20,
            config.data.cache_refresh_steps,
        )
        self.speed = Speed()
        self.losses: dict[str, tf.Tensor] = {}
        self.saved = -1  # the step of this process's newest checkpoint
        self.began = time.monotonic()
        self.began -= self._resume(device.conditions(threads, dtype))
        self.progress = Progress(config.training.steps or None, "steps", display=display, initial=self.at)

    @property
    def at(self) -> int:
        """Steps done."""
        return int(self.step.step)

    @property
    def seconds(self) -> float:
        """Training time of the run so far, over all its processes."""
        return time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        """Whether time or steps are up."""
        training = self.config.training
        over_steps = training.steps and self.at >= training.steps
        return bool(over_steps or (training.minutes and self.seconds >= 60 * training.minutes))

    def _expected_steps(self) -> float | None:
        """Steps at the run's end, by its limits and its mean speed so far; None where it has no limit."""
        training = self.config.training
        by_time = self.at * 60 * training.minutes / self.seconds if training.minutes else float("inf")
        expected = min(training.steps or float("inf"), by_time)
        return None if expected == float("inf") else max(expected, self.at)

    def go(self) -> None:
        """The whole of it; ends with a checkpoint, an evaluation and the report."""
        if self.is_over and self.folder.read_metrics():
            logger.info("finished before, at step %d; only the report is written anew.", self.at)
        with (
            StopSignals() as stopping,
            contextlib.closing(self.cache),
            contextlib.closing(self.preview),
            self.progress,
        ):
            try:
                self._train(stopping)
                while not self._save():  # what was to be saved was not finite: the run is back at an earlier step
                    self._train(stopping)
                unfinished = not self.is_over
                self._evaluate()
            except DivergedError as error:
                report.write(self.folder, self.config, self.sources, str(error))
                raise
            report.write(self.folder, self.config, self.sources)
        if unfinished:
            logger.info("stopped at step %d; the same command goes on from here.", self.at)

    def _train(self, stopping: StopSignals) -> None:
        training, now = self.config.training, self.seconds
        previews = Schedule(training.evaluate_minutes, 0, now, FIRST_PREVIEW_SECONDS)
        checkpoints = Schedule(training.checkpoint_minutes, training.checkpoint_steps, now)
        while not self.is_over and not stopping.requested:
            began = time.monotonic()
            self.losses = self.step(self.cache.at(self.at))
            skipped_in_a_row = int(self.step.skipped_in_a_row)  # waits until the step is done
            self.speed.add(time.monotonic() - began)
            self.progress.total = self._expected_steps()
            self.progress.update(self.at - self.progress.done, **{name: self.losses[name] for name in SHOWN_LOSSES})
            if self.at % LOG_STEPS == 0:
                self.preview.log(self.at, self.losses)
            if skipped_in_a_row >= training.max_nonfinite_steps:
                self._roll_back("gradients were not finite")
            # Not while steps are skipped: a roll-back is to land before the trouble.
            if not skipped_in_a_row and checkpoints.is_due(self.seconds, self.at):
                self._save()
                checkpoints.done(self.seconds)
            if previews.is_due(self.seconds, self.at):
                self._evaluate()
                previews.done(self.seconds)

    def _resume(self, conditions: dict[str, Any]) -> float:
        """Restores the newest good checkpoint, or starts the waves; the seconds trained before."""
        found = checkpoint.restore(self.folder.checkpoints, self.state)
        checkpoint.clean(self.folder.checkpoints)
        for reason in found.rejected:
            logger.warning("checkpoint passed over: %s", reason)
        self.folder.forget_after(found.step)
        if found.path is None:
            self.folder.write_conditions(conditions)
            if self.config.model.waves:
                self.step.set_wave_numbers(_initial_wave_numbers(self.config, self.pictures))
            if self.step.classes:
                self._name_textures()
            self._save_at(0.0)
            return 0.0
        logger.info("resumed from %s.", found.path.name)
        for change in self.folder.note_conditions(conditions, found.step):
            logger.warning("%s: the last bits will differ from an unbroken run's.", change)
        self.saved = found.step
        return float(found.notes["seconds"])

    def _name_textures(self) -> None:
        """Stores each picture's global vector under the picture's name."""
        paths, channels = [entry.path for entry in self.pictures.usable], self.config.model.global_channels
        for number, name in enumerate(manifest.texture_names(paths)):
            vector = noise.global_vector(number, channels).numpy().tolist()
            self.folder.write_texture(name, vector, {"step": None, "picture": paths[number]})

    def _settle(self) -> None:
        self.step.recalibrate(noise.fold(self.config.training.seed, -1, self.step.step))

    def _save(self) -> bool:
        """Saves a checkpoint; if its values are not all finite, goes back to an earlier one and returns False."""
        if self.saved == self.at:
            return True
        try:
            self._save_at(self.seconds)
        except ValueError as error:
            self._roll_back(str(error).partition(" at step")[0])
            return False
        return True

    def _save_at(self, seconds: float) -> None:
        self._settle()
        checkpoint.save(
            self.folder.checkpoints, self.at, self.state, {"seconds": seconds}, self.config.training.max_to_keep
        )
        self.saved = self.at

    def _roll_back(self, reason: str) -> None:
        """Goes back to the last good checkpoint and on by other random numbers; DivergedError when it is no use."""
        rollbacks, at = int(self.step.rollbacks) + 1, self.at
        found = checkpoint.restore(self.folder.checkpoints, self.state)
        if rollbacks > MOST_ROLLBACKS:
            raise DivergedError(
                f"{self.folder.path}: {reason} at step {at}, after {MOST_ROLLBACKS} roll-backs; "
                f"step {found.step} stands. Lower --learning_rate in another --run folder."
            )
        self.step.rollbacks.assign(rollbacks)
        self.step.skipped_in_a_row.assign(0)
        self.folder.forget_after(found.step)
        logger.warning(
            "%s at step %d: back to step %d, roll-back %d of %d.", reason, at, found.step, rollbacks, MOST_ROLLBACKS
        )
        self._save_at(self.seconds)  # so that a kill does not forget the roll-back

    def _evaluate(self) -> None:
        """Previews and metrics of this step, unless the run has them already."""
        if any(row["step"] == self.at for row in self.folder.read_metrics()):
            return
        self._settle()
        counters: dict[str, Any] = {name: int(getattr(self.step, name)) for name in ("step", "skipped", "rollbacks")}
        counters |= {"seconds": round(self.seconds, 2), "steps_per_second": self.speed.steps_per_second}
        measured = self.preview.evaluate(self.step.averaged, counters, self.losses)
        self.progress.update(0, **{name: measured[name] for name in SHOWN_METRICS})


def _initial_wave_numbers(config: Config, pictures: manifest.Manifest) -> np.ndarray:
    """Where the wave numbers start; ValueError where so many do not fit into the pictures."""
    model, how = config.model, config.training.wave_init
    side = geometry.pixels_per_cell(len(model.filters) + 1)
    if config.training.conditioning == "class":
        read = (central_crop(manifest.read(entry), SOURCE_PIXELS) for entry in pictures.usable)
        return wave_initialisation.initial_wave_numbers_by_class(read, model, how, side)
    sources = Sources.read(pictures).pictures
    if model.waves and how == "source" and not any(lattice.repeats([source]) for source in sources):
        logger.info("the pictures repeat nowhere: waves=0, a Spatial GAN, mostly comes nearer to such textures.")
    return wave_initialisation.initial_wave_numbers(sources, model, how, side)
