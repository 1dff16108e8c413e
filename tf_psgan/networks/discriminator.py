"""The fully convolutional patch discriminator (Jetchev et al. 2016, arXiv:1611.08207, section 2.1)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_psgan.networks import layers, operations

SLOPE = 0.2
"""Slope of LeakyReLU for negative values."""


@keras.saving.register_keras_serializable(layers.PACKAGE)
class PatchDiscriminator(keras.Model):
    """Images [batch, height, width, channels] in [-1, 1] -> float32 logits, [batch, height / s, width / s, 1].

    One logit for each patch; s is 2 to the power of the number of layers, len(filters) + 1; heights and widths are
    rounded up. LeakyReLU with slope 0.2; batch normalization on all layers but the first and the last; no biases, as in
    the authors' code.

    Args:
      filters: channels of the hidden layers, image side first; one more layer makes the logit.
      classes: 0, or the number of classes of a class-conditional discriminator, which also takes the class of each
        image.
      seed: of the initial weights.
      channels: of the images.
    """

    block_class = layers.DownConvolution
    """Layer class of every block; a subclass may use another one."""

    def __init__(
        self,
        filters: Sequence[int] = (16, 32, 64, 128),
        classes: int = 0,
        seed: int = 0,
        channels: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.classes, self.seed, self.channels = tuple(filters), classes, seed, channels
        widths = (*self.filters, 1)
        for i, width in enumerate(widths):
            use_batch_norm = 0 < i < len(widths) - 1
            block = self.block_class(width, use_batch_norm, seed + 10 * i, name=f"down_{i}", dtype=self.dtype_policy)
            setattr(self, f"down_{i}", block)  # not a list, which tf.train.Checkpoint would not track
        if classes:
            self.projection = layers.Projection(
                classes, seed + 10 * len(widths), name="projection", dtype=self.dtype_policy
            )
        self.build((None, None, None, channels))

    @property
    def blocks(self) -> list[layers.DownConvolution]:
        """The convolutions, image side first."""
        return [getattr(self, f"down_{i}") for i in range(len(self.filters) + 1)]

    def build(self, input_shape: Any) -> None:
        """Creates every variable, so that a checkpoint can be restored before the first call."""
        channels = input_shape[-1]
        for block in self.blocks:
            block.build((None, None, None, channels))
            channels = block.filters
        if self.classes:
            self.projection.build((None, None, None, self.filters[-1]))
        self.built = True

    def call(self, images: Any, class_ids: Any = None, fused: bool = True) -> Any:
        """Scores every patch; high for real.

        Args:
          images: float [batch, height, width, channels] in [-1, 1].
          class_ids: int [batch], the class of each image, for a class-conditional discriminator.
          fused: see `operations.batch_normalise`; also selects the activation's fast gradient.
        """
        layers.check_floating("images", images)
        x = ops.cast(images, self.compute_dtype)
        *hidden, last = self.blocks
        for block in hidden:
            x = block(x, fused=fused)
            x = operations.rectify_training(x, SLOPE) if fused else ops.leaky_relu(x, negative_slope=SLOPE)
        scores = ops.cast(last(x), "float32")
        return scores + self.projection(x, class_ids) if self.classes else scores

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, height / s, width / s, 1), rounded up, from the shape of the images; None stays None."""
        shape = tuple(input_shape)
        for block in self.blocks:
            shape = block.compute_output_shape(shape)
        return shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"filters": self.filters, "classes": self.classes, "seed": self.seed, "channels": self.channels}
        return super().get_config() | own
