"""The up-convolution without padding, with its batch norm: the generator's building block.

A transposed convolution of stride two is a 3x3 convolution to four times the channels, one
set per output phase, laid out as pixels (Shi et al. 2016, arXiv:1609.05158). A 6x6 kernel
fills all nine taps of each phase; the papers' 5x5 leaves some of them zero, so that even
and odd pixels see different numbers of cells. Nothing is padded: a zero border would tell
a cell that it is near an edge, and a texture has none.
"""

from typing import Any

import keras
from keras import ops

EPSILON = 1e-5
"""Added to a variance before its root."""


def batch_moments(x: Any) -> tuple[Any, Any]:
    """Mean and variance of each channel over batch, rows and cols; float32 whatever the input is."""
    x = ops.cast(x, "float32")
    mean = ops.mean(x, axis=(0, 1, 2))
    return mean, ops.mean(ops.square(x), axis=(0, 1, 2)) - ops.square(mean)


def scale_and_shift(gamma: Any, beta: Any, mean: Any, variance: Any) -> tuple[Any, Any]:
    """Batch norm as y = x * scale + shift (Ioffe and Szegedy 2015)."""
    scale = gamma * ops.rsqrt(ops.maximum(variance, 0.0) + EPSILON)
    return scale, beta - mean * scale


def batch_normalise(x: Any, gamma: Any, beta: Any, fused: bool = True) -> Any:
    """Batch norm over [batch, rows, cols] by the moments of this batch (Ioffe and Szegedy 2015).

    Without `fused` by the formula, for second derivatives: inside `tf.cond` under two gradient tapes
    the fused kernel of TensorFlow 2.21 silently loses a part of them.
    """
    if fused and keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # only here: with another backend of Keras the networks run without it

        # One fused kernel: a quarter of the time of the formula below, forth and back, in bfloat16.
        return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)[0]
    scale, shift = scale_and_shift(gamma, beta, *batch_moments(x))
    return x * ops.cast(scale, x.dtype) + ops.cast(shift, x.dtype)


def convolve_training(x: Any, kernel: Any, stride: int = 1, padding: str = "valid") -> Any:
    """The bare convolution, in the form whose gradients are the fastest."""
    if keras.backend.backend() != "tensorflow":
        return ops.conv(x, kernel, strides=stride, padding=padding)
    from tf_psgan.networks.kernels import conv_gradients  # only here, as above

    return conv_gradients.convolve(x, kernel, stride, padding.upper())


def rectify_training(x: Any, slope: float = 0.0) -> Any:
    """ReLU, or LeakyReLU of that slope, in the form whose gradient is the fastest."""
    if keras.backend.backend() != "tensorflow":
        return ops.leaky_relu(x, negative_slope=slope)
    from tf_psgan.networks.kernels import relu_gradients  # only here, as above

    return relu_gradients.rectify(x, slope)


def depth_to_space(x: Any) -> Any:
    """[batch, rows, cols, 4 c] -> [batch, 2 rows, 2 cols, c]; phases in reading order."""
    return _blocks_to_space(x, 2)


def convolve(x: Any, kernel: Any, bias: Any, relu: bool = False) -> Any:
    """n cells -> 2 n - 4, with a kernel [3, 3, in, 4 out] and a bias [4 out]; then ReLU where it is asked for."""
    x = _biased(x, kernel, bias)
    return depth_to_space(ops.relu(x) if relu else x)


def convolve_to_phases(x: Any, kernel: Any, bias: Any) -> Any:
    """`convolve` with ReLU, its result still as phases, for `convolve_across`: n cells -> n - 2 of four phases."""
    return ops.relu(_biased(x, kernel, bias))


def convolve_across(x: Any, kernel: Any, bias: Any) -> Any:
    """`convolve` of pixels that still lie as phases: [batch, n, n, 4 in] -> [batch, 4 n - 4, 4 n - 4, out].

    The same picture as `convolve(depth_to_space(x), kernel, bias)`, as a 2x2 convolution to 16 phases: 16 products
    for 9, but the largest field is not laid out as pixels first, and so few channels fill no vector anyway.

    Args:
      kernel: [3, 3, in, 4 out].
      bias: [4 out], the same for the four phases.
    """
    fan_in, fan_out = kernel.shape[2], kernel.shape[3] // 4
    taps = ops.reshape(kernel, (3, 3, fan_in, 2, 2, fan_out))
    # Of two neighbouring pixels the first has its taps at 0, 1, 2 and the second at 1, 2, 3: of 4 pixels, 2 cells.
    rows = ops.stack([ops.pad(taps, ((i, 1 - i), *[(0, 0)] * 5)) for i in range(2)], axis=3)
    both = ops.stack([ops.pad(rows, ((0, 0), (i, 1 - i), *[(0, 0)] * 5)) for i in range(2)], axis=5)
    both = ops.reshape(both, (2, 2, 2, 2, fan_in, 16 * fan_out))
    both = ops.reshape(ops.transpose(both, (0, 2, 1, 3, 4, 5)), (2, 2, 4 * fan_in, 16 * fan_out))
    return _blocks_to_space(_biased(x, both, ops.tile(bias, 4)), 4)


@keras.saving.register_keras_serializable("tf_psgan")
class UpConvolution(keras.layers.Layer):
    """Doubles resolution: [batch, rows, cols, in] -> [batch, 2 rows - 4, 2 cols - 4, filters].

    With `normalise`, batch norm replaces the bias. In training it uses the moments of the
    batch; otherwise the stored `mean` and `variance`, which only `SpatialGenerator.recalibrate` sets.
    """

    def __init__(self, filters: int, kernel: int = 6, normalise: bool = True, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.side, self.normalise, self.seed = filters, kernel, normalise, seed

    def build(self, input_shape: Any) -> None:
        """Makes kernel [side, side, in, filters] and the batch norm's four vectors or the bias."""
        shape = (self.side, self.side, input_shape[-1], self.filters)
        normal = keras.initializers.RandomNormal
        # Without autocast: bfloat16 copies are made where they are used, vectors stay float32.
        start = normal(0.0, 0.02, self.seed) if self.side < 6 else self._alike
        self.kernel = self.add_weight(shape=shape, initializer=start, autocast=False, name="kernel")
        if self.normalise:
            self.gamma = self._vector("gamma", normal(1.0, 0.02, self.seed + 1))
            self.beta = self._vector("beta", "zeros")
            self.mean = self._vector("mean", "zeros", trainable=False)
            self.variance = self._vector("variance", "ones", trainable=False)
        else:
            self.bias = self._vector("bias", "zeros")

    def call(self, x: Any, training: bool = False) -> Any:
        """The layer's linear part; no activation."""
        if not self.normalise or not training:
            kernel, bias = self.folded()
            return convolve(x, ops.cast(kernel, self.compute_dtype), ops.cast(bias, self.compute_dtype))
        return batch_normalise(self._raw(x), self.gamma, self.beta)

    def moments(self, x: Any) -> tuple[Any, Any]:
        """What batch norm would divide this input's result by: (mean, variance) of each channel, float32."""
        return batch_moments(self._raw(x))

    def folded(self) -> tuple[Any, Any]:
        """(kernel [3, 3, in, 4 filters], bias [4 filters]) in float32, stored batch norm folded in."""
        if not self.normalise:
            return self._phases(self.kernel), ops.tile(self.bias, 4)
        scale, shift = scale_and_shift(self.gamma, self.beta, self.mean, self.variance)
        return self._phases(self.kernel * scale), ops.tile(shift, 4)

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        own = {"filters": self.filters, "kernel": self.side, "normalise": self.normalise, "seed": self.seed}
        return super().get_config() | own

    def _alike(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """A start N(0, 0.02) that is the same for the four output phases (Aitken et al. 2017, arXiv:1707.02937).

        Phases that start apart draw a grid of single pixels, which has to be unlearned first.
        """
        taps = keras.initializers.RandomNormal(0.0, 0.02, self.seed)((3, 3, *shape[2:]), dtype)
        return ops.repeat(ops.repeat(taps, 2, axis=0), 2, axis=1)

    def _raw(self, x: Any) -> Any:
        return depth_to_space(convolve_training(x, self._phases(ops.cast(self.kernel, x.dtype))))

    def _phases(self, kernel: Any) -> Any:
        """[side, side, in, out] -> [3, 3, in, 4 out]: input i reaches output 2 i + u through kernel[u]."""
        spare = 6 - self.side
        kernel = ops.pad(kernel, ((0, spare), (0, spare), (0, 0), (0, 0)))
        _, _, fan_in, fan_out = kernel.shape
        kernel = ops.flip(ops.reshape(kernel, (3, 2, 3, 2, fan_in, fan_out)), axis=(0, 2))
        return ops.reshape(ops.transpose(kernel, (0, 2, 4, 1, 3, 5)), (3, 3, fan_in, 4 * fan_out))

    def _vector(self, name: str, initializer: Any, trainable: bool = True) -> Any:
        shape = (self.filters,)
        return self.add_weight(shape=shape, initializer=initializer, trainable=trainable, autocast=False, name=name)


def _biased(x: Any, kernel: Any, bias: Any) -> Any:
    """A convolution without padding, and its bias."""
    x = ops.conv(x, kernel, padding="valid")
    if keras.backend.backend() != "tensorflow":
        return x + bias
    import tensorflow as tf  # only here, as above

    # As the very next operations bias and ReLU become a part of the convolution: a fifth of a picture's time.
    return tf.nn.bias_add(x, bias)


def _blocks_to_space(x: Any, side: int) -> Any:
    """[batch, rows, cols, side * side * c] -> [batch, side * rows, side * cols, c]; pixels in reading order."""
    batch, rows, cols, channels = ops.shape(x)
    each = channels // side**2
    x = ops.reshape(x, (batch, rows, cols, side, side, each))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (batch, side * rows, side * cols, each))
