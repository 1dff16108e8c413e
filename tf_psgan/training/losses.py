"""The adversarial losses and the R1 gradient penalty.

The non-saturating GAN losses (Goodfellow et al. 2014, section 3; Jetchev et al. 2016, equation 3) are computed from
logits: a sigmoid followed by a logarithm loses precision and ends in NaN, softplus of the logits does not.
"""

from typing import Any

import tensorflow as tf
from keras import ops

from tf_psgan.training.terms import Batch, Term


class GeneratorLoss(Term):
    """-mean log D(fake) over the patch scores."""

    network = "generator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted loss."""
        return self.weight * generator(batch.fake_logits)


class DiscriminatorLoss(Term):
    """-mean log D(real) - mean log(1 - D(fake)) over the patch scores."""

    network = "discriminator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted loss."""
        return self.weight * discriminator(batch.real_logits, batch.fake_logits)


class R1Penalty(Term):
    """The R1 gradient penalty (Mescheder et al. 2018, arXiv:1801.04406, equation 9), applied lazily.

    Only every `interval`-th update of the discriminator has the penalty, then `interval` times as strong (Karras et al.
    2020, arXiv:1912.04958, appendix B). The score of an image is the mean of its patch scores.

    Args:
      weight: of the penalty.
      interval: updates of the discriminator from one penalty to the next, at least 1.
    """

    network = "discriminator"
    logged = False  # 0 in most steps

    def __init__(self, weight: float, interval: int = 1) -> None:
        super().__init__(weight)
        self.interval = interval

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted penalty."""
        with tf.GradientTape() as tape:
            tape.watch(batch.real)
            scores = tf.reduce_sum(tf.reduce_mean(batch.score(batch.real), axis=(1, 2, 3)))
        return self.weight * self.interval * gradient_penalty(tape.gradient(scores, batch.real))


def discriminator(real_logits: Any, fake_logits: Any) -> Any:
    """-mean log D(real) - mean log(1 - D(fake)) over patch scores of any shape; a scalar."""
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


def generator(fake_logits: Any) -> Any:
    """-mean log D(fake) over patch scores of any shape; a scalar."""
    return ops.mean(ops.softplus(-fake_logits))


def gradient_penalty(gradient: Any) -> Any:
    """Half the mean squared norm of a gradient [batch, height, width, 3] of each image's score; a scalar."""
    return 0.5 * ops.mean(ops.sum(ops.square(gradient), axis=(1, 2, 3)))
