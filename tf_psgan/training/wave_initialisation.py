"""Where wave numbers start: at the source's own lattice, so that it comes sooner and truer.

Two plane waves say all about where a cell lies in a lattice of two vectors. More waves on the
same lattice, with phases of their own, contradict each other: seen as bands of dislocations.
A model of several textures starts with the waves of all their lattices, for each to choose from.

In a model that is told its pictures apart each has waves of its own, and those of one that repeats nowhere stand still:
they tell a cell nothing of where it is. Started at its spectrum's peaks, which chance puts somewhere, water and pebbles
learned to follow them, in rows and diagonals that no source has.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from tf_psgan.config import ModelConfig
from tf_psgan.evaluation import autocorrelation, spectral_peaks
from tf_psgan.latents import waves


def initial_wave_numbers(
    pictures: Sequence[np.ndarray], model: ModelConfig, how: str, pixels_per_cell: int
) -> np.ndarray:
    """Wave numbers to start from, [waves, 2], radians per cell, (row, col).

    Args:
      pictures: uint8 [h, w, 3].
      model: how many waves, at which angles, and whether one model holds several textures.
      how: "source" or "paper"; the latter is the authors' fixed ladder.
      pixels_per_cell: side of a cell.

    Raises:
      ValueError: so many waves do not fit into the pictures.
    """
    if how == "paper":
        return waves.ladder(model.waves)
    if model.wave_angles == "axis":
        return (pixels_per_cell * spectral_peaks.peaks(pictures, model.waves, axis_only=True)).astype(np.float32)
    textures = [[picture] for picture in pictures] if model.global_channels else [pictures]
    wanted = [wave for texture in textures for wave in reciprocal(autocorrelation.lattice(texture))]
    found = _distinct(wanted)
    if len(found) < model.waves:
        found = _distinct([*wanted, *spectral_peaks.peaks(pictures, model.waves + len(wanted))])
    return pixels_per_cell * np.array(found[: model.waves], np.float32).reshape(-1, 2)


def initial_wave_numbers_of_each(
    pictures: Iterable[np.ndarray], model: ModelConfig, how: str, pixels_per_cell: int
) -> np.ndarray:
    """`initial_wave_numbers` of each picture, [pictures, waves, 2]; by "source", 0 for one that repeats nowhere."""
    alone, still = dataclasses.replace(model, global_channels=0), np.zeros((model.waves, 2), np.float32)
    return np.stack([
        still if how == "source" and not autocorrelation.repeats([picture])
        else initial_wave_numbers([picture], alone, how, pixels_per_cell)
        for picture in pictures
    ])  # fmt: skip


def reciprocal(lattice: np.ndarray) -> np.ndarray:
    """The wave vectors [2, 2], radians per pixel, that advance one turn along one lattice vector and none along the
    other; [0, 2] for no lattice."""
    return 2.0 * np.pi * np.linalg.inv(lattice).T if len(lattice) else lattice


def _distinct(vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The wave vectors without those within a tenth of an earlier one or of its negative."""
    found: list[np.ndarray] = []
    for wave in vectors:
        if all(min(_apart(wave, other), _apart(-wave, other)) > 0.1 for other in found):
            found.append(wave)
    return found


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))
