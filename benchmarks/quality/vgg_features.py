"""Feature vectors of VGG-19 at positions of a picture, for `neighbours`; needs PyTorch and a file of weights.

The training does not use these features, so they measure independently of its losses.
"""

from pathlib import Path

import numpy as np

LAYERS = ("pool2", "pool3", "pool4")
VECTORS = 2000
"""Positions drawn from each set of pictures; limited because neighbours are found by pairwise comparison."""


class VggFeatures:
    """VGG-19 up to pool4 in float32."""

    def __init__(self, weights: Path) -> None:
        """Reads the weights; raises ValueError for a file that `methods.vgg` cannot read."""
        import torch  # an optional dependency of the benchmarks

        from benchmarks.quality.methods import vgg

        self._torch, self._margin = torch, vgg.MARGIN
        self._network = vgg.Vgg(weights, torch.float32)

    def __call__(self, pictures: list[np.ndarray], vectors: int = VECTORS, seed: int = 0) -> dict[str, np.ndarray]:
        """Float32 [at most `vectors`, channels] of each layer, drawn without replacement from all positions.

        Positions near the borders, whose receptive field includes padding zeros, are excluded.

        Args:
          pictures: uint8 [h, w, 3] each, at least 64 pixels a side; sizes may differ.
          vectors: the number of positions to draw.
          seed: seed of the draw.
        """
        found: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
        for picture in pictures:
            batch = self._torch.from_numpy(np.ascontiguousarray(picture)).float().permute(2, 0, 1)[None]
            with self._torch.no_grad():
                features = self._network.features(batch)
            for name in LAYERS:
                layer = features[name][0].permute(1, 2, 0).numpy()
                edge = max(1, self._margin // (picture.shape[0] // layer.shape[0]))
                found[name].append(layer[edge:-edge, edge:-edge].reshape(-1, layer.shape[-1]))
        return {name: draw(np.concatenate(parts), vectors, seed) for name, parts in found.items()}


def draw(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """At most `count` rows, without replacement."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:count]
    return vectors[chosen]
