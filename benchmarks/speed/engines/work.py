"""The work of every engine: one network with randomly drawn weights, its latents, and its number of operations.

This module does not import TensorFlow, because another backend of Keras runs the same work.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_psgan import geometry
from tf_psgan.config import ModelConfig
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.networks.operations import EPSILON
from tf_psgan.plane.folded_generator import FoldedGenerator, fold

DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Keras dtype policies by the short names of compute types."""


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """A generator as plain arrays.

    Args:
      kernels: one for each layer, a transposed convolution with stride two: float32 [side, side, in, out].
      biases: one for each layer: float32 [out].
    """

    config: ModelConfig
    kernels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def cell(self) -> int:
        """Pixels per cell."""
        return geometry.pixels_per_cell(len(self.kernels))

    def latents(self, pixels: int, batch: int = 1) -> np.ndarray:
        """Uniform noise in all channels with the plane's halo: float32 [batch, cells + 4, cells + 4, channels]."""
        extent = pixels // self.cell + 2 * geometry.HALO
        shape = (batch, extent, extent, self.kernels[0].shape[2])
        return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)

    def operations(self, pixels: int) -> float:
        """Useful operations of a pixels x pixels picture: two for each weight that contributes to an output pixel.

        The halo and the zero taps of a 5x5 kernel in its 3x3 form are excluded.
        """
        total, side = 0.0, pixels / self.cell
        for kernel in self.kernels:
            side *= 2
            total += 2 * side**2 * kernel.size / 4
        return total

    def generator(self, dtype: str) -> SpatialGenerator:
        """The project's network with these weights; `dtype` is a key of DTYPES."""
        network = SpatialGenerator.from_model_config(self.config, dtype=DTYPES[dtype])
        for block, kernel, bias in zip(network.blocks, self.kernels, self.biases, strict=True):
            block.kernel.assign(kernel)
            if block.use_batch_norm:
                block.gamma.assign(np.ones_like(bias))
                block.variance.assign(np.full_like(bias, 1.0 - EPSILON))
            (block.beta if block.use_batch_norm else block.bias).assign(bias)
        return network

    def folded(self, dtype: str) -> FoldedGenerator:
        """The same network as a folded generator."""
        return fold(self.generator(dtype))


@dataclasses.dataclass(frozen=True)
class Way:
    """One variant to be timed.

    Args:
      part: "network" (from latents in memory to a picture in the engine's memory) or "picture" (from a seed to uint8).
      run: performs the work once and waits until it is complete.
      picture: the result of `run` for `Work.latents` without the halo, float [pixels, pixels, 3]; None for a variant
        that uses other latents.
      inside: pixels at each edge of `picture` that are excluded from comparisons.
    """

    name: str
    part: str
    dtype: str
    run: Callable[[], Any]
    picture: Callable[[], np.ndarray] | None = None
    inside: int = 0


def draw(config: ModelConfig) -> Work:
    """Draws random weights: the equal output phases and zero biases of a new network would make some engines faster."""
    random = np.random.default_rng(0)
    per_wave = 2 if config.quadrature else 1
    widths = [config.local_channels + config.global_channels + per_wave * config.waves, *config.filters, 3]
    side, kernels, biases = config.kernel_size, [], []
    for fan_in, fan_out in itertools.pairwise(widths):
        spread = (2.0 / (fan_in * side**2 / 4)) ** 0.5
        kernels.append(random.normal(0, spread, (side, side, fan_in, fan_out)).astype(np.float32))
        biases.append(random.normal(0, 0.1, fan_out).astype(np.float32))
    return Work(config, tuple(kernels), tuple(biases))


def middle(picture: np.ndarray) -> np.ndarray:
    """A picture [rows, cols, 3] without the halo's pixels."""
    return np.asarray(picture, np.float32)[geometry.HALO : -geometry.HALO, geometry.HALO : -geometry.HALO]
