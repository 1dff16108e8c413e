"""The fully convolutional patch discriminator of SGAN and PSGAN (Jetchev et al. 2016, section 2.1)."""

import dataclasses
from typing import Any

import keras
from keras import ops

from tf_psgan.config import ModelConfig, from_dict
from tf_psgan.networks import layers


@keras.saving.register_keras_serializable("tf_psgan")
class DownConvolution(keras.layers.Layer):
    """A 5x5 convolution of stride two, zero-padded: [batch, rows, cols, in] -> [batch, rows / 2, cols / 2, filters].

    With `normalise`, batch norm by the moments of the batch follows; a discriminator is only ever
    used in training, so no running statistics are kept.
    """

    def __init__(self, filters: int, normalise: bool, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.normalise, self.seed = filters, normalise, seed

    def build(self, input_shape: Any) -> None:
        """Makes kernel [5, 5, in, filters] and the batch norm's scale and shift."""
        normal = keras.initializers.RandomNormal
        shape = (5, 5, input_shape[-1], self.filters)
        start = normal(0.0, 0.02, self.seed)
        self.kernel = self.add_weight(shape=shape, initializer=start, autocast=False, name="kernel")
        if self.normalise:
            vector, scale = (self.filters,), normal(1.0, 0.02, self.seed + 1)
            self.gamma = self.add_weight(shape=vector, initializer=scale, autocast=False, name="gamma")
            self.beta = self.add_weight(shape=vector, initializer="zeros", autocast=False, name="beta")

    def call(self, x: Any, fused: bool = True) -> Any:
        """The layer's linear part; no activation. `fused` as in `layers.batch_normalise`."""
        kernel = ops.cast(self.kernel, x.dtype)
        if not self.normalise:
            return ops.conv(x, kernel, strides=2, padding="same")
        y = layers.convolve_training(x, kernel, stride=2, padding="same")
        return layers.batch_normalise(y, self.gamma, self.beta, fused)

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        return super().get_config() | {"filters": self.filters, "normalise": self.normalise, "seed": self.seed}


@keras.saving.register_keras_serializable("tf_psgan")
class Projection(keras.layers.Layer):
    """How much patches look like one source: the product of their features with a vector learned for each source.

    The second term of the projection discriminator (Miyato and Koyama 2018, arXiv:1802.05637, equation 3).
    """

    def __init__(self, sources: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources, self.seed = sources, seed

    def build(self, input_shape: Any) -> None:
        """Makes the table of vectors [sources, features]."""
        start = keras.initializers.RandomNormal(0.0, 0.02, self.seed)
        shape = (self.sources, input_shape[-1])
        self.table = self.add_weight(shape=shape, initializer=start, autocast=False, name="table")

    def call(self, features: Any, sources: Any) -> Any:
        """Features [batch, rows, cols, channels], sources int [batch] -> float32 [batch, rows / 2, cols / 2, 1]."""
        vectors = ops.cast(ops.take(self.table, sources, axis=0), features.dtype)
        products = ops.einsum("brcf,bf->brc", features, vectors)[..., None]
        return ops.average_pool(ops.cast(products, "float32"), 2, 2, padding="same")

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        return super().get_config() | {"sources": self.sources, "seed": self.seed}


@keras.saving.register_keras_serializable("tf_psgan")
class PatchDiscriminator(keras.Model):
    """Images [batch, height, width, 3] in [-1, 1] -> a logit per patch, float32 [batch, height / s, width / s, 1].

    s is two to the power of the number of layers; a patch is what one score sees. LeakyReLU 0.2;
    batch norm on all but the first and the last layer; no biases, as the authors have it. With `sources` it is told
    which of so many pictures each image is to look like.
    """

    def __init__(self, config: ModelConfig, seed: int = 0, sources: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config, self.seed, self.sources = config, seed, sources
        widths = (*config.discriminator_filters, 1)
        for i, filters in enumerate(widths):
            normalise = 0 < i < len(widths) - 1
            layer = DownConvolution(filters, normalise, seed + 10 * i, name=f"down_{i}", dtype=self.dtype_policy)
            setattr(self, f"down_{i}", layer)  # named attributes: a list would escape tf.train.Checkpoint
        if sources:
            self.projection = Projection(sources, seed + 10 * len(widths), name="projection", dtype=self.dtype_policy)
        self.build((None, None, None, 3))

    def build(self, input_shape: Any) -> None:
        """Makes every variable, so that a checkpoint can be read before the first call."""
        channels = input_shape[-1]
        for i in range(len(self.config.discriminator_filters) + 1):
            block = getattr(self, f"down_{i}")
            block.build((None, None, None, channels))
            channels = block.filters
        if self.sources:
            self.projection.build((None, None, None, self.config.discriminator_filters[-1]))
        self.built = True

    def call(self, images: Any, fused: bool = True, sources: Any = None) -> Any:
        """Scores every patch; high for real. `fused` as in `layers.batch_normalise`; `sources`: int [batch], if any."""
        x = ops.cast(images, self.compute_dtype)
        last = len(self.config.discriminator_filters)
        for i in range(last):
            x = getattr(self, f"down_{i}")(x, fused=fused)
            x = layers.rectify_training(x, 0.2) if fused else ops.leaky_relu(x, negative_slope=0.2)
        scores = ops.cast(getattr(self, f"down_{last}")(x), "float32")
        return scores + self.projection(x, sources) if self.sources else scores

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "seed": self.seed,
            "sources": self.sources,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "PatchDiscriminator":
        """The model that `get_config` described."""
        return cls(**(config | {"config": from_dict(ModelConfig, config["config"])}))
