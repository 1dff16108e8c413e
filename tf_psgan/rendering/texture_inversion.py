"""Texture inversion: finds the global vector whose plane looks most like a given picture.

GAN inversion (Zhu et al. 2016, arXiv:1609.03552) with the statistics of a texture instead of pixels. Random and known
vectors are scored first; gradient descent starts from the best, each step on windows of new noise; the candidates are
then compared by the metrics of `texture_metrics` on the plane itself. All noise is counter-based and separate from the
planes that users see, so the vector depends on run, picture and seed alone.
"""

import dataclasses
import logging
import math
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.evaluation import texture_metrics
from tf_psgan.evaluation.differentiable_metrics import DifferentiableMetrics
from tf_psgan.evaluation.texture_features import features
from tf_psgan.latents import noise, waves
from tf_psgan.networks import inference
from tf_psgan.networks.generator import SpatialGenerator, latent_field
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runtime.progress import SHORT_SECONDS, Progress
from tf_psgan.signal_processing import central_crop

logger = logging.getLogger(__name__)

LARGEST = 512
"""Of a picture with more pixels a side only the centre is used."""

SMALLEST = 64
"""Least pixels of a picture along each side."""

SIDES = 128, 256
"""Smallest and largest side in pixels of the windows in the search. As large as the picture if possible: the mean log
spectrum rises with the number of blocks it is estimated from, and only a wrong texture could make up for that."""

RANDOM, STARTS, STEPS, RATE = 256, 8, 48, 0.05
"""Number of random vectors, number of them that start a descent, its steps, and the length of its first step."""

COMPARED, COMPARED_PIXELS = 4, 256
"""Number of windows that a candidate is compared by at the end, and their largest side in pixels."""

_SCAN, _DESCENT, _CHOICE, _FLOOR = 1, 2, 3, 4  # streams of noise


@dataclasses.dataclass(frozen=True)
class FoundTexture:
    """A texture and its distance from the picture.

    Args:
      vector: the global vector, float32 values in [-1, 1].
      distance: mean of `distances`, each divided by `texture_metrics.CHANCE`; about 1 for two windows of one texture of
        256 pixels a side.
      distances: log_spectrum, sliced_wasserstein and colour, as in `texture_metrics`, between the picture (its centre,
        at most LARGEST pixels a side) and a window of the texture of that extent.
      floor: `distance` between two such windows of the texture: the best that can be expected; larger for small
        pictures.
      name: under which it is stored; "" where it is not.
    """

    vector: tuple[float, ...]
    distance: float
    distances: dict[str, float]
    floor: float
    name: str = ""

    def __str__(self) -> str:
        """Name and distances."""
        each = ", ".join(f"{name} {value:.3f}" for name, value in self.distances.items())
        return (
            f"texture {self.name}: distance {self.distance:.2f} ({each}); "
            f"two windows of the texture itself: {self.floor:.2f}"
        )


def invert(
    generator: SpatialGenerator,
    picture: np.ndarray,
    seed: int = 0,
    known: Iterable[Sequence[float]] = (),
    *,
    progress: bool = False,
) -> FoundTexture:
    """Finds the global vector whose plane is nearest to a picture.

    Args:
      generator: with recalibrated batch statistics; unchanged.
      picture: uint8 [height, width, 3], at least SMALLEST pixels a side, of one texture at the scale of the pictures
        that the model learned.
      seed: of the random vectors and of all noise.
      known: vectors to try beside random ones. In a conditional model nearly all random vectors show no texture; those
        of its classes do.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      SettingError: a model without global channels.
      PictureError: the picture is too small.
    """
    channels = generator.global_channels
    if not channels:
        allowed = "use a model with global channels, of many pictures"
        raise SettingError("like", "the model has one texture only", allowed, settings=("like", "run"))
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        problem = f"{height}x{width} pixels are too few to recognise a texture"
        allowed = f"give a picture of at least {SMALLEST}x{SMALLEST}"
        raise PictureError("like", problem, allowed, settings=("like",))
    target = np.ascontiguousarray(central_crop(picture, LARGEST))
    trial = _Trial(generator, target)
    own = np.array(list(known), np.float32).reshape(-1, channels)
    # As many random vectors as make all batches full.
    random = noise.fold(seed, _SCAN, tf.range(RANDOM + -len(own) % STARTS, dtype=tf.int64))
    tried = np.concatenate([noise.global_vector(random, channels).numpy(), own])
    batches = []
    with Progress(len(tried), "textures", description="scan", display=progress, delay=SHORT_SECONDS) as scanned:
        for i in range(0, len(tried), STARTS):
            batches.append(trial.distances(tried[i : i + STARTS], noise.fold(seed, _SCAN, i)))
            scanned.update(STARTS)
    far = np.concatenate(batches)
    starts = tried[np.argsort(far, kind="stable")[:STARTS]]
    also = f" and {len(own)} known" if len(own) else ""
    logger.info(
        "%d random%s textures: the nearest at %.2f, the median at %.2f", len(random), also, far.min(), np.median(far)
    )
    ends, near = _descend(trial, starts, noise.fold(seed, _DESCENT), progress)
    logger.info("%d steps from the %d nearest: now at %.2f .. %.2f", STEPS, STARTS, near.min(), near.max())
    return _nearest(TexturePlane(fold(generator)), target, np.concatenate([ends, starts]), seed, progress)


def distance(distances: dict[str, float]) -> float:
    """One number for the distances that `texture_metrics.CHANCE` names: about 1 for two windows of one texture."""
    return float(np.mean([distances[name] / chance for name, chance in texture_metrics.CHANCE.items()]))


class _Trial:
    """Compares windows of any global vectors with a picture, through the network itself so that gradients exist."""

    def __init__(self, generator: SpatialGenerator, picture: np.ndarray) -> None:
        self._generator, self._folded = generator, fold(generator).picture()
        side = np.clip(np.sqrt(picture.shape[0] * picture.shape[1]), *SIDES)
        self._cells = math.ceil(side / generator.pixels_per_cell)
        self._metrics = DifferentiableMetrics(picture, self._cells * generator.pixels_per_cell)

    def distances(self, vectors: np.ndarray, key: tf.Tensor) -> np.ndarray:
        """Distance from the picture of a window of each vector [n, channels]: [n]."""
        return self._distances(tf.constant(vectors), key).numpy()

    def gradients(self, vectors: np.ndarray, key: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The distances [n], and the gradient of each with respect to its vector [n, channels]."""
        far, slopes = self._gradients(tf.constant(vectors), key)
        return far.numpy(), slopes.numpy()

    @tf.function
    def _distances(self, vectors: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        chances = list(texture_metrics.CHANCE.values())
        return tf.reduce_mean(self._metrics(self._windows(vectors, key)) / chances, axis=-1)

    @tf.function
    def _gradients(self, vectors: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(vectors)
            far = self._distances(vectors, key)
        return far, tape.gradient(far, vectors)

    def _windows(self, vectors: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """A window of each vector, each of another plane, without the halo: [n, side, side, 3] in 0 .. 255."""
        config, extent, halo = self._folded.config, self._cells + 2 * geometry.HALO, geometry.HALO
        keys = noise.fold(key, tf.range(tf.shape(vectors, tf.int64)[0]))
        z_local = noise.local(keys[:, tf.newaxis, tf.newaxis], 0, 0, extent, extent, config.local_channels)
        phase = waves.radians(noise.phases(keys, config.waves))
        wave_numbers = self._generator.wave_numbers(vectors)
        z_periodic = waves.plane_waves(wave_numbers, phase, extent, extent, config.quadrature)
        latents = latent_field(z_local, vectors[:, tf.newaxis, tf.newaxis], z_periodic)
        weights = chunks.cast(self._folded.blocks, self._folded.dtype)
        images = inference.generate_strips(weights, latents, self._folded.dtype)
        return (images[:, halo:-halo, halo:-halo] + 1.0) * 127.5


def _descend(trial: _Trial, starts: np.ndarray, key: tf.Tensor, display: bool) -> tuple[np.ndarray, np.ndarray]:
    """Adam (Kingma and Ba 2015) inside the cube [-1, 1], each step on new noise.

    The length of the steps falls to 0 as a cosine, so that the last of them average over the noise.

    Returns:
      The final vectors [n, channels], and their mean distances over the last quarter of the steps [n].
    """
    vectors, mean, square = starts, np.zeros_like(starts), np.zeros_like(starts)
    last: list[np.ndarray] = []
    with Progress(STEPS, "steps", description="texture", display=display) as progress:
        for step in range(STEPS):
            far, slopes = trial.gradients(vectors, noise.fold(key, step))
            mean, square = 0.9 * mean + 0.1 * slopes, 0.99 * square + 0.01 * slopes**2
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
            change = mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(square / (1 - 0.99 ** (step + 1))) + 1e-8)
            vectors = np.clip(vectors - rate * change, -1.0, 1.0).astype(np.float32)
            last = [*last, far][-STEPS // 4 :]
            progress.update(distance=far.min())
    return vectors, np.mean(last, axis=0)


def _nearest(plane: TexturePlane, target: np.ndarray, vectors: np.ndarray, seed: int, display: bool) -> FoundTexture:
    """The vector whose plane is nearest to the picture by `texture_metrics`, and its distance on a new window."""
    textures = [tuple(map(float, vector)) for vector in vectors]
    rows, cols = target.shape[:2]

    def windows(texture: tuple[float, ...], stream: int, count: int, most: int) -> list[np.ndarray]:
        seeds = noise.fold(seed, stream, tf.range(count, dtype=tf.int64)).numpy().tolist()
        return [plane.window(min(rows, most), min(cols, most), seed=each, texture=texture) for each in seeds]

    known = features([target])
    compared = []
    with Progress(len(textures), "textures", description="choice", display=display, delay=SHORT_SECONDS) as progress:
        for texture in textures:
            shown = features(windows(texture, _CHOICE, COMPARED, COMPARED_PIXELS))
            compared.append(texture_metrics.distances(known, shown))
            progress.update()
    best = textures[int(np.argmin([distance(distances) for distances in compared]))]
    one, other = (features([window]) for window in windows(best, _FLOOR, 2, LARGEST))
    distances = texture_metrics.distances(known, one)
    return FoundTexture(best, distance(distances), distances, distance(texture_metrics.distances(one, other)))
