"""Kernel gradients of narrow convolutions, as one matrix product over patches.

oneDNN accumulates a kernel's gradient row by row of the output. The bfloat16 tile registers of a CPU take 32 numbers of
a row at a time, so rows of 10 leave most of a register idle: they took half as long again as rows of 20 for the same
number of products. One product of all patches with all output gradients fills the registers (im2col; Chellapilla et al.
2006, "High performance convolutional neural networks for document processing").
"""

from collections.abc import Callable

import tensorflow as tf

NARROW = 12
"""Widest output, in columns, for which the matrix product is faster."""


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
    """`tf.nn.conv2d` whose gradient with respect to the kernel is a matrix product where that is faster.

    Args:
      x: [batch, rows, cols, in].
      kernel: [side, side, in, out].
      stride: in both directions.
      padding: "SAME" or "VALID".
    """
    if not _is_faster(x, kernel.shape[0], stride, padding):
        return tf.nn.conv2d(x, kernel, stride, padding)

    @tf.custom_gradient
    def apply(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        y = tf.nn.conv2d(x, kernel, stride, padding)

        def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            strides = [1, stride, stride, 1]
            by_x = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x), filter=kernel, out_backprop=dy, strides=strides, padding=padding
            )
            seen = patches(x, kernel.shape[0], stride, padding)
            by_kernel = tf.matmul(seen, tf.reshape(dy, (-1, dy.shape[-1])), transpose_a=True)
            return by_x, tf.reshape(by_kernel, kernel.shape)

        return y, gradient

    return apply(x, kernel)


def patches(x: tf.Tensor, side: int, stride: int, padding: str) -> tf.Tensor:
    """The input patch of each output of a convolution: [batch * rows * cols, side * side * in], in reading order."""
    if padding == "SAME":
        # TensorFlow's rule: of an odd number of padding rows, the larger part comes last.
        spare = [max(stride * (-(-n // stride) - 1) + side - n, 0) for n in x.shape[1:3]]
        x = tf.pad(x, ((0, 0), *((n // 2, n - n // 2) for n in spare), (0, 0)))
    _, height, width, channels = x.shape
    rows, cols = ((n - side) // stride + 1 for n in (height, width))
    image = height * width * tf.range(tf.shape(x)[0])[:, tf.newaxis, tf.newaxis]
    first = image + stride * (width * tf.range(rows)[:, tf.newaxis] + tf.range(cols))  # [batch, rows, cols]
    tap = width * tf.range(side)[:, tf.newaxis] + tf.range(side)  # [side, side]
    index = tf.reshape(first, (-1, 1)) + tf.reshape(tap, (1, -1))
    return tf.reshape(tf.gather(tf.reshape(x, (-1, channels)), index), (-1, side * side * channels))


def _is_faster(x: tf.Tensor, side: int, stride: int, padding: str) -> bool:
    if x.dtype != tf.bfloat16 or None in x.shape[1:] or tf.config.get_visible_devices("GPU"):
        return False
    cols = -(-x.shape[2] // stride) if padding == "SAME" else (x.shape[2] - side) // stride + 1
    return cols <= NARROW
