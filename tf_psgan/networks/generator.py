"""The spatial generator of SGAN and PSGAN: a field of latent cells to a picture.

Jetchev et al. 2016 (arXiv:1611.08207) for the fully convolutional generator, Bergmann et al.
2017 (arXiv:1705.06566), section 3, for global and periodic channels. An SGAN is the same
model without those. It never sees absolute coordinates and draws nothing at random.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_psgan import geometry
from tf_psgan.config import ModelConfig, from_dict
from tf_psgan.networks import layers


@keras.saving.register_keras_serializable("tf_psgan")
class SpatialGenerator(keras.Model):
    """Latents [batch, rows + 4, cols + 4, channels] -> images [batch, side * rows + 4, side * cols + 4, 3] in [-1, 1].

    `channels` are local, global and periodic ones, in this order; `side` is `pixels_per_cell`.
    """

    def __init__(self, config: ModelConfig, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config, self.seed = config, seed
        widths = (*config.filters, 3)
        for i, filters in enumerate(widths):
            normalise = i + 1 < len(widths)
            layer = layers.UpConvolution(
                filters, config.kernel_size, normalise, seed + 10 * i, name=f"up_{i}", dtype=self.dtype_policy
            )
            setattr(self, f"up_{i}", layer)  # named attributes: a list would escape tf.train.Checkpoint
        glorot, normal = keras.initializers.GlorotUniform, keras.initializers.RandomNormal
        if config.waves and config.global_channels:
            self.wave_hidden = _dense("wave_hidden", config.wave_hidden, "relu", glorot(seed + 1001))
            self.wave_out = _dense("wave_out", 2 * config.waves, None, normal(0.0, 0.02, seed + 1000))
        self.build((None, None, None, self.channels))

    @property
    def channels(self) -> int:
        """Latent channels: local, global and periodic."""
        per_wave = 2 if self.config.quadrature else 1
        return self.config.local_channels + self.config.global_channels + per_wave * self.config.waves

    @property
    def pixels_per_cell(self) -> int:
        """Side of the block of pixels that one cell becomes."""
        return geometry.pixels_per_cell(len(self.config.filters) + 1)

    @property
    def blocks(self) -> list[layers.UpConvolution]:
        """The up-convolutions, input side first."""
        return [getattr(self, f"up_{i}") for i in range(len(self.config.filters) + 1)]

    def build(self, input_shape: Any) -> None:
        """Makes every variable, so that a checkpoint can be read before the first call."""
        channels = input_shape[-1]
        for block in self.blocks:
            block.build((None, None, None, channels))
            channels = block.filters
        if self.config.waves and self.config.global_channels:
            self.wave_hidden.build((None, self.config.global_channels))
            self.wave_out.build((None, self.config.wave_hidden))
        elif self.config.waves:
            shape = (self.config.waves, 2)
            self.wave_table = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="wave_table")
        self.built = True

    def call(self, latents: Any, training: bool = False) -> Any:
        """The bare network. In training, batch norm uses the batch; otherwise what `recalibrate` stored."""
        x = ops.cast(latents, self.compute_dtype)
        *hidden, last = self.blocks
        for block in hidden:
            x = block(x, training=training)
            x = layers.rectify_training(x) if training else ops.relu(x)
        return ops.tanh(ops.cast(last(x, training=training), "float32"))

    def wave_numbers(self, z_global: Any) -> Any:
        """The learned wave numbers of each texture: z_global [batch, channels] -> float32 [batch, waves, 2].

        Radians per cell, (row, col) last (Bergmann et al. 2017, equation 4). With `wave_angles`
        "axis" even waves run along rows only and odd ones along columns only.
        """
        shape = (ops.shape(z_global)[0], self.config.waves, 2)
        if not self.config.waves:
            return ops.zeros(shape)
        if self.config.global_channels:
            numbers = ops.reshape(self.wave_out(self.wave_hidden(z_global)), shape)
        else:
            numbers = ops.broadcast_to(self.wave_table[None], shape)
        if self.config.wave_angles == "axis":
            numbers = numbers * np.eye(2, dtype="float32")[np.arange(self.config.waves) % 2]
        return numbers

    @property
    def wave_start(self) -> Any:
        """The variable that holds wave numbers shared by all textures: the table, or the MLP's last bias."""
        return self.wave_out.bias if self.config.global_channels else self.wave_table

    def recalibrate(self, latents: Any) -> None:
        """Stores batch statistics for use outside training, estimated over these latents.

        Layer by layer: each layer's statistics are taken with all layers below already in the
        form that pictures are made with.
        """
        x = ops.cast(latents, self.compute_dtype)
        for block in self.blocks[:-1]:
            mean, variance = block.moments(x)
            block.mean.assign(mean)
            block.variance.assign(ops.maximum(variance, 0.0))
            x = ops.relu(block(x, training=False))

    def folded(self) -> list[tuple[Any, Any]]:
        """Each block as a plain (kernel [3, 3, in, 4 out], bias [4 out]) in float32, input side first."""
        return [block.folded() for block in self.blocks]

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        return super().get_config() | {"config": dataclasses.asdict(self.config), "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "SpatialGenerator":
        """The model that `get_config` described."""
        return cls(**(config | {"config": from_dict(ModelConfig, config["config"])}))


def latent_field(z_local: Any, z_global: Any, z_periodic: Any) -> Any:
    """Puts the three fields together: [batch, rows, cols, local + global + periodic channels].

    z_global may be [batch, 1 or rows, 1 or cols, channels]; it is repeated over the cells.
    """
    shape = (*ops.shape(z_local)[:3], z_global.shape[-1])
    return ops.concatenate([z_local, ops.broadcast_to(z_global, shape), z_periodic], axis=-1)


def paint(weights: list[tuple[Any, Any]], latents: Any, dtype: str) -> Any:
    """The network in inference form, from `SpatialGenerator.folded` weights already cast to `dtype`.

    The same pictures as `SpatialGenerator.call` outside training; float32 in [-1, 1].
    """
    x = ops.cast(latents, dtype)
    *hidden, last = weights
    # Products are cheap in bfloat16: a few more, and the largest field is never laid out as pixels.
    across = hidden.pop() if dtype == "bfloat16" and hidden else None
    for block in hidden:
        x = layers.convolve(x, *block, relu=True)
    x = layers.convolve_across(layers.convolve_to_phases(x, *across), *last) if across else layers.convolve(x, *last)
    return ops.tanh(ops.cast(x, "float32"))


def paint_strips(
    weights: list[tuple[Any, Any]], latents: Any, dtype: str, finish: Callable[[Any], Any] = lambda strip: strip
) -> Any:
    """The picture of `paint`, made as an upper and a lower strip that need nothing of each other.

    Two cores take one each, which costs less than to share the work of every layer. `finish` makes of each strip what
    is wanted, pixel by pixel.
    """
    spare, halo = 2 * geometry.HALO, geometry.HALO
    middle = (ops.shape(latents)[1] - spare) // 2
    if isinstance(middle, int) and middle == 0:
        return finish(paint(weights, latents, dtype))
    upper, lower = (finish(paint(weights, part, dtype)) for part in (latents[:, : middle + spare], latents[:, middle:]))
    return ops.concatenate([upper[:, :-halo], lower[:, halo:]], axis=1)


def _dense(name: str, units: int, activation: str | None, start: Any) -> keras.layers.Dense:
    """A layer of one of the MLPs; float32 always: a wave number in bfloat16 is wrong after two cells."""
    return keras.layers.Dense(units, activation, kernel_initializer=start, name=name, dtype="float32")
