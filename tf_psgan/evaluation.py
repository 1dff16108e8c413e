"""Looks at a model while it trains: samples from its plane, a contact sheet, metrics and TensorBoard."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import images, manifest, metrics, noise
from tf_psgan.config import TrainingConfig
from tf_psgan.generator import SpatialGenerator
from tf_psgan.plane import Plane
from tf_psgan.run_folder import RunFolder

MOST_SOURCES = 32
SOURCE_PIXELS = 512
COLUMNS, SAMPLE_GAP, SOURCE_GAP = 4, 4, 24  # of a preview


@dataclasses.dataclass(frozen=True)
class Sources:
    """What samples are held against: the middles of the first pictures, at most MOST_SOURCES of SOURCE_PIXELS."""

    names: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]

    @classmethod
    def read(cls, pictures: manifest.Manifest) -> "Sources":
        """Decodes the pictures."""
        entries = pictures.usable[:MOST_SOURCES]
        read = tuple(_middle(manifest.read(entry), SOURCE_PIXELS) for entry in entries)
        return cls(tuple(entry.path for entry in entries), read)


class Evaluator:
    """Makes samples and measures them; files go to the run's folder."""

    def __init__(self, sources: Sources, training: TrainingConfig, folder: RunFolder) -> None:
        self.sources, self.training, self.folder = sources, training, folder
        self._features = {
            name: metrics.features([picture]) for name, picture in zip(sources.names, sources.pictures, strict=True)
        }
        self._writer = tf.summary.create_file_writer(str(folder.logs))

    def evaluate(
        self, generator: SpatialGenerator, counters: Mapping[str, Any], losses: Mapping[str, Any]
    ) -> dict[str, float]:
        """Writes a preview, a line of metrics and TensorBoard's events for a settled generator.

        Args:
          counters: `step`, `seconds` and what else is to stand in the line.
          losses: of the newest step, scalars.

        Returns:
          The metrics of `measure`.
        """
        samples = self.samples(generator)
        measured = self.measure(samples, several=bool(generator.config.global_channels))
        lengths = wave_lengths(generator)
        step, page = counters["step"], self.page(samples)
        self.folder.previews.mkdir(exist_ok=True)
        images.write_png(self.folder.preview(step), page)
        shown = _finite({name: round(float(value), 5) for name, value in {**losses, **measured}.items()})
        sizes = {"samples": len(samples), "sample_pixels": self.training.sample_pixels}
        self.folder.add_metrics({**counters, **sizes, **shown, "wave_lengths_pixels": [round(v, 3) for v in lengths]})
        self.log(step, losses)
        with self._writer.as_default(step=step):
            for name, value in _finite(measured).items():
                if value is not None:
                    tf.summary.scalar(f"pictures/{name}", value)
            for i, length in enumerate(lengths):
                tf.summary.scalar(f"wave_length_pixels/{i}", length)
            tf.summary.image("source_and_samples", page[np.newaxis])
        self._writer.flush()
        return measured

    def log(self, step: int, losses: Mapping[str, Any]) -> None:
        """Hands the losses of a step to TensorBoard."""
        with self._writer.as_default(step=step):
            for name, value in losses.items():
                tf.summary.scalar(f"training/{name}", value)

    def close(self) -> None:
        """Writes out what TensorBoard has not got yet."""
        self._writer.close()

    def page(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """A preview at one scale: the middles of the sources on the left, samples on the right beyond a wide gap."""
        rows, right = math.ceil(len(samples) / COLUMNS), images.sheet(samples, COLUMNS, SAMPLE_GAP)
        sources = self.sources.pictures[: COLUMNS * rows]
        pixels = right.shape[0] if len(sources) == 1 else self.training.sample_pixels
        left = images.sheet([_middle(source, pixels) for source in sources], math.ceil(len(sources) / rows), SAMPLE_GAP)
        return images.sheet([left, right], columns=2, gap=SOURCE_GAP)

    def samples(self, generator: SpatialGenerator) -> list[np.ndarray]:
        """Windows of planes of other seeds and, with global channels, other textures."""
        plane, side = Plane(generator), self.training.sample_pixels
        return [plane.window(i, i, top=0, left=0, height=side, width=side) for i in range(self.training.samples)]

    def measure(self, samples: list[np.ndarray], several: bool) -> dict[str, float]:
        """The metrics of `metrics.compare`; where one model holds several textures, each sample against its nearest
        source, averaged, and `covered`, the number of sources that are some sample's nearest."""
        if not several or len(self.sources.pictures) == 1:
            return metrics.compare(samples, self.sources.pictures)
        by_name = dict(zip(self.sources.names, self.sources.pictures, strict=True))
        nearest = [metrics.nearest(sample, self._features)[0] for sample in samples]
        rows = [metrics.compare([s], [by_name[name]]) for s, name in zip(samples, nearest, strict=True)]
        found = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        means = {key: float(np.nanmean(v)) if not np.isnan(v).all() else math.nan for key, v in found.items()}
        return means | {"covered": float(len(set(nearest)))}


def wave_lengths(generator: SpatialGenerator, texture: int = 0) -> list[float]:
    """The learned wave lengths of a texture in pixels, longest first; beyond 1e9 for a wave that stands still."""
    z_global = noise.global_vector(texture, generator.config.global_channels)[tf.newaxis]
    size = np.linalg.norm(np.asarray(generator.wave_numbers(z_global)[0]), axis=-1)
    return sorted((2.0 * math.pi * generator.pixels_per_cell / np.maximum(size, 1e-9)).tolist(), reverse=True)


def _middle(picture: np.ndarray, pixels: int) -> np.ndarray:
    top, left = (max(extent - pixels, 0) // 2 for extent in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + pixels, left : left + pixels])


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: a figure that does not apply is null."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
