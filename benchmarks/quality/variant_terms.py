"""Loss terms of the arms of `recipe.py`; the package does not use them."""

import dataclasses

import tensorflow as tf

from tf_psgan.networks.discriminator import SLOPE, PatchDiscriminator
from tf_psgan.training.losses import R1Penalty
from tf_psgan.training.terms import Batch, Term


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


class PairedGeneratorLoss(Term):
    """Mean softplus of real minus fake logits at the same place."""

    network = "generator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted loss."""
        return self.weight * tf.reduce_mean(tf.nn.softplus(batch.real_logits - batch.fake_logits))


class PairedDiscriminatorLoss(Term):
    """Mean softplus of fake minus real logits at the same place."""

    network = "discriminator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted loss."""
        return self.weight * tf.reduce_mean(tf.nn.softplus(batch.fake_logits - batch.real_logits))


class R2Penalty(R1Penalty):
    """The R1 penalty's counterpart on generated crops."""

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted penalty."""
        return super().__call__(dataclasses.replace(batch, real=tf.stop_gradient(batch.fake)))


class DiscriminatorGram(Term):
    """Mean absolute difference of Gram matrices of the discriminator's features, relative to the real ones."""

    network = "generator"

    def __init__(self, discriminator: PatchDiscriminator, weight: float = 1.0) -> None:
        super().__init__(weight)
        self._blocks = discriminator.blocks[:-1]

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted distance."""
        total, real, fake = tf.zeros(()), batch.real, batch.fake
        for block in self._blocks:
            real, fake = (tf.nn.leaky_relu(block(tf.cast(x, block.compute_dtype)), SLOPE) for x in (real, fake))
            grams = [tf.einsum("brci,brcj->ij", x, x) / tf.cast(tf.size(x[..., 0]), x.dtype) for x in (real, fake)]
            target = tf.stop_gradient(grams[0])
            total += tf.cast(tf.reduce_mean(tf.abs(target - grams[1])) / tf.reduce_mean(tf.abs(target)), tf.float32)
        return self.weight * total


class PatchDistance(Term):
    """Sliced Wasserstein distance of 7 x 7 patches of real and fake crops at full, half and quarter size."""

    network = "generator"
    SCALES, PROJECTIONS, SIDE = 3, 32, 7

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted distance: mean absolute difference of sorted projections, unit vectors drawn for each step."""
        total, real, fake = tf.zeros(()), batch.real, batch.fake
        for scale in range(self.SCALES):
            if real.shape[1] < self.SIDE:
                break
            shape = (self.SIDE, self.SIDE, 3, self.PROJECTIONS)
            kernel = tf.random.stateless_normal(shape, seed=tf.stack([batch.key, scale]))
            kernel = tf.math.l2_normalize(kernel, axis=(0, 1, 2))
            made = [tf.reshape(tf.nn.conv2d(x, kernel, 1, "VALID"), (-1, self.PROJECTIONS)) for x in (real, fake)]
            ranks = [tf.sort(values, axis=0) for values in made]
            total += tf.reduce_mean(tf.abs(tf.stop_gradient(ranks[0]) - ranks[1]))
            real, fake = (tf.nn.avg_pool2d(x, 2, 2, "VALID") for x in (real, fake))
        return self.weight * total
