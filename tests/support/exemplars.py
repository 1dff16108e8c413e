"""Small exemplars, of which copies follow a guide or a lattice."""

import dataclasses

import numpy as np

from tests.support import synthetic_textures
from tf_psgan.detail.exemplar import Exemplar

KINDS = "guide", "lattice"


def of_blobs(kind: str) -> Exemplar:
    """Of a picture of blobs of 96 pixels a side; kind: one of KINDS."""
    built = Exemplar.build([synthetic_textures.blobs(3, 96)], 3)
    if kind == "guide":
        return built
    waves = np.array([[0.05, 0.01], [-0.02, 0.06]])
    return dataclasses.replace(built, waves=waves, wave_offsets=np.array([1 << 61, -(1 << 59)]))
