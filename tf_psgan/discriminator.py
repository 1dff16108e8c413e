"""The fully convolutional patch discriminator of SGAN and PSGAN (Jetchev et al. 2016, section 2.1)."""

import dataclasses
from typing import Any

import keras
from keras import ops

from tf_psgan import layers
from tf_psgan.config import ModelConfig, from_dict


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
        y = ops.conv(x, ops.cast(self.kernel, x.dtype), strides=2, padding="same")
        return layers.batch_normalise(y, self.gamma, self.beta, fused) if self.normalise else y

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        return super().get_config() | {"filters": self.filters, "normalise": self.normalise, "seed": self.seed}


@keras.saving.register_keras_serializable("tf_psgan")
class PatchDiscriminator(keras.Model):
    """Images [batch, height, width, 3] in [-1, 1] -> a logit per patch, float32 [batch, height / s, width / s, 1].

    s is two to the power of the number of layers; a patch is what one score sees. LeakyReLU 0.2;
    batch norm on all but the first and the last layer; no biases, as the authors have it.
    """

    def __init__(self, config: ModelConfig, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config, self.seed = config, seed
        widths = (*config.critic_filters, 1)
        for i, filters in enumerate(widths):
            normalise = 0 < i < len(widths) - 1
            layer = DownConvolution(filters, normalise, seed + 10 * i, name=f"down_{i}", dtype=self.dtype_policy)
            setattr(self, f"down_{i}", layer)  # named attributes: a list would escape tf.train.Checkpoint
        self.build((None, None, None, 3))

    def build(self, input_shape: Any) -> None:
        """Makes every variable, so that a checkpoint can be read before the first call."""
        channels = input_shape[-1]
        for i in range(len(self.config.critic_filters) + 1):
            block = getattr(self, f"down_{i}")
            block.build((None, None, None, channels))
            channels = block.filters
        self.built = True

    def call(self, images: Any, fused: bool = True) -> Any:
        """Scores every patch; high for real. `fused` as in `layers.batch_normalise`."""
        x = ops.cast(images, self.compute_dtype)
        last = len(self.config.critic_filters)
        for i in range(last):
            x = ops.leaky_relu(getattr(self, f"down_{i}")(x, fused=fused), negative_slope=0.2)
        return ops.cast(getattr(self, f"down_{last}")(x), "float32")

    def get_config(self) -> dict[str, Any]:
        """Everything that the constructor takes."""
        return super().get_config() | {"config": dataclasses.asdict(self.config), "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "PatchDiscriminator":
        """The model that `get_config` described."""
        return cls(**(config | {"config": from_dict(ModelConfig, config["config"])}))
