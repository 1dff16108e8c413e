"""The training step in plain Keras: stock layers, stock optimiser, float32.

The layers are those of the project: 6x6 transposed convolutions cropped to the pixels that depend on real inputs only,
5x5 convolutions with stride two, batch norm. Latents have as many channels as those of the project, but are uniform
noise without waves. Both networks are updated together by Keras's Adam without weight decay and with its moving average
(`use_ema`). The gradients are not tested.
"""

from typing import Any

import keras
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.data import crops, images
from tf_psgan.latents import noise
from tf_psgan.training import losses


class KerasStep:
    """A call performs one step on crops of the packed images and returns the generator's loss."""

    def __init__(self, config: Config, packed: crops.PackedImages) -> None:
        self.config, self.packed = config, packed
        model, rate, beta = config.model, config.training.learning_rate, config.training.beta_1
        self.channels = model.local_channels + model.global_channels + (2 if model.quadrature else 1) * model.waves
        self.generator, self.discriminator = self._generator(), self._discriminator()
        self.g_adam = keras.optimizers.Adam(rate, beta, use_ema=True, ema_momentum=config.training.ema_decay)
        self.d_adam = keras.optimizers.Adam(rate, beta)
        self.steps = tf.Variable(0, dtype=tf.int64)

    def __call__(self) -> float:
        """One step."""
        return float(self._step())

    @tf.function
    def _step(self) -> tf.Tensor:
        key = noise.fold(1, self.steps.assign_add(1))
        batch, cells = self.config.data.batch_size, self.config.data.crop_cells
        side = cells * geometry.pixels_per_cell(len(self.config.model.filters) + 1)
        real = images.to_unit(crops.crops(self.packed, key, batch, side))
        extent, seed = cells + 2 * geometry.HALO, tf.stack([self.steps, self.steps])
        latents = tf.random.stateless_uniform((batch, extent, extent, self.channels), seed, -1.0, 1.0)
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = self.generator(latents, training=True)
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            d_loss, g_loss = losses.discriminator(real_logits, fake_logits), losses.generator(fake_logits)
        updates = ((d_loss, d_tape, self.discriminator, self.d_adam), (g_loss, g_tape, self.generator, self.g_adam))
        for loss, tape, net, adam in updates:
            variables = net.trainable_variables
            adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return g_loss

    def _generator(self) -> Any:
        x = inputs = keras.Input((None, None, self.channels))
        for filters in self.config.model.filters:
            x = keras.layers.Conv2DTranspose(filters, 6, 2, "valid", use_bias=False)(x)
            x = keras.layers.Cropping2D(2 * geometry.HALO)(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.Conv2DTranspose(3, 6, 2, "valid", activation="tanh")(x)
        return keras.Model(inputs, keras.layers.Cropping2D(3 * geometry.HALO)(x))

    def _discriminator(self) -> Any:
        x = inputs = keras.Input((None, None, 3))
        for i, filters in enumerate(self.config.model.discriminator_filters):
            x = keras.layers.Conv2D(filters, 5, 2, "same", use_bias=False)(x)
            x = keras.layers.LeakyReLU(0.2)(keras.layers.BatchNormalization()(x) if i else x)
        return keras.Model(inputs, keras.layers.Conv2D(1, 5, 2, "same", use_bias=False)(x))
