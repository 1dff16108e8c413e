"""Finds the global vector whose plane looks most like a given picture.

A search through the generator, as GAN inversion (Zhu et al. 2016, arXiv:1609.03552) with a texture's statistics in the
place of pixels: random and known vectors first, then gradient descent from the nearest few on windows of ever new
noise, then a choice by metrics.py on the plane itself. All noise is counter-based and folded away from the planes that
users see, so that run, picture and seed decide the vector.
"""

import dataclasses
import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.evaluation import texture_metrics
from tf_psgan.evaluation.differentiable_metrics import Likeness
from tf_psgan.latents import noise, waves
from tf_psgan.networks.generator import SpatialGenerator, latent_field, paint_strips
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runtime.progress import Progress
from tf_psgan.signal_processing import central_crop

logger = logging.getLogger(__name__)

LARGEST = 512
"""Side in pixels beyond which only the picture's middle is looked at."""

SIDES = 128, 256
"""Least and largest side in pixels of the windows that are tried. They are as large as the picture where they can be:
the fewer blocks a spectrum is taken from, the lower its logarithm, and only a wrong texture could make up for that."""

RANDOM, STARTS, STEPS, RATE = 256, 8, 48, 0.05
"""Random vectors, those of them from which the descent starts, its steps, and the first step's length."""

JUDGED, JUDGED_PIXELS = 4, 256
"""Windows by which the ends are judged, and their largest side."""

_SCAN, _DESCENT, _CHOICE, _FLOOR = 1, 2, 3, 4  # streams of noise


@dataclasses.dataclass(frozen=True)
class Found:
    """A texture, and how near it is.

    vector: its global vector, float32 values in [-1, 1].
    distance: mean of `distances`, each over metrics.CHANCE: about 1 is the same texture, for 256 pixels a side.
    distances: log_spectrum, sliced_wasserstein and colour, as in metrics.py, between the picture (its middle, at most
      LARGEST a side) and a window of the texture of that extent.
    floor: `distance` between two such windows of the texture: as near as a picture of that extent can be expected to
      be, and more the smaller it is.
    """

    vector: tuple[float, ...]
    distance: float
    distances: dict[str, float]
    floor: float


def search(
    generator: SpatialGenerator,
    picture: np.ndarray,
    seed: int = 0,
    known: Iterable[Sequence[float]] = (),
    *,
    progress: bool = False,
) -> Found:
    """Finds the global vector whose plane is nearest to a picture.

    Args:
      generator: with its batch statistics settled; stays as it is.
      picture: uint8 [h, w, 3], at least 64 pixels a side, of one texture at the scale of the model's own pictures.
      seed: of the random vectors and of all noise.
      known: vectors to try beside random ones. In a model that is told its pictures apart nearly all random ones are
        of no use, its pictures' own are.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      ValueError: a model without global channels, or a picture too small to judge.
    """
    channels = generator.config.global_channels
    if not channels:
        raise ValueError("like: the model has one texture only; use a model with --global_channels, of many pictures.")
    if min(picture.shape[:2]) < 64:
        raise ValueError(
            f"like: {picture.shape[0]}x{picture.shape[1]} pixels are too few to know a texture by; "
            "give a picture of at least 64x64."
        )
    given = np.ascontiguousarray(central_crop(picture, LARGEST))
    trial = _Trial(generator, given)
    own = np.array(list(known), np.float32).reshape(-1, channels)
    random = noise.fold(seed, _SCAN, tf.range(RANDOM + -len(own) % STARTS, dtype=tf.int64))  # all batches are full
    tried = np.concatenate([noise.global_vector(random, channels).numpy(), own])
    batches = [trial.distances(tried[i : i + STARTS], noise.fold(seed, _SCAN, i)) for i in range(0, len(tried), STARTS)]
    far = np.concatenate(batches)
    starts = tried[np.argsort(far, kind="stable")[:STARTS]]
    also = f" and {len(own)} known" if len(own) else ""
    logger.info(
        "%d random%s textures: the nearest at %.2f, the median at %.2f", len(random), also, far.min(), np.median(far)
    )
    ends, near = _descend(trial, starts, noise.fold(seed, _DESCENT), progress)
    logger.info("%d steps from the %d nearest: now at %.2f .. %.2f", STEPS, STARTS, near.min(), near.max())
    return _nearest(TexturePlane(fold(generator)), given, np.concatenate([ends, starts]), seed)


def distance(distances: dict[str, float]) -> float:
    """One figure of the distances that metrics.CHANCE names: about 1 for two windows of one texture."""
    return float(np.mean([distances[name] / chance for name, chance in texture_metrics.CHANCE.items()]))


class _Trial:
    """Windows of any global vectors, on the network itself, held against a picture."""

    def __init__(self, generator: SpatialGenerator, picture: np.ndarray) -> None:
        self._generator, self._frozen = generator, fold(generator)
        side = np.clip(np.sqrt(picture.shape[0] * picture.shape[1]), *SIDES)
        self._cells = math.ceil(side / generator.pixels_per_cell)
        self._likeness = Likeness(picture, self._cells * generator.pixels_per_cell)

    def distances(self, vectors: np.ndarray, key: Any) -> np.ndarray:
        """How far a window of each vector [n, channels] is from the picture: [n]."""
        return self._distances(tf.constant(vectors), key).numpy()

    def slopes(self, vectors: np.ndarray, key: Any) -> tuple[np.ndarray, np.ndarray]:
        """The same, and the gradient of each [n, channels]."""
        far, slopes = self._slopes(tf.constant(vectors), key)
        return far.numpy(), slopes.numpy()

    @tf.function
    def _distances(self, vectors: Any, key: Any) -> tf.Tensor:
        return tf.reduce_mean(
            self._likeness(self._windows(vectors, key)) / list(texture_metrics.CHANCE.values()), axis=-1
        )

    @tf.function
    def _slopes(self, vectors: Any, key: Any) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(vectors)
            far = self._distances(vectors, key)
        return far, tape.gradient(far, vectors)

    def _windows(self, vectors: tf.Tensor, key: Any) -> tf.Tensor:
        """A window of each vector, of another plane each, without the halo: [n, side, side, 3] in levels."""
        config, extent, halo = self._frozen.config, self._cells + 2 * geometry.HALO, geometry.HALO
        keys = noise.fold(key, tf.range(tf.shape(vectors, tf.int64)[0]))
        z_local = noise.local(keys[:, tf.newaxis, tf.newaxis], 0, 0, extent, extent, config.local_channels)
        phase = waves.radians(noise.phases(keys, config.waves))
        numbers = self._generator.wave_numbers(vectors)
        z_periodic = waves.plane_waves(numbers, phase, extent, extent, config.quadrature)
        latents = latent_field(z_local, vectors[:, tf.newaxis, tf.newaxis], z_periodic)
        weights = chunks.cast(self._frozen.blocks, self._frozen.dtype)
        return (paint_strips(weights, latents, self._frozen.dtype)[:, halo:-halo, halo:-halo] + 1.0) * 127.5


def _descend(trial: _Trial, starts: np.ndarray, key: Any, display: bool) -> tuple[np.ndarray, np.ndarray]:
    """Adam (Kingma and Ba 2015) inside the cube, each step on other noise: the ends, and how far the last steps were.

    The steps' length falls to 0 as a cosine; so the last of them average over the noise.
    """
    vectors, mean, square = starts, np.zeros_like(starts), np.zeros_like(starts)
    lately: list[np.ndarray] = []
    with Progress(STEPS, "steps", description="texture", display=display) as progress:
        for step in range(STEPS):
            far, slopes = trial.slopes(vectors, noise.fold(key, step))
            mean, square = 0.9 * mean + 0.1 * slopes, 0.99 * square + 0.01 * slopes**2
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
            change = mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(square / (1 - 0.99 ** (step + 1))) + 1e-8)
            vectors = np.clip(vectors - rate * change, -1.0, 1.0).astype(np.float32)
            lately = [*lately, far][-STEPS // 4 :]
            progress.update(distance=far.min())
    return vectors, np.mean(lately, axis=0)


def _nearest(plane: TexturePlane, given: np.ndarray, vectors: np.ndarray, seed: int) -> Found:
    """The vector whose plane is nearest to the picture by metrics.py, and its distance on a window not yet seen."""
    textures = [tuple(map(float, vector)) for vector in vectors]
    rows, cols = given.shape[:2]

    def windows(texture: tuple[float, ...], stream: int, count: int, most: int) -> list[np.ndarray]:
        planes = noise.fold(seed, stream, tf.range(count, dtype=tf.int64)).numpy().tolist()
        return [plane.window(min(rows, most), min(cols, most), seed=each, texture=texture) for each in planes]

    known = texture_metrics.features([given])
    apart = [
        texture_metrics.distances(known, texture_metrics.features(windows(texture, _CHOICE, JUDGED, JUDGED_PIXELS)))
        for texture in textures
    ]
    best = textures[int(np.argmin([distance(distances) for distances in apart]))]
    one, other = (texture_metrics.features([window]) for window in windows(best, _FLOOR, 2, LARGEST))
    distances = texture_metrics.distances(known, one)
    return Found(best, distance(distances), distances, distance(texture_metrics.distances(one, other)))
