"""Measurements of a source picture that the choice of settings depends on: repetition, structure, exposure, evenness,
lines of text.

NumPy only. `training.advice` turns the measurements into settings and warnings.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_psgan import material
from tf_psgan.evaluation import lattice, texture_features
from tf_psgan.evaluation.autocorrelation import autocorrelation
from tf_psgan.signal_processing import central_crop, downsampled, luminance

CENTRE_PIXELS = 512
"""Repetition and structure are measured in a central crop of at most so many pixels a side: of the picture, or of the
reduced picture where that crop does not show them."""

WHITE, BLACK = 254, 1
"""A channel at or above WHITE, or at or below BLACK, counts as clipped; 8-bit values."""

_UNLIKE = 0.2  # autocorrelation below which two places count as unlike
_BLANK = 0.15  # a row or column counts as blank below this share of the whole picture's standard deviation


@dataclasses.dataclass(frozen=True)
class Measurements:
    """What is known about a picture.

    height, width: pixels.
    lattice: float64 [2, 2], (row, col) pixels of the two shortest lattice vectors; [0, 2] without a lattice.
    period: pixels from a place to the nearest one like it; 0 for a picture that repeats nowhere.
    structure: pixels across the largest structures: the longest lattice vector, or `period` without a lattice. For a
      picture that repeats nowhere, twice the distance at which the autocorrelation, averaged over directions, has its
      first minimum below 0.2: about the distance between the centres of neighbouring stones.
    bright, dark: 0 .. 1, share of the pixels with a channel that is clipped at white, at black.
    chroma: 0 .. 255, mean over the pixels of the largest minus the smallest channel; 0 for a grey picture.
    anisotropy: 0 .. 1, of the structure tensor of luminance: 0 where edges have all directions, 1 where they have one.
    brightness_trend: the greatest difference between the mean luminances of two quadrants, in standard deviations of
      luminance within a quadrant.
    contrast_trend: the greatest ratio of these standard deviations, 1 or more.
    scale_trend: the greatest ratio between two quadrants' mean frequencies (root mean square of the difference between
      neighbouring pixels over the standard deviation), 1 or more.
    text_lines: lines of writing, 0 in a texture. Rows (or columns) that are blank lie between others, most of whose
      pixels have the blank ones' luminance, and the lattice, if one was found, does not bring the rest of a row onto
      itself. A row is blank if its luminance has less than 0.15 of the picture's standard deviation.
    """

    height: int
    width: int
    lattice: np.ndarray
    period: float
    structure: float
    bright: float
    dark: float
    chroma: float
    anisotropy: float
    brightness_trend: float
    contrast_trend: float
    scale_trend: float
    text_lines: int

    @property
    def side(self) -> int:
        """The shorter side in pixels."""
        return min(self.height, self.width)


def measure(picture: np.ndarray) -> Measurements:
    """Measures a picture, uint8 [height, width, 3].

    Raises:
      PictureError: a side below 64 pixels, or another type or shape.
    """
    texture_features.checked(picture)
    light = luminance(picture).astype(np.float64)
    found, structure = _repetition_and_structure(picture)
    largest, smallest = picture.max(axis=-1), picture.min(axis=-1)
    quadrants = _quadrants(light)
    deviations = [max(float(quadrant.std()), 1e-3) for quadrant in quadrants]
    means, frequencies = [float(quadrant.mean()) for quadrant in quadrants], [_frequency(part) for part in quadrants]
    return Measurements(
        height=picture.shape[0],
        width=picture.shape[1],
        lattice=found.lattice,
        period=found.nearest,
        structure=structure,
        bright=float(np.mean(largest >= WHITE)),
        dark=float(np.mean(smallest <= BLACK)),
        chroma=float(np.mean(largest.astype(np.float64) - smallest)),
        anisotropy=_anisotropy(light),
        brightness_trend=(max(means) - min(means)) / max(float(np.mean(deviations)), 1.0),
        contrast_trend=max(deviations) / min(deviations),
        scale_trend=max(frequencies) / min(frequencies),
        text_lines=max(_text_lines(light, found.lattice), _text_lines(light.T, found.lattice[:, ::-1])),
    )


def measure_material(whole: np.ndarray, maps: Sequence[str]) -> Measurements:
    """Measures the colours of a material, and its repetition in the first of its pictures that repeats.

    Args:
      whole: uint8 [height, width, channels], see `tf_psgan.material`.
      maps: of the material; none for a picture of three channels.
    """
    colours, *others = material.pictures(whole, maps)
    found = measure(colours)
    for picture in others if not found.period else ():
        repetition, structure = _repetition_and_structure(picture)
        if repetition.nearest:
            return dataclasses.replace(
                found, lattice=repetition.lattice, period=repetition.nearest, structure=structure
            )
    return found


def _repetition_and_structure(picture: np.ndarray) -> tuple[lattice.Repetition, float]:
    """How a picture repeats, and its `Measurements.structure`.

    The centre of a large picture may hold less than its structures. Such a picture is measured reduced by 2, and by 4,
    too; the first scale counts at which a repetition is found, or else a structure.
    """
    centres = {factor: central_crop(downsampled(picture, factor), CENTRE_PIXELS) for factor in _factors(picture)}
    for factor, centre in centres.items():
        found = lattice.repetition([centre])
        if found.nearest:
            found = lattice.Repetition(found.lattice * factor, found.nearest * factor)
            return found, max([found.nearest, *np.linalg.norm(found.lattice, axis=-1)])
    structures = [factor * _structure(centre) for factor, centre in centres.items()]
    most = max(centres)
    shown = float(most * min(centres[most].shape[:2]))
    return lattice.Repetition(np.zeros((0, 2)), 0.0), next((size for size in structures if size), shown)


def _factors(picture: np.ndarray) -> list[int]:
    """Reductions at which a picture is measured: further ones while the centre shows only a part of it."""
    side = min(picture.shape[:2])
    return [factor for factor in (1, 2, 4) if factor == 1 or side > CENTRE_PIXELS * factor // 2]


def _structure(picture: np.ndarray) -> float:
    """Twice the distance of the first minimum below `_UNLIKE` of the autocorrelation's mean over directions, pixels.

    0 without such a minimum within half the picture's side.
    """
    side = min(picture.shape[:2])
    reach = side // 2
    table = autocorrelation(picture, reach, side / 8)
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = np.rint(np.hypot(rows, cols)).astype(int).ravel()
    profile = (np.bincount(ring, table.ravel()) / np.bincount(ring))[: reach + 1]
    is_minimum = (profile[1:-1] <= profile[:-2]) & (profile[1:-1] < profile[2:]) & (profile[1:-1] < _UNLIKE)
    minima = 1 + np.flatnonzero(is_minimum)
    return 2.0 * float(minima[0]) if len(minima) else 0.0


def _anisotropy(light: np.ndarray) -> float:
    """Difference over sum of the eigenvalues of the mean structure tensor (Bigun and Granlund 1987)."""
    down, across = np.gradient(light)
    tensor = np.array([[np.mean(down**2), np.mean(down * across)], [np.mean(down * across), np.mean(across**2)]])
    low, high = np.linalg.eigvalsh(tensor)
    return float((high - low) / max(high + low, 1e-9))


def _text_lines(light: np.ndarray, vectors: np.ndarray) -> int:
    """Groups of blank rows with other rows above and below, if what lies between is written on the same ground."""
    deviation = light.std()
    blank = light.std(axis=1) < _BLANK * deviation
    if not blank.any() or blank.all():
        return 0
    ground = np.abs(light[~blank] - np.median(light[blank])) < 2 * _BLANK * deviation
    marks = light - light.mean(axis=1, keepdims=True)
    if ground.mean() < 0.5 or any(_repetition(marks, np.rint(vector).astype(int)) > _UNLIKE for vector in vectors):
        return 0
    ends = np.flatnonzero(blank[:-1] & ~blank[1:])
    return max(len(ends) - int(blank[0]), 0)


def _repetition(light: np.ndarray, shift: np.ndarray) -> float:
    """Correlation of a plane with itself, moved by (rows, cols) whole pixels, where both overlap."""
    here, there = (
        light[tuple(slice(max(step, 0), size + min(step, 0)) for step, size in zip(steps, light.shape, strict=True))]
        for steps in (shift, -shift)
    )
    return float(np.corrcoef(here.ravel(), there.ravel())[0, 1])


def _quadrants(light: np.ndarray) -> list[np.ndarray]:
    rows, cols = light.shape[0] // 2, light.shape[1] // 2
    return [light[top : top + rows, left : left + cols] for top in (0, rows) for left in (0, cols)]


def _frequency(light: np.ndarray) -> float:
    """Root mean square difference of neighbours over the standard deviation, about radians per pixel; 1 if constant."""
    differences = np.mean(np.diff(light, axis=0) ** 2) + np.mean(np.diff(light, axis=1) ** 2)
    variance = np.var(light)
    return float(np.sqrt(max(differences, 1e-6) / variance)) if variance > 1e-6 else 1.0
