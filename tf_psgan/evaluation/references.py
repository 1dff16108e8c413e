"""Pictures made from a photograph without any training, which give the metrics of a generator their scale. NumPy only.

Two halves of the photograph show what a perfect generator would reach; image quilting is a strong method that copies;
random-phase noise has the photograph's spectrum and none of its structure.
"""

import numpy as np

from tf_psgan.evaluation import quilting
from tf_psgan.evaluation.lattice import lattice


def halves(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The halves of [h, w, ...] along its longer side."""
    first, second = np.array_split(source, 2, axis=int(source.shape[1] > source.shape[0]))
    return first, second


def quilted(source: np.ndarray, seed: int = 0) -> np.ndarray:
    """Image quilting of a photograph, of its shorter side, with blocks that its structures fit into.

    Args:
      source: uint8 [h, w, 3], at least 64 pixels a side.
      seed: of the choice among blocks that fit.
    """
    block = quilting.block_side(source, lattice([source]))
    return quilting.quilt(source, min(source.shape[:2]), seed, block)


def random_phases(source: np.ndarray, seed: int = 0) -> np.ndarray:
    """Noise with the photograph's power spectrum and correlations of colours (Galerne et al. 2011, section III).

    The phases of one white noise are added to those of each colour, so the mean stays and all structure goes.

    Args:
      source: uint8 [h, w, 3].
      seed: of the white noise.

    Returns:
      uint8 [h, w, 3].
    """
    mean = source.mean(axis=(0, 1))
    white = np.fft.rfft2(np.random.default_rng(seed).normal(size=source.shape[:2]))
    turn = white / np.maximum(np.abs(white), 1e-12)
    waves = np.fft.rfft2(source - mean, axes=(0, 1)) * turn[..., np.newaxis]
    return np.clip(np.rint(np.fft.irfft2(waves, source.shape[:2], axes=(0, 1)) + mean), 0, 255).astype(np.uint8)
