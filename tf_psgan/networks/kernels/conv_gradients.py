"""Gradients of narrow convolutions by their filters, as one matrix product over patches.

oneDNN sums a filter's gradient row by row of the output. A processor's bfloat16 tiles take 32 numbers of a row at a
time, so rows of 10 leave most of them idle: as many products took half as long again as in rows of 20. As a product of
all patches with all gradients (im2col; Chellapilla et al. 2006, "High performance convolutional neural networks for
document processing") nothing is idle.
"""

from typing import Any

import tensorflow as tf

NARROW = 12
"""Outputs of at most so many columns gain."""


def convolve(x: Any, kernel: Any, stride: int, padding: str) -> Any:
    """`tf.nn.conv2d`; where that gains, its gradient by the kernel is a matrix product.

    Args:
      x: [batch, rows, cols, in].
      kernel: [side, side, in, out].
      padding: "SAME" or "VALID".
    """
    if not _gains(x, kernel.shape[0], stride, padding):
        return tf.nn.conv2d(x, kernel, stride, padding)

    @tf.custom_gradient
    def apply(x: Any, kernel: Any) -> Any:
        y = tf.nn.conv2d(x, kernel, stride, padding)

        def back(dy: Any) -> tuple[Any, Any]:
            strides = [1, stride, stride, 1]
            by_x = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x), filter=kernel, out_backprop=dy, strides=strides, padding=padding
            )
            seen = patches(x, kernel.shape[0], stride, padding)
            by_kernel = tf.matmul(seen, tf.reshape(dy, (-1, dy.shape[-1])), transpose_a=True)
            return by_x, tf.reshape(by_kernel, kernel.shape)

        return y, back

    return apply(x, kernel)


def patches(x: Any, side: int, stride: int, padding: str) -> Any:
    """What each output of a convolution sees: [batch * rows * cols, side * side * in], outputs in reading order."""
    if padding == "SAME":
        # As TensorFlow pads: of an odd number the larger part behind.
        spare = [max(stride * (-(-n // stride) - 1) + side - n, 0) for n in x.shape[1:3]]
        x = tf.pad(x, ((0, 0), *((n // 2, n - n // 2) for n in spare), (0, 0)))
    _, height, width, channels = x.shape
    rows, cols = ((n - side) // stride + 1 for n in (height, width))
    image = height * width * tf.range(tf.shape(x)[0])[:, tf.newaxis, tf.newaxis]
    place = image + stride * (width * tf.range(rows)[:, tf.newaxis] + tf.range(cols))  # [batch, rows, cols]
    tap = width * tf.range(side)[:, tf.newaxis] + tf.range(side)
    index = tf.reshape(place, (-1, 1)) + tf.reshape(tap, (1, -1))
    return tf.reshape(tf.gather(tf.reshape(x, (-1, channels)), index), (-1, side * side * channels))


def _gains(x: Any, side: int, stride: int, padding: str) -> bool:
    if x.dtype != tf.bfloat16 or None in x.shape[1:] or tf.config.list_physical_devices("GPU"):
        return False
    cols = -(-x.shape[2] // stride) if padding == "SAME" else (x.shape[2] - side) // stride + 1
    return cols <= NARROW
