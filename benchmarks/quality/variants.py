"""Ways of training that the package does not have: those that `recipe.py` tried and that did not win.

Each is a context in which a `GanStep` is built and traced; it swaps parts of the package for others. What can be said
by flags needs none.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import keras
import tensorflow as tf
from keras import ops

from tf_psgan import geometry
from tf_psgan.networks import discriminator, layers
from tf_psgan.training import gan_step, losses
from tf_psgan.training.gan_step import GanStep
from tf_psgan.training.spectral import block_statistics

Variant = contextlib.AbstractContextManager[Callable[[GanStep], None]]


def nothing(step: GanStep) -> None:
    """What most variants do to a step once it is built."""


@contextlib.contextmanager
def plain() -> Iterator[Callable[[GanStep], None]]:
    """The package as it is."""
    yield nothing


@contextlib.contextmanager
def spectra_only() -> Iterator[Callable[[GanStep], None]]:
    """`--spectral_loss_weight` without the statistics of small blocks: how strong each frequency is, not where."""

    def nowhere(planes: list[tf.Tensor], shift: tf.Tensor, apart: bool = False) -> tf.Tensor:
        return tf.zeros([planes[0].shape[0] if apart else 1, len(block_statistics.weights(planes[0].shape[1]))])

    with mock.patch.object(block_statistics, "measure", nowhere):
        yield nothing


@contextlib.contextmanager
def one_block() -> Iterator[Callable[[GanStep], None]]:
    """Statistics of blocks of 16 x 16 pixels alone, at twice the weight."""
    with mock.patch.object(block_statistics, "BLOCKS", (16,)):
        yield nothing


@contextlib.contextmanager
def hinge() -> Iterator[Callable[[GanStep], None]]:
    """The hinge loss (Lim and Ye 2017, arXiv:1705.02894)."""

    def critic(real: Any, fake: Any) -> Any:
        return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))

    with (
        mock.patch.object(losses, "discriminator", critic),
        mock.patch.object(losses, "generator", lambda fake: -ops.mean(fake)),
    ):
        yield nothing


@contextlib.contextmanager
def spectral_norm() -> Iterator[Callable[[GanStep], None]]:
    """Kernels of the discriminator over their largest singular value, no batch norm (Miyato et al. 2018)."""
    with mock.patch.object(discriminator, "DownConvolution", _SpectralDown):
        yield nothing


@contextlib.contextmanager
def two_rates() -> Iterator[Callable[[GanStep], None]]:
    """The discriminator at twice the generator's rate (Heusel et al. 2017, arXiv:1706.08500)."""

    def faster(step: GanStep) -> None:
        rate = step.optimisers["discriminator_adam"].learning_rate
        rate.assign(2.0 * rate)

    yield faster


@contextlib.contextmanager
def padded() -> Iterator[Callable[[GanStep], None]]:
    """Training crops made with zero padding in every layer, as in the papers' code; pictures are made without."""
    with mock.patch.object(gan_step, "SpatialGenerator", _PaddedGenerator):
        yield nothing


@contextlib.contextmanager
def augmented() -> Iterator[Callable[[GanStep], None]]:
    """Brightness, saturation and contrast of both sides changed before they are scored (Zhao et al. 2020)."""
    with mock.patch.object(gan_step, "PatchDiscriminator", _AugmentedDiscriminator):
        yield nothing


class _SpectralDown(discriminator.DownConvolution):
    def build(self, input_shape: Any) -> None:
        self.normalise = False
        super().build(input_shape)
        normal = keras.initializers.RandomNormal(0.0, 1.0, self.seed + 2)
        self.direction = self.add_weight(
            shape=(self.filters,), initializer=normal, trainable=False, autocast=False, name="direction"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", autocast=False, name="bias")

    def call(self, x: Any, fused: bool = True) -> Any:
        kernel = self.kernel.value
        flat = tf.reshape(kernel, (-1, self.filters))
        left = tf.math.l2_normalize(tf.linalg.matvec(flat, self.direction.value))
        right = tf.math.l2_normalize(tf.linalg.matvec(flat, left, transpose_a=True))
        self.direction.assign(tf.stop_gradient(right))
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        kernel = kernel / tf.tensordot(left, tf.linalg.matvec(flat, right), 1)
        return tf.nn.bias_add(tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 2, "SAME"), tf.cast(self.bias.value, x.dtype))


class _PaddedGenerator(gan_step.SpatialGenerator):
    def call(self, latents: Any, training: bool = False) -> Any:
        if not training:
            return super().call(latents, training)
        edge = geometry.HALO
        x = tf.cast(latents[:, edge:-edge, edge:-edge], self.compute_dtype)
        for block in self.blocks:
            kernel = tf.cast(block._phases(block.kernel), x.dtype)
            x = layers.depth_to_space(tf.nn.conv2d(x, kernel, 1, "SAME"))
            if block.normalise:
                x = tf.nn.relu(layers.batch_normalise(x, block.gamma, block.beta))
            else:
                x = x + tf.cast(block.bias.value, x.dtype)
        # The step cuts its spare pixels off.
        return tf.pad(tf.tanh(tf.cast(x, tf.float32)), [[0, 0], [edge, edge], [edge, edge], [0, 0]])


class _AugmentedDiscriminator(gan_step.PatchDiscriminator):
    def call(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        images, shape = tf.cast(images, tf.float32), (tf.shape(images)[0], 1, 1, 1)
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = grey + (images - grey) * tf.random.uniform(shape, 0.0, 2.0)
        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        images = mean + (images - mean) * tf.random.uniform(shape, 0.5, 1.5)
        return super().call(images + tf.random.uniform(shape, -0.5, 0.5), *args, **kwargs)
