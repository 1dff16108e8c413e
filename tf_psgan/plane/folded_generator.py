"""A generator in the form that pictures are made with: its config and NumPy arrays, nothing to train.

Batch norm is folded into the kernels. Far from the origin the slightest other wave number is
another phase, and a sum depends on the order of its terms: the wave-number MLP is evaluated
in float64 and rounded to a grid, so that every way of evaluating it gives the same numbers.
"""

import dataclasses
import hashlib
import math

import numpy as np

from tf_psgan import geometry
from tf_psgan.config import ModelConfig, to_json
from tf_psgan.networks.generator import SpatialGenerator

STEP = 2.0 * math.pi * 2.0**-32
"""The grid of wave numbers, in radians per cell."""


@dataclasses.dataclass(frozen=True, eq=False)
class FoldedGenerator:
    """Everything that a picture follows from, but its seed and its textures.

    Args:
      config: the model's.
      dtype: what the convolutions are computed in: "float32" or "bfloat16".
      blocks: (kernel [3, 3, in, 4 out], bias [4 out]) float32, input side first.
      waves: nothing; or the table of wave numbers; or the MLP's two kernels and biases in turn. float32.
    """

    config: ModelConfig
    dtype: str
    blocks: tuple[tuple[np.ndarray, np.ndarray], ...]
    waves: tuple[np.ndarray, ...]

    @property
    def pixels_per_cell(self) -> int:
        """Side of the block of pixels that one cell becomes."""
        return geometry.pixels_per_cell(len(self.blocks))

    def wave_numbers(self, z_global: np.ndarray) -> np.ndarray:
        """The wave numbers of a texture: z_global [channels] -> float64 [waves, 2] (Bergmann et al. 2017, equation 4).

        Radians per cell, (row, col) last; `SpatialGenerator.wave_numbers` for pictures.
        """
        if not self.waves:
            return np.zeros((0, 2))
        exact = [array.astype(np.float64) for array in self.waves]
        if len(exact) == 1:
            numbers = exact[0]
        else:
            hidden = np.maximum(np.asarray(z_global, np.float64) @ exact[0] + exact[1], 0.0)
            numbers = (hidden @ exact[2] + exact[3]).reshape(self.config.waves, 2)
        if self.config.wave_angles == "axis":
            numbers = numbers * np.eye(2)[np.arange(self.config.waves) % 2]
        return np.round(numbers / STEP) * STEP

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where anything here does."""
        digest = hashlib.sha256((to_json(self.config) + self.dtype).encode())
        for array in (*(part for block in self.blocks for part in block), *self.waves):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def fold(generator: SpatialGenerator) -> FoldedGenerator:
    """Takes a settled generator's weights as they are now."""
    config = generator.model_config
    layers = [generator.wave_hidden, generator.wave_out] if config.waves and config.global_channels else []
    variables = [v for layer in layers for v in (layer.kernel, layer.bias)]
    if config.waves and not config.global_channels:
        variables = [generator.wave_table]
    return FoldedGenerator(
        config,
        generator.compute_dtype,
        tuple((np.array(kernel), np.array(bias)) for kernel, bias in generator.folded()),
        tuple(np.array(variable) for variable in variables),
    )
