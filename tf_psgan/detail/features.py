"""Features of pixels: principal components of their neighbourhoods, in integers, and which positions are similar."""

from collections.abc import Sequence

import numpy as np

from tf_psgan.signal_processing import gaussian_weights

TAPS = 5
"""Side of a neighbourhood in pixels of its level."""

COMPONENTS = 12
"""Principal components of a neighbourhood."""

PEAK = 255
"""Largest magnitude of a feature, so that sums of squared distances stay below 2**24, exact in float32."""

_SAMPLES = 20000
"""Most neighbourhoods from which principal components are computed."""

MEAN_STEPS = 16
"""Steps of local means from one 8-bit value to the next."""


def box_means(picture: np.ndarray, side: int) -> np.ndarray:
    """Rounded means of side x side pixels: from uint8 [h, w, 3] to uint8 [h - side + 1, w - side + 1, 3]."""
    sums = np.pad(picture.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    total = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return ((2 * total + side * side) // (2 * side * side)).astype(np.uint8)


def local_means(picture: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian-weighted means around each pixel, of the pixels inside: from uint8 [h, w, 3] to int16 of the same shape.

    Args:
      picture: uint8 [h, w, 3].
      deviation: standard deviation of the weights in pixels.

    Returns:
      8-bit values in units of 1 / MEAN_STEPS.
    """
    weights = [gaussian_weights(extent, deviation).astype(np.float32) for extent in picture.shape[:2]]
    channels = np.moveaxis(picture.astype(np.float32) * MEAN_STEPS, -1, 0)
    return np.moveaxis(np.round(weights[0] @ channels @ weights[1].T), 0, -1).astype(np.int16)


def neighbourhoods(table: np.ndarray, stride: int) -> np.ndarray:
    """The neighbourhoods of a table [h, w, 3] that lie inside, a view: [h - 4 stride, w - 4 stride, TAPS, TAPS, 3]."""
    side = (TAPS - 1) * stride + 1
    inside = np.lib.stride_tricks.sliding_window_view(table, (side, side), axis=(0, 1))
    return np.moveaxis(inside[..., ::stride, ::stride], 2, -1)


def principal_components(blocks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """The principal components of neighbourhoods, as integer filters.

    Args:
      blocks: `neighbourhoods` of some tables; every n-th counts, so that there are at most _SAMPLES.

    Returns:
      Filters int16 [TAPS * TAPS * 3, COMPONENTS], their mean response, and the divisor that keeps it within PEAK.
    """
    reach = np.arange(TAPS) - TAPS // 2
    weights = np.exp(-(reach[:, np.newaxis] ** 2 + reach**2) / (2 * 1.5**2))
    weights = np.repeat(np.sqrt(weights / weights.sum()).ravel(), 3)
    counts = [rows * cols for rows, cols, *_ in (block.shape for block in blocks)]
    chosen = np.arange(0, sum(counts), -(-sum(counts) // _SAMPLES))
    parts = []
    for block, first, count in zip(blocks, np.cumsum([0, *counts]), counts, strict=False):
        rows, cols = np.divmod(chosen[(chosen >= first) & (chosen < first + count)] - first, block.shape[1])
        parts.append(block[rows, cols].reshape(len(rows), -1))
    some = np.concatenate(parts).astype(np.float64)
    _, vectors = np.linalg.eigh(np.cov((some * weights).T))
    vectors = vectors[:, ::-1][:, :COMPONENTS] * weights[:, np.newaxis]
    filters = np.round(vectors * (127 / np.abs(vectors).max())).astype(np.int16)
    response = some @ filters
    centre = np.round(response.mean(axis=0)).astype(np.int32)
    peak = np.percentile(np.abs(response - centre), 99.9)
    return filters, centre, 2 ** max(0, int(np.ceil(np.log2(max(1.0, peak) / PEAK))))


def component_features(block: np.ndarray, filters: np.ndarray, centre: np.ndarray, scale: int) -> np.ndarray:
    """The features of neighbourhoods [rows, cols, TAPS, TAPS, 3]: int16 [rows, cols, COMPONENTS].

    Row by row: copies of all neighbourhoods would take 75 times the memory of the picture.
    """
    found = np.empty((*block.shape[:2], COMPONENTS), np.int16)
    for row, part in zip(found, block, strict=True):
        response = part.reshape(len(part), -1).astype(np.float32) @ filters.astype(np.float32)
        row[:] = np.clip(np.floor((response - centre) / scale), -PEAK, PEAK)
    return found


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
