"""Feature vectors of VGG-19 at positions of a picture, for `neighbours`, from weights that the user names.

No loss uses these features, so they can disagree with what a training optimises. Average pooling, as in Gatys et al.
2015, section 2.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_psgan.evaluation import vgg_weights

LAYERS = ("pool2", "pool3", "pool4")
VECTORS = 2000
"""Positions drawn from each set of pictures: neighbours are compared pairwise."""

MARGIN = 16
"""Pixels at a picture's borders that are left out: one position of the coarsest layer."""


class VggFeatures:
    """VGG-19 up to pool4 in float32."""

    def __init__(self, weights: Path) -> None:
        """Reads the weights; InputError where the file has none that `vgg_weights` understands."""
        self._weights = vgg_weights.read(weights)

    def __call__(self, pictures: Sequence[np.ndarray], vectors: int = VECTORS, seed: int = 0) -> dict[str, np.ndarray]:
        """Float32 [at most `vectors`, channels] of each layer, drawn without replacement from all positions.

        Positions within a margin of the pictures' borders, which see the zeros around them, are left out.

        Args:
          pictures: uint8 [h, w, 3] each, sizes may differ, at least 64 pixels a side.
          vectors: how many positions are drawn.
          seed: of the draw.
        """
        found: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
        for picture in pictures:
            for name, layer in self.layers(picture).items():
                edge = max(1, MARGIN // (picture.shape[0] // layer.shape[0]))
                found[name].append(layer[edge:-edge, edge:-edge].reshape(-1, layer.shape[-1]))
        return {name: draw(np.concatenate(parts), vectors, seed) for name, parts in found.items()}

    def layers(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """The layers named in LAYERS of a picture, uint8 [h, w, 3]: float32 [h / 2^n, w / 2^n, channels]."""
        weights, found = self._weights, {}
        x = tf.constant(picture[np.newaxis, ..., ::-1].astype(np.float32) * weights.scale + weights.shift)
        for name, kernel, bias in zip(vgg_weights.NAMES, weights.kernels, weights.biases, strict=True):
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
            if name in ("conv1_2", "conv2_2", "conv3_4", "conv4_4"):
                x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
                found[f"pool{name[4]}"] = x[0].numpy()
        return {name: found[name] for name in LAYERS}


def draw(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """At most `count` rows, without replacement."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:count]
    return vectors[chosen]
