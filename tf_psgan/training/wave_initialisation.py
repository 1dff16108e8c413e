"""Initial wave numbers: on the lattice of the source, so that it is learned sooner and more exactly.

Two plane waves determine the position of a cell within a lattice of two vectors. More waves on the same lattice, with
phases of their own, contradict each other, which shows as bands of dislocations. A model of several textures starts
with the waves of all their lattices, for each texture to choose from.

In a class-conditional model each class has its own waves. A class whose source does not repeat starts with zero wave
numbers: constant waves carry no information about a cell's position. When such classes started at the peaks of their
spectra, which lie at chance positions, water and pebbles learned to follow them, in rows and diagonals that no source
has.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.config import ModelConfig
from tf_psgan.errors import SettingError
from tf_psgan.evaluation import lattice, spectral_peaks
from tf_psgan.latents import noise, waves
from tf_psgan.networks.generator import SpatialGenerator

_SAME = 0.1
"""Relative distance below which two wave vectors count as one."""


def initial_wave_numbers(
    pictures: Sequence[np.ndarray], model: ModelConfig, wave_init: str, pixels_per_cell: int
) -> np.ndarray:
    """Initial wave numbers, float32 [waves, 2], radians per cell, (row, col) last.

    Args:
      pictures: uint8 [height, width, 3].
      model: number of waves, their angles, and whether the model has global channels, that is, several textures.
      wave_init: "source", or "paper" for the authors' fixed ladder.
      pixels_per_cell: side of a cell.

    Raises:
      SettingError: the pictures are too small for so many waves.
    """
    if wave_init == "paper":
        return waves.ladder(model.waves)
    if model.wave_angles == "axis":
        return (pixels_per_cell * spectral_peaks.peaks(pictures, model.waves, axis_only=True)).astype(np.float32)
    textures = [[picture] for picture in pictures] if model.global_channels else [pictures]
    wanted = [wave for texture in textures for wave in reciprocal(lattice.lattice(texture))]
    found = _distinct(wanted)
    if len(found) < model.waves:
        try:
            peaks = spectral_peaks.peaks(pictures, model.waves + len(wanted))  # some may be those of the lattice
        except SettingError:
            peaks = spectral_peaks.peaks(pictures, model.waves)
        found = _distinct([*wanted, *peaks])
    return pixels_per_cell * np.array(found[: model.waves], np.float32).reshape(-1, 2)


def initial_wave_numbers_by_class(
    pictures: Iterable[np.ndarray], model: ModelConfig, wave_init: str, pixels_per_cell: int
) -> np.ndarray:
    """Initial wave numbers of a class-conditional model, float32 [classes, waves, 2]; one picture for each class.

    With `wave_init` "source", a picture that does not repeat has zero wave numbers. See `initial_wave_numbers`.
    """
    one_texture, zeros = dataclasses.replace(model, global_channels=0), np.zeros((model.waves, 2), np.float32)
    return np.stack([
        zeros if wave_init == "source" and not lattice.repeats([picture])
        else initial_wave_numbers([picture], one_texture, wave_init, pixels_per_cell)
        for picture in pictures
    ])  # fmt: skip


def fit_wave_mlp(network: SpatialGenerator, wave_numbers: np.ndarray) -> None:
    """Sets the wave-number MLP so that each class has its own wave numbers.

    The kernel of the last layer is the least-squares solution of smallest norm, given the hidden units that the
    classes' global vectors excite; its bias is the mean over the classes. Exact where there are at least as many hidden
    units as classes.

    Args:
      network: a generator with waves and global channels.
      wave_numbers: [classes, waves, 2], radians per cell.
    """
    wanted = np.asarray(wave_numbers, np.float64).reshape(len(wave_numbers), -1)
    vectors = noise.global_vector(tf.range(len(wanted), dtype=tf.int64), network.global_channels)
    hidden = np.asarray(network.wave_hidden(vectors))
    mean = wanted.mean(axis=0)
    network.wave_out.kernel.assign(np.linalg.lstsq(hidden.astype(np.float64), wanted - mean, rcond=None)[0])
    network.wave_out.bias.assign(mean)


def reciprocal(lattice: np.ndarray) -> np.ndarray:
    """The wave vectors of a lattice [2, 2] in pixels: [2, 2], radians per pixel; [0, 2] for no lattice.

    Each advances by one turn along one lattice vector and by none along the other.
    """
    return 2.0 * np.pi * np.linalg.inv(lattice).T if len(lattice) else lattice


def _distinct(vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The wave vectors without those that equal an earlier one or its negative, within `_SAME`."""
    found: list[np.ndarray] = []
    for wave in vectors:
        if all(min(_relative_distance(wave, other), _relative_distance(-wave, other)) > _SAME for other in found):
            found.append(wave)
    return found


def _relative_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))
