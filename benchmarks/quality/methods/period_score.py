"""The period score: how much of a source's order a made picture still has beyond the source's own extent.

NumPy only. A definition of this project's own, for ranking. Autocorrelation A at a lattice vector says how much of the
picture's light repeats there. What is near may be copied, or follow from the neighbours; so A is read at lags *longer
than the source's side*, which no piece of the source can hold: a picture that has one lattice throughout keeps there
the height that it has near by, and one whose lattice slips, bends or breaks loses it.

    score = far(made) / max(near(made), near(source))

`far` is the mean of A over the lattice's lags from one source's side up to three quarters of the made picture's;
`near` the mean over those between a quarter and three quarters of the source's side. 1: as much order as the source
has, at any distance. 0: none. The larger of the two `near`s below keeps a picture of stiffer elements from scoring
above 1, and one with a faint lattice from scoring high. The lattice is the source's: exact for procedural textures,
measured for photographs. The picture as a whole may strain it by `STRAIN`, which is invisible; the farther off a period
is beyond that, the less it scores.

What it does not say: whether elements look right or differ from each other. A source tiled by its exact period scores
1. Read it beside the patches, the spectrum and the diversity.
"""

import dataclasses
import itertools
import math

import numpy as np

from tf_psgan.evaluation.autocorrelation import autocorrelation

STRAIN = 0.01
FARTHEST = 0.75
FEWEST = 4
"""Lags that a mean is taken over at least; with fewer there is no score."""


@dataclasses.dataclass(frozen=True)
class Score:
    """The period score and what it is made of; nan where it does not apply."""

    score: float
    far: float
    near: float


NONE = Score(math.nan, math.nan, math.nan)


def period_score(picture: np.ndarray, source: np.ndarray, periods: np.ndarray) -> Score:
    """The score of one made picture.

    Args:
      picture, source: uint8 [h, w, 3].
      periods: [2, 2], (row, col) in pixels of the source's two lattice vectors; [0, 2] where it has none.

    Returns:
      nan for a source without lattice, and for a picture not clearly larger than the source: then no lag is both longer
      than the source's side and within three quarters of the picture's.
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
        """The mean of A over the lattice's lags of these lengths in pixels; nan for fewer than `FEWEST`."""
        lags = multiples(periods, low, high) @ periods
        return float(np.mean(self.at(lags))) if len(lags) >= FEWEST else math.nan

    def fit(self, periods: np.ndarray, low: float, high: float) -> np.ndarray:
        """The lattice, each vector within `STRAIN` of its length from the given one, where that mean is highest."""
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
    """Whole [n, 2] whose lattice lags have such lengths, in one half plane; neither component is beyond `high`."""
    most = math.ceil(high * np.abs(np.linalg.inv(periods)).sum(axis=0).max() * 2**0.5) + 1
    counts = np.arange(-most, most + 1)
    whole = np.stack(np.meshgrid(counts, counts, indexing="ij"), axis=-1).reshape(-1, 2)
    lags = whole @ periods
    length = np.linalg.norm(lags, axis=1)
    half = (lags[:, 0] > 1e-9) | ((np.abs(lags[:, 0]) <= 1e-9) & (lags[:, 1] > 0))
    return whole[half & (length >= low) & (length <= high)]


def _keys(t: np.ndarray) -> np.ndarray:
    """[4, n] weights of the four values around a position t in 0 .. 1 between the second and the third."""
    return np.stack(
        [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ]
    )
