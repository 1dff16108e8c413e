"""The training run: restore, then step, log, preview and checkpoint until time or steps are up or it has converged.

A run that is killed at any moment resumes from its newest good checkpoint and ends with the same weights, bit for bit,
as a run that was never killed: all random numbers follow from (seed, step), and the number of threads is fixed.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry, material
from tf_psgan.config import Config, ModelConfig
from tf_psgan.data import manifest
from tf_psgan.data.image_cache import ImageCache
from tf_psgan.errors import SettingError
from tf_psgan.evaluation import lattice
from tf_psgan.evaluation.evaluator import MAX_SOURCES, SOURCE_PIXELS, Sources
from tf_psgan.latents import noise, texture_names
from tf_psgan.loading import Plane, build_exemplar, read_exemplar
from tf_psgan.runs import checkpoint, outputs
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.runtime.cluster import Cluster, share
from tf_psgan.runtime.progress import Progress
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.runtime.workers import ALONE, Workers
from tf_psgan.signal_processing import central_crop, downsampled
from tf_psgan.training import following, preflight, preview, report, until, wave_initialisation
from tf_psgan.training.compiled_steps import CompiledSteps
from tf_psgan.training.gan_step import GanStep, crop_pixels
from tf_psgan.training.schedule import Schedule, Speed

MAX_ROLLBACKS = 3
FIRST_PREVIEW_SECONDS = 15.0
DETAILED = 2
"""Samples with the detail stage in the report."""
LOG_STEPS = 25
"""Steps between two entries of the losses in TensorBoard."""
SHOWN_LOSSES = ("generator_loss", "discriminator_loss")
"""Losses that the progress display shows."""
SHOWN_METRICS = ("sliced_wasserstein", "log_spectrum")
"""Metrics of the newest preview that the progress display shows."""

logger = logging.getLogger(__name__)


class DivergedError(ArithmeticError):
    """Losses, gradients or weights were not finite after several roll-backs.

    Args:
      message: what happened.
      settings: names of the settings to change.
    """

    def __init__(self, message: str, settings: tuple[str, ...] = ("learning_rate",)) -> None:
        super().__init__(message)
        self.settings = settings


def dry_run(config: Config, run_folder: Path, workers: int = 1) -> str:
    """Makes the checks of `train`, but trains and writes nothing; returns one line on what would be trained.

    Args:
      config, run_folder: as for `train`.
      workers: processes that are to train together.

    Raises:
      InputError: as `train`.
    """
    folder = RunFolder(run_folder)
    share(config.data.batch_size, workers)
    pictures = preflight.prepare(config, folder)
    folder.check_unlocked()
    if config.model.waves:
        _initial_wave_numbers(config, pictures)
    if config.rendering.detail != "none" and (not folder.has_begun() or folder.read_exemplar() is None):
        build_exemplar(pictures, config.model)
    state = _gan_step(config, pictures).state()
    _check_space(folder, config, state)
    if folder.has_begun():
        folder.read_conditions()
        folder.read_metrics()
        folder.read_textures(config.model.global_channels)
        found = checkpoint.restore(folder.checkpoints, state)
        for reason in found.rejected:
            logger.warning("checkpoint rejected: %s", reason)
    return f"{run_folder}: ready to train on {preflight.describe(config, pictures)}. Nothing was trained or written."


def train(
    config: Config,
    run_folder: Path,
    *,
    progress: bool = False,
    compiled: bool | None = None,
    cluster: Cluster | None = None,
) -> Path:
    """Trains in a run folder, or resumes the run that is there.

    SIGINT and SIGTERM end the training after the current step, or the current 25 of them where they are compiled, with
    a checkpoint and a report.

    The processes of a cluster train together: each calls this with the same settings and its own index. The first one
    reads and writes the run folder; the others get the state from it. A signal to one of them ends all.

    Args:
      config: all settings. A resumed run accepts other settings only where they do not change its result.
      run_folder: created where it is missing.
      progress: draws a progress bar if standard error is a terminal; otherwise progress is logged.
      compiled: trains in the form of `compiled_steps`; None: on a GPU only, since it is slower on processors. Several
        workers cannot.
      cluster: the processes that train together; None for this one alone.

    Returns:
      The run folder.

    Raises:
      InputError: a setting, a picture or the folder cannot be used.
      DivergedError: training failed; the last good checkpoint and a report remain.
      LostWorker: another process of the cluster ended or does not answer; the checkpoints remain.
    """
    folder, workers = RunFolder(run_folder), Workers(cluster)
    share(config.data.batch_size, workers.count)
    if workers.count > 1 and compiled:
        problem = f"{workers.count} workers train without compilation"
        raise SettingError("compile", f"'yes', but {problem}", "choose auto or no", value=compiled)
    pictures = preflight.prepare(config, folder)
    threads = device.set_threads(config.training.threads)
    with contextlib.ExitStack() as stack:
        stack.enter_context(workers.connected())
        following.check_agreement(workers, config, pictures)
        if not workers.is_first:
            following.follow(workers, _gan_step(config, pictures, workers), _image_cache(config, pictures))
            return run_folder
        stack.enter_context(folder.locked())
        folder.write_config(config)
        folder.write("manifest.json", manifest.to_json(pictures))
        if not folder.has_begun():
            folder.exemplar.unlink(missing_ok=True)  # of other pictures, from a run that failed before its first step
        logger.info("%s: %s, threads %d.", run_folder, preflight.describe(config, pictures), threads)
        if config.rendering.detail != "none":
            read_exemplar(folder)
        compiled = bool(device.gpus()) and workers.count == 1 if compiled is None else compiled
        _Run(config, folder, pictures, workers, threads, progress, compiled).train()
    return run_folder


class _Run:
    """One process's part of a run: of several workers, the first one's."""

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        pictures: manifest.Manifest,
        workers: Workers,
        threads: int,
        display: bool,
        compiled: bool,
    ) -> None:
        self.config, self.folder, self.workers = config, folder, workers
        dtype = device.compute_type(config.training.dtype)
        self.step = _gan_step(config, pictures, workers)
        self.compiled = CompiledSteps(self.step) if compiled else None
        self.state = self.step.state()
        _check_space(folder, config, self.state)
        self.pictures, self.sources = pictures, Sources.read(pictures, config.model.downsampling)
        self.preview = preview.Preview(self.sources, config.training, folder)
        self.cache = _image_cache(config, pictures)
        self.speed = Speed()
        self.losses: dict[str, tf.Tensor] = {}
        self.saved_step = -1  # of this process's newest checkpoint
        self.has_settled = False  # as of the newest evaluation
        self.is_stopped_elsewhere = False  # by a signal to another worker
        self.began = time.monotonic()
        self.conditions = device.conditions(threads, dtype, compiled, workers.count)
        self.began -= self._restore(self.conditions)
        following.give_state(workers, self.state)
        self.progress = Progress(config.training.steps or None, "steps", display=display, initial=self.steps_done)

    @property
    def steps_done(self) -> int:
        """Training steps of the run so far."""
        return int(self.step.step)

    @property
    def seconds(self) -> float:
        """Training time of the run so far, over all its processes."""
        return time.monotonic() - self.began

    @property
    def is_finished(self) -> bool:
        """Whether time or steps are up or, if the run ends then, its metrics have stopped improving."""
        training = self.config.training
        steps_are_up = training.steps and self.steps_done >= training.steps
        return bool(self.has_settled or steps_are_up or (training.minutes and self.seconds >= 60 * training.minutes))

    def train(self) -> None:
        """Trains to the end, then saves a checkpoint, evaluates and writes the report."""
        if self.is_finished and self.folder.read_metrics():
            logger.info("the run was finished at step %d; only its report is written again.", self.steps_done)
        with (
            StopSignals() as stopping,
            contextlib.closing(self.cache),
            contextlib.closing(self.preview),
            self.progress,
        ):
            try:
                self._steps(stopping)
                while not self._save():  # not finite: the run is back at an earlier step
                    self._steps(stopping)
                following.end(self.workers)
                finished = self.is_finished
                self._evaluate()
            except DivergedError as error:
                report.write(self.folder, self.config, self.sources, str(error))
                raise
            report.write(self.folder, self.config, self.sources, detailed=self._detailed() if finished else None)
        if not finished:
            logger.info("stopped at step %d; train again in the same folder to resume.", self.steps_done)

    def _detailed(self) -> report.Detailed | None:
        """Samples with the detail stage, and the pictures at their scale; None where the run has no such stage."""
        if self.config.rendering.detail == "none":
            return None
        plane, side = Plane.from_generator(self.step.averaged, self.folder.path), self.config.training.sample_pixels
        count = min(DETAILED, self.config.training.samples)
        samples = [plane.window(side, side, seed=i, texture=i) for i in range(count)]
        return report.Detailed(samples, Sources.read(self.pictures), plane.pixels_per_cell)

    def _steps(self, stopping: StopSignals) -> None:
        """Steps, with previews and checkpoints when they are due, until the run is finished or a signal arrives."""
        training, now = self.config.training, self.seconds
        previews = Schedule(training.evaluate_minutes, 0, now, FIRST_PREVIEW_SECONDS)
        checkpoints = Schedule(training.checkpoint_minutes, training.checkpoint_steps, now)
        while not (self.is_finished or stopping.requested or self.is_stopped_elsewhere):
            began = time.monotonic()
            steps = self._advance()
            skipped_in_a_row = int(self.step.skipped_in_a_row)  # waits until the steps are done
            self.speed.add(time.monotonic() - began, steps)
            self._show_progress()
            if self.steps_done % LOG_STEPS == 0:
                self.preview.log(self.steps_done, self.losses)
            if skipped_in_a_row >= training.max_nonfinite_steps:
                self._roll_back("gradients were not finite")
            # Not while steps are skipped: a roll-back has to go back to a step before the first of them.
            if not skipped_in_a_row and checkpoints.is_due(self.seconds, self.steps_done):
                self._save()
                checkpoints.done(self.seconds)
            if previews.is_due(self.seconds, self.steps_done):
                self._evaluate()
                previews.done(self.seconds)

    def _advance(self) -> int:
        """Trains one step, or all compiled steps up to the next one after which something is due; how many."""
        done = self.steps_done
        packed = self.cache.at(done)
        if self.compiled is None:
            self.is_stopped_elsewhere = following.begin_step(self.workers)
            self.losses = self.step(packed)
            return 1
        # At the same steps after an interruption, so that a roll-back would come at the same step, too.
        refresh = 0 if self.cache.fits else self.config.data.cache_refresh_steps
        every = (LOG_STEPS, self.compiled.most, self.config.training.checkpoint_steps, refresh)
        limit = [self.config.training.steps - done] if self.config.training.steps else []
        count = min([*(interval - done % interval for interval in every if interval), *limit])
        try:
            self.losses = self.compiled(packed, tf.constant(count))
        except tf.errors.OpError as error:
            has_worked = self.speed.steps_per_second is not None
            if has_worked or isinstance(error, tf.errors.ResourceExhaustedError):
                raise
            reason = error.message.partition("\n")[0][:200]
            logger.warning(
                "the compiled training step failed (%s): training without compilation, which a GPU does slowly.", reason
            )
            self.compiled = None
            self.folder.note_conditions(self.conditions | {"compiled": False}, done)
            return self._advance()
        return count

    def _show_progress(self) -> None:
        self.progress.total = self._expected_steps()
        losses = {name: self.losses[name] for name in SHOWN_LOSSES if name in self.losses}
        self.progress.update(self.steps_done - self.progress.done, **losses)

    def _expected_steps(self) -> float | None:
        """Steps at the end of the run, from its limits and its mean speed so far; None where it has no limit."""
        training, done = self.config.training, self.steps_done
        by_time = done * 60 * training.minutes / self.seconds if training.minutes else float("inf")
        expected = min(training.steps or float("inf"), by_time)
        return None if expected == float("inf") else max(expected, done)

    def _restore(self, conditions: dict[str, Any]) -> float:
        """Restores the newest good checkpoint, or initialises a new run; returns the seconds trained before."""
        found = checkpoint.restore(self.folder.checkpoints, self.state)
        checkpoint.clean(self.folder.checkpoints)
        for reason in found.rejected:
            logger.warning("checkpoint rejected: %s", reason)
        self._forget_after(found.step)
        if found.path is None:
            self.folder.write_conditions(conditions)
            if self.config.model.waves:
                self.step.set_wave_numbers(_initial_wave_numbers(self.config, self.pictures))
            if self.step.classes:
                self._name_textures()
            self._save_checkpoint(0.0)
            return 0.0
        logger.info("resumed from %s.", found.path.name)
        for change in self.folder.note_conditions(conditions, found.step):
            logger.warning("%s: the last bits will differ from those of an uninterrupted run.", change)
        self.saved_step = found.step
        return float(found.notes["seconds"])

    def _forget_after(self, step: int) -> None:
        """Drops the evaluations after a step that the run goes back to."""
        self.folder.forget_after(step)
        self._check_settled()

    def _check_settled(self) -> None:
        is_asked = self.config.training.until == "settled"
        self.has_settled = is_asked and until.has_settled(self.folder.read_metrics())

    def _name_textures(self) -> None:
        """Stores the global vector of each class under the name of its picture."""
        paths, channels = [entry.path for entry in self.pictures.usable], self.config.model.global_channels
        for number, name in enumerate(texture_names.of_paths(paths)):
            vector = noise.global_vector(number, channels).numpy().tolist()
            self.folder.write_texture(name, vector, {"step": None, "picture": paths[number]})

    def _recalibrate(self) -> None:
        self.step.recalibrate(noise.fold(self.config.training.seed, -1, self.step.step))

    def _save(self) -> bool:
        """Saves a checkpoint; returns False after a roll-back because its values were not all finite."""
        if self.saved_step == self.steps_done:
            return True
        try:
            self._save_checkpoint(self.seconds)
        except ValueError as error:
            self._roll_back(str(error).partition(" at step")[0])
            return False
        return True

    def _save_checkpoint(self, seconds: float) -> None:
        self._recalibrate()
        notes, max_to_keep = {"seconds": seconds}, self.config.training.max_to_keep
        checkpoint.save(self.folder.checkpoints, self.steps_done, self.state, notes, max_to_keep)
        self.saved_step = self.steps_done

    def _roll_back(self, reason: str) -> None:
        """Returns to the last good checkpoint and continues with other random numbers.

        Raises:
          DivergedError: there were MAX_ROLLBACKS roll-backs before.
        """
        rollbacks, failed_step = int(self.step.rollbacks) + 1, self.steps_done
        found = checkpoint.restore(self.folder.checkpoints, self.state)
        if rollbacks > MAX_ROLLBACKS:
            raise DivergedError(
                f"{self.folder.path}: {reason} at step {failed_step}, after {MAX_ROLLBACKS} roll-backs; the checkpoint "
                f"of step {found.step} remains. Train in another folder with a lower learning rate."
            )
        self.step.rollbacks.assign(rollbacks)
        self.step.skipped_in_a_row.assign(0)
        following.give_state(self.workers, self.state)
        self._forget_after(found.step)
        text = "%s at step %d: back to step %d, roll-back %d of %d."
        logger.warning(text, reason, failed_step, found.step, rollbacks, MAX_ROLLBACKS)
        self._save_checkpoint(self.seconds)  # so that the count of roll-backs survives a kill

    def _evaluate(self) -> None:
        """Writes preview and metrics of this step, unless the run has them already."""
        if any(row["step"] == self.steps_done for row in self.folder.read_metrics()):
            return
        self._recalibrate()
        counters: dict[str, Any] = {name: int(getattr(self.step, name)) for name in ("step", "skipped", "rollbacks")}
        counters |= {"seconds": round(self.seconds, 2), "steps_per_second": self.speed.steps_per_second}
        measured = self.preview.evaluate(self.step.averaged, counters, self.losses)
        self.progress.update(0, **{name: measured[name] for name in SHOWN_METRICS})
        self._check_settled()
        if self.has_settled:
            logger.info("the metrics have stopped improving at step %d.", self.steps_done)


def _gan_step(config: Config, pictures: manifest.Manifest, workers: Workers = ALONE) -> GanStep:
    """The networks, not trained, and the step that trains them."""
    classes = len(pictures.usable) if preflight.is_class_conditional(config) else 0
    return GanStep(config, device.compute_type(config.training.dtype), classes, workers=workers)


def _image_cache(config: Config, pictures: manifest.Manifest) -> ImageCache:
    data, side = config.data, crop_pixels(config)
    memory, refresh = data.cache_megabytes << 20, data.cache_refresh_steps
    return ImageCache(
        pictures, side, config.training.seed, memory, refresh, config.model.downsampling, config.model.maps
    )


def _check_space(folder: RunFolder, config: Config, state: Mapping[str, tf.Variable]) -> None:
    """Raises InputError where the disk has no room for the checkpoints, of which one more exists while it is saved."""
    checkpoint_bytes = sum(variable.shape.num_elements() * variable.dtype.size for variable in state.values())
    training, kept = config.training, len(list(folder.checkpoints.glob("step-*")))
    needed = (
        max(1, training.max_to_keep + 1 - kept) * checkpoint_bytes + 3 * training.samples * training.sample_pixels**2
    )
    allowed = "make room, choose another folder, or keep fewer checkpoints"
    outputs.check_space(folder.checkpoints, needed, allowed, ("run", "max_to_keep"))


def _initial_wave_numbers(config: Config, pictures: manifest.Manifest) -> np.ndarray:
    """The initial wave numbers of the pictures; SettingError where so many waves do not fit into them."""
    model, wave_init = config.model, config.training.wave_init
    side = geometry.pixels_per_cell(len(model.filters) + 1)
    if preflight.is_class_conditional(config):
        read = (_picture_with_lattice(entry, model) for entry in pictures.usable)
        return wave_initialisation.initial_wave_numbers_by_class(read, model, wave_init, side)
    sources = [_picture_with_lattice(entry, model) for entry in pictures.usable[:MAX_SOURCES]]
    if model.waves and wave_init == "source" and not any(lattice.repeats([source]) for source in sources):
        logger.info("the pictures do not repeat; a Spatial GAN (waves=0) mostly learns such textures better.")
    return wave_initialisation.initial_wave_numbers(sources, model, wave_init, side)


def _picture_with_lattice(entry: manifest.Entry, model: ModelConfig) -> np.ndarray:
    """The centre of a picture as it is learned; of a material, of the first of its pictures that repeats."""
    whole = central_crop(downsampled(manifest.read(entry, model.maps), model.downsampling), SOURCE_PIXELS)
    return lattice.clearest(material.pictures(whole, model.maps)) if model.maps else whole
