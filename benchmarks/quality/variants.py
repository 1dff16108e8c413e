"""Training steps for the arms of `recipe.py` that settings cannot express; the package does not use them.

A variant is a function of the run's settings and a dtype policy that returns a `GanStep` with other loss terms or other
networks.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.quality.variant_terms import (
    DiscriminatorGram,
    HingeDiscriminatorLoss,
    HingeGeneratorLoss,
    PairedDiscriminatorLoss,
    PairedGeneratorLoss,
    PatchDistance,
    R2Penalty,
)
from tf_psgan import geometry, loading
from tf_psgan.config import Config
from tf_psgan.latents import noise
from tf_psgan.networks import operations
from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.networks.layers import DownConvolution
from tf_psgan.training.gan_step import DISCRIMINATOR, RECALIBRATION_BATCH, GanStep, crop_pixels, default_terms
from tf_psgan.training.losses import R1Penalty
from tf_psgan.training.spectral.spectral_loss import SpectralLoss

TRAINED_SIZE = 0.0245
"""Root mean square of the kernels' entries after some thousand steps; they begin with 0.02."""


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


def pairs_1(config: Config, dtype: str) -> GanStep:
    """The relativistic loss with R1 and R2 penalties of weight 1, no batch norm (R3GAN, arXiv:2501.05441)."""
    return _pairs(config, dtype, 1.0)


def pairs_3(config: Config, dtype: str) -> GanStep:
    """The same with penalties of weight 3."""
    return _pairs(config, dtype, 3.0)


def pairs_10(config: Config, dtype: str) -> GanStep:
    """The same with penalties of weight 10."""
    return _pairs(config, dtype, 10.0)


def multi_scale(config: Config, dtype: str) -> GanStep:
    """Three discriminators, of the pictures at full, half and quarter size (Wang et al. 2018, arXiv:1711.11585)."""
    return _MultiScaleStep(config, dtype)


def anti_aliased(config: Config, dtype: str) -> GanStep:
    """A discriminator that blurs before each step down (Zhang 2019, arXiv:1904.11486)."""
    return _BlurredStep(config, dtype)


def decayed(config: Config, dtype: str) -> GanStep:
    """Learning rates that fall linearly to 0 in the second half of the run."""
    return DecayedStep(config, dtype)


def discriminator_gram(config: Config, dtype: str) -> GanStep:
    """The distance of the Gram matrices of the discriminator's features (GramGAN, arXiv:2006.16112), weight 1."""
    step = GanStep(config, dtype)
    step.terms = (*step.terms, DiscriminatorGram(step.discriminator))
    return step


def raw_patches(config: Config, dtype: str) -> GanStep:
    """The sliced Wasserstein distance of 7 x 7 patches at three scales (GPDM, arXiv:2203.11862), weight 4."""
    return GanStep(config, dtype, terms=[*default_terms(config), PatchDistance(4.0)])


def from_honeycomb(config: Config, dtype: str) -> GanStep:
    """The generator starts as the ready-made model `honeycomb`, with waves of its own."""
    return _ReadyMadeStep(config, dtype, "honeycomb")


def from_honeycomb_held(config: Config, dtype: str) -> GanStep:
    """The same; for 100 steps only the discriminator is trained."""
    return _ReadyMadeStep(config, dtype, "honeycomb", held_steps=100)


def from_manifold(config: Config, dtype: str) -> GanStep:
    """The generator starts as the ready-made model `manifold` at the middle of its textures, with waves of its own."""
    return _ReadyMadeStep(config, dtype, "manifold")


class DecayedStep(GanStep):
    """The plain step with rates that follow the share of the run that is done."""

    def progress(self, done: float) -> None:
        """Sets the learning rates; `done` is in [0, 1]."""
        if not hasattr(self, "_rates"):
            self._rates = {name: float(adam.learning_rate) for name, adam in self.optimisers.items()}
        for name, adam in self.optimisers.items():
            adam.learning_rate.assign(self._rates[name] * min(1.0, 2.0 * (1.0 - done)))


def _pairs(config: Config, dtype: str, penalty: float) -> GanStep:
    spectral = default_terms(config)[-1]
    interval = config.training.r1_interval
    penalties = [R1Penalty(penalty, interval), R2Penalty(penalty, interval)]
    adversarial = [PairedGeneratorLoss(name="generator_loss"), PairedDiscriminatorLoss(name="discriminator_loss")]
    return _PairedStep(config, dtype, terms=[*adversarial, *penalties, spectral])


class _BiasedDown(DownConvolution):
    """Without batch normalization: biases, and kernels of unit gain at the start (He et al. 2015, arXiv:1502.01852)."""

    def build(self, input_shape: Any) -> None:
        self.use_batch_norm = False
        super().build(input_shape)
        self.kernel.assign(self.kernel / 0.02 * np.sqrt(2 / (25 * input_shape[-1])))
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", autocast=False, name="bias")

    def call(self, x: Any, fused: bool = True) -> Any:
        return super().call(x, fused) + tf.cast(self.bias.value, x.dtype)


class _BiasedDiscriminator(PatchDiscriminator):
    block_class = _BiasedDown


class _PairedStep(GanStep):
    discriminator_class = _BiasedDiscriminator


class _MultiScaleDiscriminator(PatchDiscriminator):
    """Scores of three scales as three channels, so that each scale has the same weight in a mean of all scores."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        for i in (1, 2):
            coarse = PatchDiscriminator(
                self.filters, self.classes, self.seed + 100 * i, name=f"scale_{i}", dtype=self.dtype_policy
            )
            setattr(self, f"scale_{i}", coarse)

    def call(self, images: Any, class_ids: Any = None, fused: bool = True) -> Any:
        scores = [super().call(images, class_ids, fused)]
        for i in (1, 2):
            images = tf.nn.avg_pool2d(tf.cast(images, tf.float32), 2, 2, "SAME")
            coarse = getattr(self, f"scale_{i}")(images, class_ids=class_ids, fused=fused)
            for axis in (1, 2):
                coarse = tf.repeat(coarse, 2**i, axis)
            scores.append(coarse[:, : scores[0].shape[1], : scores[0].shape[2]])
        return tf.concat(scores, axis=-1)


class _MultiScaleStep(GanStep):
    discriminator_class = _MultiScaleDiscriminator


class _ReadyMadeStep(GanStep):
    """The plain step with a generator that starts as a ready-made model of the same widths.

    Batch normalization is folded into the model's kernels. Here kernels get the size that training gives them, and
    gamma and beta the moments of the folded layers' values, so that the normalised layers compute what those do.

    Args:
      model: name of the ready-made model. Of its latent channels the global ones are left out.
      held_steps: first steps, in which only the discriminator is trained.
    """

    def __init__(self, config: Config, dtype: str, model: str, held_steps: int = 0) -> None:
        super().__init__(config, dtype)
        self._model, self._held_steps = loading.read_model(model, "float32").folded, held_steps

    def set_wave_numbers(self, wave_numbers: Any) -> None:
        """Sets the wave numbers, and the weights with moments that fit to them."""
        super().set_wave_numbers(wave_numbers)
        key, cells = noise.fold(self.config.training.seed, -2), self.config.data.crop_cells
        latents = self._latents(self.generator, key, RECALIBRATION_BATCH, cells, None)
        for network in (self.generator, self.averaged):
            self._assign(network, latents)

    def _assign(self, network: SpatialGenerator, x: Any) -> None:
        """Assigns the model's weights; x: latents from which the moments are taken."""
        local = self.config.model.local_channels
        *folded, (last_kernel, last_bias) = self._model.blocks
        first = folded[0][0]
        waves = network.channels - local
        folded[0] = np.concatenate([first[:, :, :local], first[:, :, first.shape[2] - waves :]], axis=2), folded[0][1]
        *hidden, last = network.blocks
        for block, (kernel, bias) in zip(hidden, folded, strict=True):
            x = operations.convolve(x, kernel, bias)
            mean, variance = operations.batch_moments(x)
            whole = _from_phases(kernel)
            block.kernel.assign(whole * TRAINED_SIZE / np.sqrt(np.mean(whole**2, axis=(0, 1, 2))))
            block.gamma.assign(tf.sqrt(variance))
            block.beta.assign(mean)
            x = tf.nn.relu(x)
        last.kernel.assign(_from_phases(last_kernel))
        last.bias.assign(last_bias[: last.filters])

    def _train(self, real: Any, class_ids: Any, updates: Any) -> Any:
        train = super()._train
        if not self._held_steps:
            return train(real, class_ids, updates)
        return tf.cond(
            self.step < self._held_steps,
            lambda: train(real, class_ids, DISCRIMINATOR),
            lambda: train(real, class_ids, updates),
        )


def _from_phases(kernel: np.ndarray) -> np.ndarray:
    """The inverse of `operations.to_phases` for kernels of 6x6: [3, 3, in, 4 out] -> [6, 6, in, out]."""
    fan_in, fan_out = kernel.shape[2], kernel.shape[3] // 4
    taps = kernel.reshape(3, 3, fan_in, 2, 2, fan_out).transpose(0, 3, 1, 4, 2, 5)
    return taps[::-1, :, ::-1].reshape(6, 6, fan_in, fan_out)


class _BlurredDown(DownConvolution):
    """Blurs features, not the pixels: fine detail would be free otherwise."""

    def call(self, x: Any, fused: bool = True) -> Any:
        channels = x.shape[-1]
        if channels > 3:
            row = tf.constant([1.0, 2.0, 1.0]) / 4
            kernel = tf.tile((row[:, None] * row)[:, :, None, None], (1, 1, channels, 1))
            x = tf.nn.depthwise_conv2d(x, tf.cast(kernel, x.dtype), (1, 1, 1, 1), "SAME")
        return super().call(x, fused)


class _BlurredDiscriminator(PatchDiscriminator):
    block_class = _BlurredDown


class _BlurredStep(GanStep):
    discriminator_class = _BlurredDiscriminator


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
