"""Features of pixels: principal components of their neighbourhoods, in integers, and which positions are similar."""

import numpy as np

from tf_psgan.detail.phases import PEAK

TAPS = 5
"""Side of a neighbourhood in pixels of its level."""

COMPONENTS = 12
"""Principal components of a neighbourhood."""


def box_means(picture: np.ndarray, side: int) -> np.ndarray:
    """Rounded means of side x side pixels: from uint8 [h, w, 3] to uint8 [h - side + 1, w - side + 1, 3]."""
    sums = np.pad(picture.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    total = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return ((2 * total + side * side) // (2 * side * side)).astype(np.uint8)


def neighbourhoods(table: np.ndarray, stride: int) -> np.ndarray:
    """The neighbourhoods of a table that lie inside: uint8 [h - 4 stride, w - 4 stride, TAPS * TAPS * 3]."""
    rows, cols = (extent - (TAPS - 1) * stride for extent in table.shape[:2])
    corners = [(i * stride, j * stride) for i in range(TAPS) for j in range(TAPS)]
    return np.concatenate([table[i : i + rows, j : j + cols] for i, j in corners], axis=-1)


def principal_components(neighbourhoods: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Integer filters of the principal components, their mean response, and the divisor that keeps it within PEAK."""
    reach = np.arange(TAPS) - TAPS // 2
    weights = np.exp(-(reach[:, np.newaxis] ** 2 + reach**2) / (2 * 1.5**2))
    weights = np.repeat(np.sqrt(weights / weights.sum()).ravel(), 3)
    some = neighbourhoods[:: -(-len(neighbourhoods) // 20000)].astype(np.float64)
    _, vectors = np.linalg.eigh(np.cov((some * weights).T))
    vectors = vectors[:, ::-1][:, :COMPONENTS] * weights[:, np.newaxis]
    filters = np.round(vectors * (127 / np.abs(vectors).max())).astype(np.int16)
    response = some @ filters
    centre = np.round(response.mean(axis=0)).astype(np.int32)
    peak = np.percentile(np.abs(response - centre), 99.9)
    return filters, centre, 2 ** max(0, int(np.ceil(np.log2(max(1.0, peak) / PEAK))))


def similar_positions(
    features: np.ndarray, positions: np.ndarray, candidates: np.ndarray, width: int, count: int, apart: int
) -> np.ndarray:
    """For each position, the `count` candidates with the nearest features that are apart from it and each other."""
    found = np.zeros((len(features), count), np.int32)
    if not count:
        return found
    values = features[candidates].astype(np.float32)
    squares = (values**2).sum(axis=1)
    rows, cols = np.divmod(candidates, width)
    for start in range(0, len(positions), 4096):
        part = positions[start : start + 4096]
        distance = squares - 2 * features[part].astype(np.float32) @ values.T
        others = part
        for i in range(count):
            near = np.abs(others[:, np.newaxis] // width - rows) < apart
            near &= np.abs(others[:, np.newaxis] % width - cols) < apart
            distance[near] = np.inf
            others = candidates[distance.argmin(axis=1)]
            found[part, i] = others
    return found
