"""Training steps for the arms of `recipe.py` that settings cannot express; the package does not use them.

A variant is a function of the run's settings and a dtype policy that returns a `GanStep` with other loss terms or other
networks.
"""

from typing import Any

import keras
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.networks import operations
from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.networks.layers import DownConvolution
from tf_psgan.training.gan_step import GanStep, crop_pixels, default_terms
from tf_psgan.training.spectral.spectral_loss import SpectralLoss
from tf_psgan.training.terms import Batch, Term


def plain(config: Config, dtype: str) -> GanStep:
    """The unmodified training step."""
    return GanStep(config, dtype)


def spectra_only(config: Config, dtype: str) -> GanStep:
    """The spectral loss without the statistics of small blocks: power of each frequency without its position."""
    return _with_blocks(config, dtype, ())


def one_block(config: Config, dtype: str) -> GanStep:
    """The spectral loss with statistics of blocks of 16 x 16 pixels only, at twice their weight."""
    return _with_blocks(config, dtype, (16,))


def hinge(config: Config, dtype: str) -> GanStep:
    """The hinge loss (Lim and Ye 2017, arXiv:1705.02894)."""
    adversarial = [HingeGeneratorLoss(name="generator_loss"), HingeDiscriminatorLoss(name="discriminator_loss")]
    names = {term.name for term in adversarial}
    return GanStep(config, dtype, terms=[*adversarial, *(t for t in default_terms(config) if t.name not in names)])


def spectral_norm(config: Config, dtype: str) -> GanStep:
    """Discriminator kernels divided by their largest singular value, no batch norm (Miyato et al. 2018)."""
    return _SpectralNormStep(config, dtype)


def two_rates(config: Config, dtype: str) -> GanStep:
    """The discriminator at twice the generator's learning rate (Heusel et al. 2017, arXiv:1706.08500)."""
    step = GanStep(config, dtype)
    rate = step.optimisers["discriminator_adam"].learning_rate
    rate.assign(2.0 * rate)
    return step


def padded(config: Config, dtype: str) -> GanStep:
    """Zero padding in every layer during training, as in the papers' code; images are generated without it."""
    return _PaddedStep(config, dtype)


def augmented(config: Config, dtype: str) -> GanStep:
    """Random brightness, saturation and contrast of real and fake images before they are scored (Zhao et al. 2020)."""
    return _AugmentedStep(config, dtype)


class HingeGeneratorLoss(Term):
    """-mean of the fake logits."""

    network = "generator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted loss."""
        return -self.weight * tf.reduce_mean(batch.fake_logits)


class HingeDiscriminatorLoss(Term):
    """mean max(0, 1 - real) + mean max(0, 1 + fake) of the logits."""

    network = "discriminator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted loss."""
        real, fake = tf.nn.relu(1.0 - batch.real_logits), tf.nn.relu(1.0 + batch.fake_logits)
        return self.weight * (tf.reduce_mean(real) + tf.reduce_mean(fake))


def _with_blocks(config: Config, dtype: str, block_sizes: tuple[int, ...]) -> GanStep:
    *others, default = default_terms(config)
    return GanStep(config, dtype, terms=[*others, SpectralLoss(default.weight, crop_pixels(config), 0, block_sizes)])


class _SpectralDown(DownConvolution):
    def build(self, input_shape: Any) -> None:
        self.use_batch_norm = False
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


class _SpectralNormDiscriminator(PatchDiscriminator):
    block_class = _SpectralDown


class _SpectralNormStep(GanStep):
    discriminator_class = _SpectralNormDiscriminator


class _PaddedGenerator(SpatialGenerator):
    def call(self, latents: Any, training: bool = False) -> Any:
        if not training:
            return super().call(latents, training)
        edge = geometry.HALO
        x = tf.cast(latents[:, edge:-edge, edge:-edge], self.compute_dtype)
        for block in self.blocks:
            kernel = tf.cast(operations.to_phases(block.kernel), x.dtype)
            x = operations.depth_to_space(tf.nn.conv2d(x, kernel, 1, "SAME"))
            if block.use_batch_norm:
                x = tf.nn.relu(operations.batch_normalise(x, block.gamma, block.beta))
            else:
                x = x + tf.cast(block.bias.value, x.dtype)
        # The step removes the spare edge pixels.
        return tf.pad(tf.tanh(tf.cast(x, tf.float32)), [[0, 0], [edge, edge], [edge, edge], [0, 0]])


class _PaddedStep(GanStep):
    generator_class = _PaddedGenerator


class _AugmentedDiscriminator(PatchDiscriminator):
    def call(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        images, shape = tf.cast(images, tf.float32), (tf.shape(images)[0], 1, 1, 1)
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = grey + (images - grey) * tf.random.uniform(shape, 0.0, 2.0)
        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        images = mean + (images - mean) * tf.random.uniform(shape, 0.5, 1.5)
        return super().call(images + tf.random.uniform(shape, -0.5, 0.5), *args, **kwargs)


class _AugmentedStep(GanStep):
    discriminator_class = _AugmentedDiscriminator
