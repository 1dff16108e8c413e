"""Previews of a model during training: samples, a contact sheet, metrics, and TensorBoard's events."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.config import TrainingConfig
from tf_psgan.data import images
from tf_psgan.evaluation.evaluator import Evaluator, Sources, finite
from tf_psgan.latents import noise
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import files


class Preview:
    """Makes samples of a generator, measures them, and writes the results into a run's folder.

    Args:
      sources: the pictures that samples are measured against.
      training: number and size of the samples.
      folder: the run's.
    """

    def __init__(self, sources: Sources, training: TrainingConfig, folder: RunFolder) -> None:
        self.training, self.folder, self.evaluator = training, folder, Evaluator(sources)
        self._writer = tf.summary.create_file_writer(str(folder.logs))

    def evaluate(
        self, generator: SpatialGenerator, counters: Mapping[str, Any], losses: Mapping[str, Any]
    ) -> dict[str, float]:
        """Writes a contact sheet, a row of metrics and TensorBoard's events.

        Args:
          generator: a recalibrated generator.
          counters: `step`, `seconds` and whatever else the row has to hold.
          losses: scalars of the newest step, by name.

        Returns:
          The metrics of `Evaluator.measure`.
        """
        samples = self.samples(generator)
        measured = self.evaluator.measure(samples, several=bool(generator.global_channels))
        lengths = wave_lengths(generator)
        step, page = counters["step"], self.evaluator.sheet(samples)
        self.folder.previews.mkdir(exist_ok=True)
        images.write_png(self.folder.preview(step), page)
        values = finite({name: round(float(value), 5) for name, value in {**losses, **measured}.items()})
        sizes = {"samples": len(samples), "sample_pixels": self.training.sample_pixels}
        self.folder.add_metrics({**counters, **sizes, **values, "wave_lengths_pixels": [round(v, 3) for v in lengths]})
        self.log(step, losses)
        with files.naming(self.folder.logs), self._writer.as_default(step=step):
            for name, value in finite(measured).items():
                if value is not None:
                    tf.summary.scalar(f"metrics/{name}", value)
            for i, length in enumerate(lengths):
                tf.summary.scalar(f"wave_length_pixels/{i}", length)
            tf.summary.image("source_and_samples", page[np.newaxis])
            self._writer.flush()
        return measured

    def log(self, step: int, losses: Mapping[str, Any]) -> None:
        """Passes the losses of a step to TensorBoard."""
        with files.naming(self.folder.logs), self._writer.as_default(step=step):
            for name, value in losses.items():
                tf.summary.scalar(f"training/{name}", value)

    def close(self) -> None:
        """Closes TensorBoard's file."""
        self._writer.close()

    def samples(self, generator: SpatialGenerator) -> list[np.ndarray]:
        """Windows at the origin, uint8 [side, side, 3]: sample i has seed i and, with global channels, texture i.

        At the scale at which the generator learns the pictures.
        """
        folded, side = fold(generator).picture(), self.training.sample_pixels
        as_learned = dataclasses.replace(folded.config, downsampling=1)
        plane = TexturePlane(dataclasses.replace(folded, config=as_learned))
        return [plane.window(side, side, seed=i, texture=i) for i in range(self.training.samples)]


def wave_lengths(generator: SpatialGenerator, texture: int = 0) -> list[float]:
    """The learned wave lengths of a texture in pixels, longest first; above 1e9 for a zero wave number."""
    z_global = noise.global_vector(texture, generator.global_channels)[tf.newaxis]
    norms = np.linalg.norm(np.asarray(generator.wave_numbers(z_global)[0]), axis=-1)  # radians per cell
    return sorted((2.0 * math.pi * generator.pixels_per_cell / np.maximum(norms, 1e-9)).tolist(), reverse=True)
