"""The spatial generator of SGAN and PSGAN: a field of latent cells to an image.

Jetchev et al. 2016 (arXiv:1611.08207) for the fully convolutional generator; Bergmann et al. 2017 (arXiv:1705.06566),
section 3, for the global and periodic channels. An SGAN is the same model without those channels. The generator gets no
absolute coordinates and draws no random numbers.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from tf_psgan import geometry, material
from tf_psgan.config import ModelConfig
from tf_psgan.errors import SettingError
from tf_psgan.networks import layers, operations


@keras.saving.register_keras_serializable(layers.PACKAGE)
class SpatialGenerator(keras.Model):
    """Latents [batch, rows + 4, cols + 4, channels] -> images [batch, side * rows + 4, side * cols + 4, 3] in [-1, 1].

    With maps of a material the images have their channels behind the three of the colours (`tf_psgan.material`).

    `channels` are the local, global and periodic channels, in this order; `side` is `pixels_per_cell`. The two spare
    cells and the two spare pixels on each side are the halo of `tf_psgan.geometry`.

    Args:
      local_channels: noise channels, independent in every cell.
      global_channels: channels of the global vector, constant over an image; 0 for one texture.
      waves: plane waves; 0 for no periodic channels (SGAN).
      quadrature: each wave has two channels, sine and cosine, instead of the paper's sine only.
      wave_angles: "any", or "axis" for waves along rows and along columns only.
      wave_hidden: hidden units of the MLP from global vector to wave numbers.
      filters: channels of the hidden layers, input side first; one more layer makes the colours.
      kernel_size: of the up-convolutions, 5 or 6.
      downsampling: factor by which the pictures that it learns are reduced, and by which its own ones are to be
        enlarged. The network does not depend on it.
      maps: of a material, see `ModelConfig`.
      seed: of the initial weights.

    Raises:
      SettingError: another value of wave_angles or kernel_size.
    """

    def __init__(
        self,
        local_channels: int = 30,
        global_channels: int = 0,
        waves: int = 2,
        quadrature: bool = True,
        wave_angles: str = "any",
        wave_hidden: int = 60,
        filters: Sequence[int] = (128, 64, 32),
        kernel_size: int = 6,
        downsampling: int = 1,
        maps: Sequence[str] = (),
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if wave_angles not in ("any", "axis"):
            raise SettingError("wave_angles", f"{wave_angles!r} is unknown", "choose any or axis", value=wave_angles)
        self.local_channels, self.global_channels = local_channels, global_channels
        self.waves, self.quadrature, self.wave_angles, self.wave_hidden_units = (
            waves,
            quadrature,
            wave_angles,
            wave_hidden,
        )
        self.filters, self.kernel_size, self.seed = tuple(filters), kernel_size, seed
        self.downsampling, self.maps = downsampling, tuple(maps)
        widths = (*self.filters, self.image_channels)
        for i, width in enumerate(widths):
            use_batch_norm = i + 1 < len(widths)
            block = layers.UpConvolution(
                width, kernel_size, use_batch_norm, seed + 10 * i, name=f"up_{i}", dtype=self.dtype_policy
            )
            setattr(self, f"up_{i}", block)  # not a list, which tf.train.Checkpoint would not track
        glorot, normal = keras.initializers.GlorotUniform, keras.initializers.RandomNormal
        if waves and global_channels:
            self.wave_hidden = _dense("wave_hidden", wave_hidden, "relu", glorot(seed + 1001))
            self.wave_out = _dense("wave_out", 2 * waves, None, normal(0.0, 0.02, seed + 1000))
        self.build((None, None, None, self.channels))

    @classmethod
    def from_model_config(cls, config: ModelConfig, **kwargs: Any) -> Self:
        """The generator that a run's settings describe; further arguments as in the constructor."""
        names = {field.name for field in dataclasses.fields(config)} - {"discriminator_filters"}
        return cls(**{name: getattr(config, name) for name in names}, **kwargs)

    @property
    def model_config(self) -> ModelConfig:
        """The settings of this generator; those of the discriminator are at their defaults."""
        return ModelConfig(**self._settings())

    @property
    def channels(self) -> int:
        """Latent channels: local, global and periodic."""
        per_wave = 2 if self.quadrature else 1
        return self.local_channels + self.global_channels + per_wave * self.waves

    @property
    def image_channels(self) -> int:
        """Channels of an image: three colours, and those of the maps."""
        return material.channels(self.maps)

    @property
    def pixels_per_cell(self) -> int:
        """Side in pixels of the square that one cell becomes."""
        return geometry.pixels_per_cell(len(self.filters) + 1)

    @property
    def blocks(self) -> list[layers.UpConvolution]:
        """The up-convolutions, input side first."""
        return [getattr(self, f"up_{i}") for i in range(len(self.filters) + 1)]

    def build(self, input_shape: Any) -> None:
        """Creates every variable, so that a checkpoint can be restored before the first call."""
        channels = input_shape[-1]
        for block in self.blocks:
            block.build((None, None, None, channels))
            channels = block.filters
        if self.waves and self.global_channels:
            self.wave_hidden.build((None, self.global_channels))
            self.wave_out.build((None, self.wave_hidden_units))
        elif self.waves:
            shape = (self.waves, 2)
            self.wave_table = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="wave_table")
        self.built = True

    def call(self, latents: Any, training: bool = False) -> Any:
        """Float32 images. Batch normalization uses the batch in training, otherwise the statistics of `recalibrate`."""
        layers.check_floating("latents", latents)
        x = ops.cast(latents, self.compute_dtype)
        *hidden, last = self.blocks
        for block in hidden:
            x = block(x, training=training)
            x = operations.rectify_training(x) if training else ops.relu(x)
        return ops.tanh(ops.cast(last(x, training=training), "float32"))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, side * rows + 4, side * cols + 4, channels) for rows + 4 and cols + 4 cells; None stays None."""
        batch, rows, cols, _ = input_shape
        side, spare = self.pixels_per_cell, 2 * geometry.HALO
        return (batch, *(None if n is None else side * (n - spare) + spare for n in (rows, cols)), self.image_channels)

    def wave_numbers(self, z_global: Any) -> Any:
        """The learned wave numbers of each texture: z_global [batch, channels] -> float32 [batch, waves, 2].

        Radians per cell, (row, col) last (Bergmann et al. 2017, equation 4). With `wave_angles` "axis", waves of even
        number run along rows only and waves of odd number along columns only.
        """
        shape = (ops.shape(z_global)[0], self.waves, 2)
        if not self.waves:
            return ops.zeros(shape)
        if self.global_channels:
            numbers = ops.reshape(self.wave_out(self.wave_hidden(z_global)), shape)
        else:
            numbers = ops.broadcast_to(self.wave_table[None], shape)
        if self.wave_angles == "axis":
            numbers = numbers * np.eye(2, dtype="float32")[np.arange(self.waves) % 2]
        return numbers

    @property
    def shared_wave_numbers(self) -> Any:
        """The variable with the wave numbers that all textures share: the table [waves, 2], or the MLP's last bias."""
        return self.wave_out.bias if self.global_channels else self.wave_table

    def recalibrate(self, latents: Any) -> None:
        """Estimates the batch statistics for use outside training from these latents (precise batch normalization).

        Layer by layer: the statistics of a layer are taken when all layers before it already use theirs.
        """
        x = ops.cast(latents, self.compute_dtype)
        for block in self.blocks[:-1]:
            mean, variance = block.moments(x)
            block.mean.assign(mean)
            block.variance.assign(ops.maximum(variance, 0.0))
            x = ops.relu(block(x, training=False))

    def folded(self) -> list[tuple[Any, Any]]:
        """(kernel [3, 3, in, 4 out], bias [4 out]) of each layer in float32, input side first; see `inference`."""
        return [block.folded() for block in self.blocks]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | self._settings() | {"seed": self.seed}

    def _settings(self) -> dict[str, Any]:
        return {
            "local_channels": self.local_channels,
            "global_channels": self.global_channels,
            "waves": self.waves,
            "quadrature": self.quadrature,
            "wave_angles": self.wave_angles,
            "wave_hidden": self.wave_hidden_units,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "downsampling": self.downsampling,
            "maps": self.maps,
        }


def latent_field(z_local: Any, z_global: Any, z_periodic: Any) -> Any:
    """Concatenates the three latent fields: float32 [batch, rows, cols, local + global + periodic channels].

    z_global may be [batch, 1 or rows, 1 or cols, channels]; it is broadcast over the cells.
    """
    shape = (*ops.shape(z_local)[:3], z_global.shape[-1])
    return ops.concatenate([z_local, ops.broadcast_to(z_global, shape), z_periodic], axis=-1)


def _dense(name: str, units: int, activation: str | None, initializer: Any) -> keras.layers.Dense:
    """A layer of the wave-number MLP, always float32: in bfloat16 a wave is out of phase after two cells."""
    return keras.layers.Dense(units, activation, kernel_initializer=initializer, name=name, dtype="float32")
