"""The non-saturating GAN losses (Goodfellow et al. 2014, section 3; Jetchev et al. 2016, equation 3), from logits.

A sigmoid followed by a logarithm loses precision and ends in NaN; softplus of the logits does not.
"""

from typing import Any

from keras import ops


def discriminator(real_logits: Any, fake_logits: Any) -> Any:
    """-mean log D(real) - mean log(1 - D(fake)) over patch scores of any shape; a scalar."""
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


def generator(fake_logits: Any) -> Any:
    """-mean log D(fake) over patch scores of any shape; a scalar."""
    return ops.mean(ops.softplus(-fake_logits))


def gradient_penalty(gradient: Any) -> Any:
    """R1 (Mescheder et al. 2018, equation 9): half the mean squared norm of the scores' gradient at real images.

    Args:
      gradient: [batch, height, width, 3], of each image's mean patch score.
    """
    return 0.5 * ops.mean(ops.sum(ops.square(gradient), axis=(1, 2, 3)))
