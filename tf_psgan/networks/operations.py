"""The networks' operations on tensors [batch, rows, cols, channels]: convolutions by phases, batch normalization, ReLU.

A transposed convolution of stride 2 is a 3x3 convolution to four times the channels, one set of channels for each of
the four output positions (the phases), rearranged to pixels (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158).

Training and inference have separate forms of the same operation where their fastest forms differ. The functions ending
in `_training` have custom gradients in TensorFlow. With any other Keras backend they fall back to the plain operation,
so TensorFlow is imported inside these functions only.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

EPSILON = 1e-5
"""Added to a variance before its square root is taken."""


MeanOverWorkers = Callable[[Sequence[Any]], list[Any]]
"""`tf_psgan.runtime.workers.Workers.mean`: the means of tensors over the processes that train together."""


def batch_moments(x: Any, over_workers: MeanOverWorkers | None = None) -> tuple[Any, Any]:
    """Mean and variance of each channel over batch, rows and cols: two float32 [channels], whatever the input type.

    `over_workers`: for a batch of which each worker has an equal part; None for a whole one.
    """
    x = ops.cast(x, "float32")
    mean, square = ops.mean(x, axis=(0, 1, 2)), ops.mean(ops.square(x), axis=(0, 1, 2))
    if over_workers:
        mean, square = over_workers([mean, square])
    return mean, square - ops.square(mean)


def scale_and_shift(gamma: Any, beta: Any, mean: Any, variance: Any) -> tuple[Any, Any]:
    """Batch normalization (Ioffe and Szegedy 2015) as y = x * scale + shift; returns both, [channels].

    A variance that rounding made negative counts as zero.
    """
    scale = gamma * ops.rsqrt(ops.maximum(variance, 0.0) + EPSILON)
    return scale, beta - mean * scale


def batch_normalise(
    x: Any, gamma: Any, beta: Any, fused: bool = True, over_workers: MeanOverWorkers | None = None
) -> Any:
    """Batch normalization of [batch, rows, cols, channels] with the moments of this batch (Ioffe and Szegedy 2015).

    Args:
      x: any floating type; the result has the same.
      gamma, beta: float32 [channels], scale and shift after normalization.
      fused: use TensorFlow's fused kernel. It takes a quarter of the time of the formula in bfloat16 (forward and
        backward), but TensorFlow 2.21 silently loses a part of its second derivatives inside `tf.cond` under two
        gradient tapes. Pass False wherever second derivatives are taken.
      over_workers: as for `batch_moments`. The fused kernel knows this process's part only and is not used then.
    """
    if fused and not over_workers and keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # see the module's docstring

        return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)[0]
    scale, shift = scale_and_shift(gamma, beta, *batch_moments(x, over_workers))
    if over_workers:  # as exact as the fused kernel, which computes in float32
        return ops.cast(ops.cast(x, "float32") * scale + shift, x.dtype)
    return x * ops.cast(scale, x.dtype) + ops.cast(shift, x.dtype)


def convolve_training(x: Any, kernel: Any, stride: int = 1, padding: str = "valid") -> Any:
    """A convolution without bias whose gradients are computed in their fastest form."""
    if keras.backend.backend() != "tensorflow":
        return ops.conv(x, kernel, strides=stride, padding=padding)
    from tf_psgan.networks.kernels import conv_gradients  # see the module's docstring

    return conv_gradients.convolve(x, kernel, stride, padding.upper())


def rectify_training(x: Any, negative_slope: float = 0.0) -> Any:
    """ReLU, or LeakyReLU of that slope, whose gradient is computed in its fastest form."""
    if keras.backend.backend() != "tensorflow":
        return ops.leaky_relu(x, negative_slope=negative_slope)
    from tf_psgan.networks.kernels import relu_gradients  # see the module's docstring

    return relu_gradients.rectify(x, negative_slope)


def depth_to_space(x: Any) -> Any:
    """[batch, rows, cols, 4 c] -> [batch, 2 rows, 2 cols, c]; the phases are in reading order."""
    return _blocks_to_space(x, 2)


def convolve(x: Any, kernel: Any, bias: Any, relu: bool = False) -> Any:
    """Up-convolution in inference form: [batch, n, n, in] -> [batch, 2 n - 4, 2 n - 4, out].

    Args:
      kernel: [3, 3, in, 4 out], as `UpConvolution.folded` returns it.
      bias: [4 out].
      relu: apply ReLU to the result.
    """
    x = _convolve_with_bias(x, kernel, bias)
    return depth_to_space(ops.relu(x) if relu else x)


def convolve_to_phases(x: Any, kernel: Any, bias: Any) -> Any:
    """`convolve` with ReLU, but without the rearrangement to pixels: [batch, n, n, in] -> [batch, n - 2, n - 2, 4 out].

    `convolve_across` takes its result.
    """
    return ops.relu(_convolve_with_bias(x, kernel, bias))


def convolve_across(x: Any, kernel: Any, bias: Any) -> Any:
    """`convolve` of pixels that are still arranged as phases: [batch, n, n, 4 in] -> [batch, 4 n - 4, 4 n - 4, out].

    Computes `convolve(depth_to_space(x), kernel, bias)` as one 2x2 convolution to 16 phases. That needs 16 products
    instead of 9 for each weight, but avoids rearranging the largest tensor of the network, and the few output
    channels of the last layer leave vector units idle anyway.

    Args:
      kernel: [3, 3, in, 4 out].
      bias: [4 out], with equal values for the four phases.
    """
    fan_in, fan_out = kernel.shape[2], kernel.shape[3] // 4
    taps = ops.reshape(kernel, (3, 3, fan_in, 2, 2, fan_out))
    # Of two neighbouring pixels the first has its taps at 0, 1, 2 and the second at 1, 2, 3: four pixels, two cells.
    rows = ops.stack([ops.pad(taps, ((i, 1 - i), *[(0, 0)] * 5)) for i in range(2)], axis=3)
    both = ops.stack([ops.pad(rows, ((0, 0), (i, 1 - i), *[(0, 0)] * 5)) for i in range(2)], axis=5)
    both = ops.reshape(both, (2, 2, 2, 2, fan_in, 16 * fan_out))  # [cell row, pixel row, cell col, pixel col, ...]
    both = ops.reshape(ops.transpose(both, (0, 2, 1, 3, 4, 5)), (2, 2, 4 * fan_in, 16 * fan_out))
    return _blocks_to_space(_convolve_with_bias(x, both, ops.tile(bias, 4)), 4)


def to_phases(kernel: Any) -> Any:
    """A transposed convolution's kernel [side, side, in, out] as the kernel [3, 3, in, 4 out] of a convolution.

    `side` is at most 6; smaller kernels are padded with zeros. Input i reaches output 2 i + u through kernel[u].
    """
    spare = 6 - kernel.shape[0]
    kernel = ops.pad(kernel, ((0, spare), (0, spare), (0, 0), (0, 0)))
    _, _, fan_in, fan_out = kernel.shape
    kernel = ops.flip(ops.reshape(kernel, (3, 2, 3, 2, fan_in, fan_out)), axis=(0, 2))
    return ops.reshape(ops.transpose(kernel, (0, 2, 4, 1, 3, 5)), (3, 3, fan_in, 4 * fan_out))


def _convolve_with_bias(x: Any, kernel: Any, bias: Any) -> Any:
    x = ops.conv(x, kernel, padding="valid")
    if keras.backend.backend() != "tensorflow":
        return x + bias
    import tensorflow as tf  # see the module's docstring

    # TensorFlow fuses bias and ReLU into the convolution if they follow it directly: a fifth of inference time.
    return tf.nn.bias_add(x, bias)


def _blocks_to_space(x: Any, side: int) -> Any:
    """[batch, rows, cols, side * side * c] -> [batch, side * rows, side * cols, c]; pixels in reading order."""
    batch, rows, cols, channels = ops.shape(x)
    each = channels // side**2
    x = ops.reshape(x, (batch, rows, cols, side, side, each))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (batch, side * rows, side * cols, each))
