"""DCGAN (Radford et al. 2015, arXiv:1511.06434): generates one picture of fixed size from one noise vector.

The network and settings of the paper, in Keras: a dense layer, zero-padded up-convolutions of 5x5 and stride two with
batch norm and ReLU; a discriminator of stride-two convolutions with batch norm and LeakyReLU 0.2 that ends in one
score; Adam, rate 2e-4, beta_1 0.5; kernels from N(0, 0.02). The training crops have the size of those of the project's
preset, in batches of eight. Generated pictures always have the size of these crops.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from tf_psgan.data import crops, images
from tf_psgan.latents import noise
from tf_psgan.runtime import device
from tf_psgan.training import losses

CROP = 128
BATCH = 8
NOISE = 100
FILTERS = (256, 128, 64, 32)
DISCRIMINATOR_FILTERS = (32, 64, 128, 256)


def make(
    source: np.ndarray, seed: int, threads: int, seconds: float, steps: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Trains and generates one picture.

    Args:
      seconds, steps: the budget; 0: no limit of that kind. Seconds include the compilation of the first step.

    Returns:
      uint8 [CROP, CROP, 3] (or a smaller side for a smaller source), `train_seconds`, `make_seconds` and `steps`.
    """
    device.set_threads(threads)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(device.compute_type("auto"))
    stride = 2 ** len(FILTERS)
    side = min(CROP, min(source.shape[:2]) // stride * stride)
    began = time.perf_counter()
    trainer = _Trainer(source, side, seed)
    done = 0
    while not (steps and done >= steps) and not (seconds and time.perf_counter() - began >= seconds):
        float(trainer.step())
        done += 1
    trained = time.perf_counter()
    vector = tf.random.stateless_normal((BATCH, NOISE), (seed, -1))
    # Uses batch statistics, as in training: after few steps the moving averages have not converged.
    picture = images.to_bytes(trainer.generator(vector, training=True)[0]).numpy()
    return picture, {"train_seconds": trained - began, "make_seconds": time.perf_counter() - trained, "steps": done}


def generator(side: int) -> keras.Model:
    """[batch, NOISE] -> [batch, side, side, 3] in -1 .. 1."""
    normal = keras.initializers.RandomNormal(0.0, 0.02)
    first = side // 2 ** len(FILTERS)
    inputs = keras.Input((NOISE,))
    x = keras.layers.Dense(first * first * FILTERS[0], kernel_initializer=normal)(inputs)
    x = keras.layers.Reshape((first, first, FILTERS[0]))(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    for filters in FILTERS[1:]:
        x = keras.layers.Conv2DTranspose(filters, 5, 2, "same", kernel_initializer=normal)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2DTranspose(3, 5, 2, "same", kernel_initializer=normal)(x)
    return keras.Model(inputs, keras.layers.Activation("tanh", dtype="float32")(x))


def discriminator(side: int) -> keras.Model:
    """[batch, side, side, 3] -> one logit per picture, [batch, 1]."""
    normal = keras.initializers.RandomNormal(0.0, 0.02)
    x = inputs = keras.Input((side, side, 3))
    for i, filters in enumerate(DISCRIMINATOR_FILTERS):
        x = keras.layers.Conv2D(filters, 5, 2, "same", kernel_initializer=normal)(x)
        x = keras.layers.LeakyReLU(0.2)(keras.layers.BatchNormalization()(x) if i else x)
    x = keras.layers.Dense(1, kernel_initializer=normal)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Activation("linear", dtype="float32")(x))


class _Trainer:
    """Both networks, their optimisers, and a step with one update of each (the paper alternates the updates)."""

    def __init__(self, source: np.ndarray, side: int, seed: int) -> None:
        self.generator, self.discriminator = generator(side), discriminator(side)
        self.seed, self.side = seed, side
        self.counter = tf.Variable(0, dtype=tf.int64)
        height, width = source.shape[:2]
        self.packed = crops.PackedImages(
            tf.constant(source.reshape(-1, 3)),
            tf.constant([0], tf.int64),
            tf.constant([height], tf.int64),
            tf.constant([width], tf.int64),
        )
        self.adams = [keras.optimizers.Adam(2e-4, 0.5) for _ in range(2)]
        for adam, network in zip(self.adams, (self.generator, self.discriminator), strict=True):
            adam.build(network.trainable_variables)

    @tf.function
    def step(self) -> tf.Tensor:
        """One update of each network; returns the generator's loss."""
        at = self.counter.assign_add(1)
        real = images.to_unit(crops.crops(self.packed, noise.fold(self.seed, at), BATCH, self.side))
        vector = tf.random.stateless_normal((BATCH, NOISE), tf.stack([tf.cast(self.seed, tf.int64), at]))
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = self.generator(vector, training=True)
            fake_logits = self.discriminator(fake, training=True)
            d_loss = losses.discriminator(self.discriminator(real, training=True), fake_logits)
            g_loss = losses.generator(fake_logits)
        pairs = ((g_loss, g_tape, self.generator), (d_loss, d_tape, self.discriminator))
        for (loss, tape, network), adam in zip(pairs, self.adams, strict=True):
            variables = network.trainable_variables
            adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return g_loss
