"""Telling both networks which picture a crop is from: what makes many textures in one model come apart sooner.

Texture number i of such a model is its i-th picture: the global vector that the number i names anyway is what the
generator gets where the discriminator is shown that picture. So nothing has to be learned or stored to make pictures
with, and vectors between those of two pictures blend them. The discriminator learns a vector for each picture and
adds its product with what it sees (the projection discriminator, Miyato and Koyama 2018, arXiv:1802.05637, equation 3).
"""

import itertools
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.latents import noise
from tf_psgan.networks.generator import SpatialGenerator

_LONGEST = 60


def vectors(sources: Any, channels: int) -> tf.Tensor:
    """The global vectors of pictures: int64 [...] numbers -> float32 [..., channels], in [-1, 1)."""
    return noise.global_vector(sources, channels)


def fit_wave_mlp(network: SpatialGenerator, wave_numbers: np.ndarray) -> None:
    """Sets the MLP so that the waves of each picture's texture are its own.

    The last layer is the least-squares solution over the hidden units that the pictures' vectors excite, the smallest
    one, around the pictures' mean; exact where there are at least as many hidden units as pictures.

    Args:
      wave_numbers: [pictures, waves, 2], radians per cell.
    """
    wanted = np.asarray(wave_numbers, np.float64).reshape(len(wave_numbers), -1)
    own = vectors(tf.range(len(wanted), dtype=tf.int64), network.config.global_channels)
    hidden = np.asarray(network.wave_hidden(own))
    mean = wanted.mean(axis=0)
    network.wave_out.kernel.assign(np.linalg.lstsq(hidden.astype(np.float64), wanted - mean, rcond=None)[0])
    network.wave_out.bias.assign(mean)


def names(paths: Sequence[str]) -> list[str]:
    """What the pictures' textures are called: their files' names, as far as a texture's name allows, no two alike."""
    found: list[str] = []
    for path in paths:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", PurePath(path).stem)[:_LONGEST]
        stem = stem if re.match("[A-Za-z_]", stem) else f"_{stem}"
        others = (f"{stem}_{number}" for number in itertools.count(2))
        found.append(next(name for name in itertools.chain([stem], others) if name not in found))
    return found
