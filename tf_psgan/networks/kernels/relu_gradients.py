"""ReLU and LeakyReLU with a compiled gradient in bfloat16, where TensorFlow's own gradient is not vectorised."""

from collections.abc import Callable

import tensorflow as tf


def rectify(x: tf.Tensor, negative_slope: float = 0.0) -> tf.Tensor:
    """x where x is positive, negative_slope * x elsewhere; any shape and floating type."""
    if x.dtype != tf.bfloat16 or tf.config.get_visible_devices("GPU"):
        return _plain(x, negative_slope)

    @tf.custom_gradient
    def apply(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        y = _plain(x, negative_slope)
        return y, lambda dy: _gradient(dy, y, negative_slope)

    return apply(x)


def _plain(x: tf.Tensor, negative_slope: float) -> tf.Tensor:
    return tf.nn.leaky_relu(x, negative_slope) if negative_slope else tf.nn.relu(x)


@tf.function(autograph=False, jit_compile=True)
def _gradient(dy: tf.Tensor, y: tf.Tensor, negative_slope: float) -> tf.Tensor:
    return tf.where(y > 0, dy, dy * tf.cast(negative_slope, dy.dtype))  # y has the sign of x
