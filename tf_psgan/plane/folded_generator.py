"""The folded generator: configuration and weights as NumPy arrays, with batch norm folded into the kernels.

The form in which a generator computes pictures, and in which it is exported.
"""

import dataclasses
import hashlib

import numpy as np

from tf_psgan import geometry, material
from tf_psgan.config import ModelConfig, check_map, to_json
from tf_psgan.latents import wave_numbers
from tf_psgan.networks.generator import SpatialGenerator


@dataclasses.dataclass(frozen=True, eq=False)
class FoldedGenerator:
    """Everything that a picture follows from, except its scene.

    Args:
      config: the model's.
      dtype: what the convolutions are computed in: "float32" or "bfloat16".
      blocks: (kernel [3, 3, in, 4 out], bias [4 out]) float32, input side first.
      waves: float32; empty; or the table of wave numbers; or the kernels and biases of the wave-number MLP in turn.
    """

    config: ModelConfig
    dtype: str
    blocks: tuple[tuple[np.ndarray, np.ndarray], ...]
    waves: tuple[np.ndarray, ...]

    @property
    def pixels_per_cell(self) -> int:
        """Side of the block of pixels that one cell becomes, at the pictures' own scale."""
        return geometry.pixels_per_cell(len(self.blocks)) * self.config.downsampling

    def picture(self, name: str = material.COLOUR) -> "FoldedGenerator":
        """The generator of one picture of a material: of its colours, or of one of its maps, which may be grey.

        Args:
          name: "colour", or one of `config.maps`.

        Raises:
          SettingError: the model has no such map.
        """
        maps = self.config.maps
        check_map(self.config, name)
        if not maps:
            return self
        kernel, bias = self.blocks[-1]
        chosen = material.picture_channels(maps, name)

        def only(values: np.ndarray) -> np.ndarray:
            by_phase = values.reshape(*values.shape[:-1], 4, material.channels(maps))[..., chosen]
            return np.ascontiguousarray(by_phase.reshape(*values.shape[:-1], 12))

        config = dataclasses.replace(self.config, maps=())
        return dataclasses.replace(self, config=config, blocks=(*self.blocks[:-1], (only(kernel), only(bias))))

    def wave_steps(self, z_global: np.ndarray) -> np.ndarray:
        """The wave numbers of a texture on their grid (`latents.wave_numbers`).

        Args:
          z_global: float32 [global channels], in [-1, 1].

        Returns:
          int64 [waves, 2], steps of 2**-32 turns per cell, (row, col) last.
        """
        return wave_numbers.of_textures(self.config, self.waves, np.asarray(z_global, np.float32)[np.newaxis])[
            0
        ].numpy()

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where the configuration, the compute type or a weight differs."""
        digest = hashlib.sha256((to_json(self.config) + self.dtype).encode())
        for array in (*(part for block in self.blocks for part in block), *self.waves):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def fold(generator: SpatialGenerator) -> FoldedGenerator:
    """Folds batch norm into the kernels and copies the weights as they are now.

    Args:
      generator: with recalibrated batch-norm statistics; later changes of its weights have no effect on the result.
    """
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
