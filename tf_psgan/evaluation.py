"""Looks at a model while it trains: samples from its plane, a contact sheet, metrics and TensorBoard."""

import dataclasses
import math
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
TILE_CELLS = 8  # small tiles: samples are small


@dataclasses.dataclass(frozen=True)
class Sources:
    """What samples are held against: the middles of the first pictures, at most MOST_SOURCES of SOURCE_PIXELS."""

    names: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]

    @classmethod
    def read(cls, pictures: manifest.Manifest) -> "Sources":
        """Decodes the pictures."""
        entries = pictures.usable[:MOST_SOURCES]
        return cls(tuple(entry.path for entry in entries), tuple(_middle(manifest.read(entry)) for entry in entries))


class Evaluator:
    """Makes samples and measures them; files go to the run's folder."""

    def __init__(self, sources: Sources, training: TrainingConfig, folder: RunFolder) -> None:
        self.sources, self.training, self.folder = sources, training, folder
        self._features = {
            name: metrics.features([picture]) for name, picture in zip(sources.names, sources.pictures, strict=True)
        }
        self._writer = tf.summary.create_file_writer(str(folder.logs))

    def evaluate(self, generator: SpatialGenerator, counters: dict[str, Any]) -> dict[str, float]:
        """Writes a preview, a line of metrics and TensorBoard's events for a settled generator; the metrics."""
        samples = self.samples(generator)
        measured = self.measure(samples, several=bool(generator.config.global_channels))
        lengths = wave_lengths(generator)
        step = counters["step"]
        page = images.sheet(samples, columns=4)
        self.folder.previews.mkdir(exist_ok=True)
        images.write_png(self.folder.previews / f"step-{step:08d}.png", page)
        # JSON has no NaN: a figure that does not apply is null.
        shown = {name: None if math.isnan(value) else round(value, 5) for name, value in measured.items()}
        self.folder.add_metrics(counters | shown | {"wave_lengths_pixels": [round(v, 3) for v in lengths]})
        with self._writer.as_default(step=step):
            for name, value in (counters | measured).items():
                tf.summary.scalar(name, value)
            for i, length in enumerate(lengths):
                tf.summary.scalar(f"wave_length_pixels/{i}", length)
            tf.summary.image("samples", page[np.newaxis])
        self._writer.flush()
        return measured

    def samples(self, generator: SpatialGenerator) -> list[np.ndarray]:
        """Windows of planes of other seeds and, with global channels, other textures."""
        plane, side = Plane(generator, TILE_CELLS), self.training.sample_pixels
        return [plane.window(seed=i, texture=i, top=0, left=0, height=side, width=side) for i in range(self.training.samples)]

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
    """The learned wave lengths of a texture in pixels, longest first; infinite for a wave that stands still."""
    z_global = noise.global_vector(texture, generator.config.global_channels)[tf.newaxis]
    size = np.linalg.norm(np.asarray(generator.wave_numbers(z_global)[0]), axis=-1)
    return sorted((2.0 * math.pi * generator.pixels_per_cell / np.maximum(size, 1e-9)).tolist(), reverse=True)


def _middle(picture: np.ndarray) -> np.ndarray:
    top, left = (max(extent - SOURCE_PIXELS, 0) // 2 for extent in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + SOURCE_PIXELS, left : left + SOURCE_PIXELS])
