"""The Keras layers that both networks are built from.

Layers return their linear part; the networks apply the activations. Kernels and vectors stay float32 under every dtype
policy (`autocast=False`): bfloat16 copies are made where they are used.
"""

from typing import Any

import keras
from keras import ops

from tf_psgan.errors import SettingError
from tf_psgan.networks import operations

PACKAGE = "tf_psgan"
"""Prefix of the registered names of layers and models in saved Keras files."""


@keras.saving.register_keras_serializable(PACKAGE)
class UpConvolution(keras.layers.Layer):
    """Transposed convolution of stride 2, unpadded: [batch, rows, cols, in] -> [batch, 2 rows - 4, 2 cols - 4, out].

    Only output pixels that all of their inputs determine are kept. Nothing is padded: a border of zeros would tell a
    cell that it is near an edge, and an infinite texture has none. A 6x6 kernel fills all nine taps of each output
    phase; the papers' 5x5 kernel leaves some taps zero, so that even and odd pixels depend on different numbers of
    cells.

    In training, batch normalization uses the moments of the batch. Otherwise it uses the stored `mean` and `variance`,
    which only `SpatialGenerator.recalibrate` sets.

    Args:
      filters: output channels.
      kernel_size: side of the kernel, 5 or 6.
      use_batch_norm: batch normalization instead of a bias.
      seed: of the initial weights.

    Raises:
      SettingError: another kernel_size.
    """

    over_workers: operations.MeanOverWorkers | None = None
    """Set where several processes train together: batch normalization then uses the moments of their whole batch."""

    def __init__(
        self, filters: int, kernel_size: int = 6, use_batch_norm: bool = True, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if kernel_size not in (5, 6):
            raise SettingError("kernel_size", f"{kernel_size} is not possible", "choose 5 or 6", value=kernel_size)
        self.filters, self.kernel_size, self.use_batch_norm, self.seed = filters, kernel_size, use_batch_norm, seed

    def build(self, input_shape: Any) -> None:
        """Creates `kernel` [kernel_size, kernel_size, in, filters] and the four batch-norm vectors or the `bias`."""
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        normal = keras.initializers.RandomNormal
        start = normal(0.0, 0.02, self.seed) if self.kernel_size < 6 else self._equal_phases
        self.kernel = self.add_weight(shape=shape, initializer=start, autocast=False, name="kernel")
        if self.use_batch_norm:
            self.gamma = self._vector("gamma", normal(1.0, 0.02, self.seed + 1))
            self.beta = self._vector("beta", "zeros")
            self.mean = self._vector("mean", "zeros", trainable=False)
            self.variance = self._vector("variance", "ones", trainable=False)
        else:
            self.bias = self._vector("bias", "zeros")
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """The layer's linear part, in the compute dtype."""
        check_floating("x", x)
        if not self.use_batch_norm or not training:
            kernel, bias = self.folded()
            return operations.convolve(x, ops.cast(kernel, self.compute_dtype), ops.cast(bias, self.compute_dtype))
        y = self._before_batch_norm(x)
        return operations.batch_normalise(y, self.gamma, self.beta, over_workers=self.over_workers)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, 2 rows - 4, 2 cols - 4, filters); None stays None."""
        batch, rows, cols, _ = input_shape
        return (batch, *(None if n is None else 2 * n - 4 for n in (rows, cols)), self.filters)

    def moments(self, x: Any) -> tuple[Any, Any]:
        """The moments that batch normalization uses for this batch in training: (mean, variance), float32 [filters]."""
        return operations.batch_moments(self._before_batch_norm(x))

    def folded(self) -> tuple[Any, Any]:
        """(kernel [3, 3, in, 4 filters], bias [4 filters]), float32, with the stored batch normalization folded in."""
        if not self.use_batch_norm:
            return operations.to_phases(self.kernel), ops.tile(self.bias, 4)
        scale, shift = operations.scale_and_shift(self.gamma, self.beta, self.mean, self.variance)
        return operations.to_phases(self.kernel * scale), ops.tile(shift, 4)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "use_batch_norm": self.use_batch_norm,
            "seed": self.seed,
        }
        return super().get_config() | own

    def _equal_phases(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Initial kernel from N(0, 0.02), equal for the four output phases (Aitken et al. 2017, arXiv:1707.02937).

        Phases that start with different kernels draw a grid of single pixels, which training has to unlearn first.
        """
        taps = keras.initializers.RandomNormal(0.0, 0.02, self.seed)((3, 3, *shape[2:]), dtype)
        return ops.repeat(ops.repeat(taps, 2, axis=0), 2, axis=1)

    def _before_batch_norm(self, x: Any) -> Any:
        phases = operations.to_phases(ops.cast(self.kernel, x.dtype))
        return operations.depth_to_space(operations.convolve_training(x, phases))

    def _vector(self, name: str, initializer: Any, trainable: bool = True) -> Any:
        shape = (self.filters,)
        return self.add_weight(shape=shape, initializer=initializer, trainable=trainable, autocast=False, name=name)


@keras.saving.register_keras_serializable(PACKAGE)
class DownConvolution(keras.layers.Layer):
    """Zero-padded 5x5 convolution of stride 2: [batch, rows, cols, in] -> [batch, rows / 2, cols / 2, out].

    Rows and columns are rounded up. There is no bias. Batch normalization uses the moments of the batch and keeps no
    running statistics, because a discriminator is used in training only.

    Args:
      filters: output channels.
      use_batch_norm: batch normalization after the convolution.
      seed: of the initial weights.
    """

    over_workers: operations.MeanOverWorkers | None = None
    """As in `UpConvolution`."""

    def __init__(self, filters: int, use_batch_norm: bool = True, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.use_batch_norm, self.seed = filters, use_batch_norm, seed

    def build(self, input_shape: Any) -> None:
        """Creates `kernel` [5, 5, in, filters] and, with batch normalization, `gamma` and `beta` [filters]."""
        normal = keras.initializers.RandomNormal
        shape = (5, 5, input_shape[-1], self.filters)
        start = normal(0.0, 0.02, self.seed)
        self.kernel = self.add_weight(shape=shape, initializer=start, autocast=False, name="kernel")
        if self.use_batch_norm:
            vector, scale = (self.filters,), normal(1.0, 0.02, self.seed + 1)
            self.gamma = self.add_weight(shape=vector, initializer=scale, autocast=False, name="gamma")
            self.beta = self.add_weight(shape=vector, initializer="zeros", autocast=False, name="beta")
        self.built = True

    def call(self, x: Any, fused: bool = True) -> Any:
        """The layer's linear part, in the compute dtype. `fused`: see `operations.batch_normalise`."""
        check_floating("x", x)
        kernel = ops.cast(self.kernel, x.dtype)
        if not self.use_batch_norm:
            return ops.conv(x, kernel, strides=2, padding="same")
        y = operations.convolve_training(x, kernel, stride=2, padding="same")
        return operations.batch_normalise(y, self.gamma, self.beta, fused, self.over_workers)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, rows / 2, cols / 2, filters), rounded up; None stays None."""
        batch, rows, cols, _ = input_shape
        return (batch, *(None if n is None else -(-n // 2) for n in (rows, cols)), self.filters)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"filters": self.filters, "use_batch_norm": self.use_batch_norm, "seed": self.seed}
        return super().get_config() | own


@keras.saving.register_keras_serializable(PACKAGE)
class Projection(keras.layers.Layer):
    """The class-conditional term of a patch score: inner product of its features with a learned vector of the class.

    This is the second term of the projection discriminator (Miyato and Koyama 2018, arXiv:1802.05637, equation 3).

    Args:
      classes: how many classes there are.
      seed: of the initial vectors.
    """

    def __init__(self, classes: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes, self.seed = classes, seed

    def build(self, input_shape: Any) -> None:
        """Creates `table` [classes, channels], the vector of each class."""
        start = keras.initializers.RandomNormal(0.0, 0.02, self.seed)
        shape = (self.classes, input_shape[-1])
        self.table = self.add_weight(shape=shape, initializer=start, autocast=False, name="table")
        self.built = True

    def call(self, features: Any, class_ids: Any) -> Any:
        """Features [batch, rows, cols, channels], class_ids int [batch] -> float32 [batch, rows / 2, cols / 2, 1]."""
        check_floating("features", features)
        vectors = ops.cast(ops.take(self.table, class_ids, axis=0), features.dtype)
        products = ops.einsum("brcf,bf->brc", features, vectors)[..., None]
        return ops.average_pool(ops.cast(products, "float32"), 2, 2, padding="same")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, rows / 2, cols / 2, 1), rounded up, from the shape of the features; None stays None."""
        batch, rows, cols, _ = input_shape
        return (batch, *(None if n is None else -(-n // 2) for n in (rows, cols)), 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"classes": self.classes, "seed": self.seed}


def check_floating(name: str, x: Any) -> None:
    """Raises TypeError for integers: 8-bit values would be taken for values in [-1, 1].

    Not InputError: Keras replaces errors inside a call by one of the same type with one argument, which it cannot have.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    if "float" not in dtype:
        raise TypeError(f"{name}: {dtype} values; pass floating-point values, images in [-1, 1].")
