"""The period score: periodicity of a generated picture at distances longer than the source's side.

NumPy only. The score is a definition of this project, for ranking methods. Let A be the autocorrelation of luminance at
a lattice vector. Order at short lags may be copied from the source or follow from neighbouring pixels. The score
therefore uses A at lags *longer than the source's side*, which no piece of the source contains. If one lattice extends
over the whole picture, A is as high there as at short lags; if the lattice is shifted, bent or interrupted, A is lower.

    score = far(made) / max(near(made), near(source))

`far` is the mean of A over the lattice's lags between the source's side and three quarters of the generated picture's
side; `near` is the mean over lags between a quarter and three quarters of the source's side. A score of 1 means as much
order as in the source at any distance, 0 means none. The maximum in the denominator prevents a score above 1 for a
picture more regular than the source, and a high score for a picture with a weak lattice. The lattice is the source's:
exact for procedural textures, measured for photographs. The lattice of the picture may deviate from it uniformly by up
to `STRAIN`, which is invisible; larger deviations reduce the score.

The score does not measure whether elements look correct or differ from each other: a source tiled by its exact period
has a score of 1. Use it together with the patches, the spectrum and the diversity.
"""

import dataclasses
import itertools
import math

import numpy as np

from tf_psgan.evaluation.autocorrelation import autocorrelation

STRAIN = 0.01
FARTHEST = 0.75
FEWEST = 4
"""Minimum number of lags of a mean; with fewer there is no score."""


@dataclasses.dataclass(frozen=True)
class Score:
    """The period score and its components; nan for a score that does not apply."""

    score: float
    far: float
    near: float


NONE = Score(math.nan, math.nan, math.nan)


def period_score(picture: np.ndarray, source: np.ndarray, periods: np.ndarray) -> Score:
    """The score of one generated picture.

    Args:
      picture, source: uint8 [h, w, 3].
      periods: [2, 2], the source's two lattice vectors, (row, col) in pixels; [0, 2] for a source without lattice.

    Returns:
      nan for a source without lattice, and for a picture of which three quarters are not longer than the source's side.
    """
    side = min(source.shape[:2])
    if len(periods) < 2 or FARTHEST * min(picture.shape[:2]) <= side:
        return NONE
    near = (side / 4, FARTHEST * side)
    known = Lags(source, side / 8)
    of_source = known.mean(known.fit(periods, *near), *near)
    made = Lags(picture, side / 8)
    far = (side, FARTHEST * min(picture.shape[:2]))
    fitted = made.fit(periods, *far)
    of_made, at_end = made.mean(fitted, *near), made.mean(fitted, *far)
    return Score(at_end / max(of_made, of_source, 1e-6), at_end, of_made)


class Lags:
    """The autocorrelation of one picture, at any lag."""

    def __init__(self, picture: np.ndarray, shading: float) -> None:
        self.reach = int(FARTHEST * min(picture.shape[:2])) + 4
        self.table = autocorrelation(picture, min(self.reach, min(picture.shape[:2]) - 1), shading)
        self.reach = self.table.shape[0] // 2

    def at(self, lags: np.ndarray) -> np.ndarray:
        """A at fractional lags [n, 2], by cubic interpolation (Keys 1981)."""
        whole = np.clip(np.floor(lags).astype(int), 1 - self.reach, self.reach - 2)
        weights = [_keys(lags[:, axis] - whole[:, axis]) for axis in (0, 1)]  # [4, n] each
        rows, cols = (whole[:, axis] + self.reach for axis in (0, 1))
        total = np.zeros(len(lags))
        for i, j in itertools.product(range(4), range(4)):
            total += weights[0][i] * weights[1][j] * self.table[rows + i - 1, cols + j - 1]
        return total

    def mean(self, periods: np.ndarray, low: float, high: float) -> float:
        """The mean of A over the lattice's lags between two lengths in pixels; nan for fewer than `FEWEST` lags."""
        lags = multiples(periods, low, high) @ periods
        return float(np.mean(self.at(lags))) if len(lags) >= FEWEST else math.nan

    def fit(self, periods: np.ndarray, low: float, high: float) -> np.ndarray:
        """The lattice with the highest mean; each vector differs from the given one by up to `STRAIN` of its length."""
        whole = multiples(periods, low, high)
        if len(whole) < FEWEST:
            return periods
        bound = STRAIN * np.linalg.norm(periods, axis=1, keepdims=True)

        def value(moves: np.ndarray) -> float:
            return float(np.mean(self.at(whole @ (periods + moves * bound))))

        best, top = np.zeros((2, 2)), -np.inf
        moves = [np.reshape(move, (2, 2)) for move in itertools.product((-1, 0, 1), repeat=4)]
        single = [move for move in moves if np.abs(move).sum() == 1]
        for step in (0.6, 0.3, 0.15, 0.15, 0.08, 0.08, 0.04, 0.04):
            tried = [np.clip(best + step * move, -1, 1) for move in (moves if step > 0.5 else [0 * best, *single])]
            values = [value(one) for one in tried]
            if max(values) > top:
                best, top = tried[int(np.argmax(values))], max(values)
        return periods + best * bound


def multiples(periods: np.ndarray, low: float, high: float) -> np.ndarray:
    """Integer coefficients [n, 2] of the lattice's lags between two lengths in pixels, in one half plane."""
    most = math.ceil(high * np.abs(np.linalg.inv(periods)).sum(axis=0).max() * 2**0.5) + 1
    counts = np.arange(-most, most + 1)
    whole = np.stack(np.meshgrid(counts, counts, indexing="ij"), axis=-1).reshape(-1, 2)
    lags = whole @ periods
    length = np.linalg.norm(lags, axis=1)
    half = (lags[:, 0] > 1e-9) | ((np.abs(lags[:, 0]) <= 1e-9) & (lags[:, 1] > 0))
    return whole[half & (length >= low) & (length <= high)]


def _keys(t: np.ndarray) -> np.ndarray:
    """Weights [4, n] of four neighbouring values, for a position t in 0 .. 1 between the second and the third."""
    return np.stack(
        [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ]
    )
