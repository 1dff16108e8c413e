"""How much samples of a texture differ from each other. NumPy only."""

import math
from collections.abc import Sequence

import numpy as np

from tf_psgan.signal_processing import central_crop, square_crops


def diversity(samples: Sequence[np.ndarray], sources: Sequence[np.ndarray]) -> float:
    """The mean difference of two samples, divided by that of two disjoint blocks of the sources.

    The difference of two pictures is the root mean square, at half resolution, between the centre of one and its best
    match in the other, up to a quarter of a side away; so a shifted lattice is no difference. 1 is as diverse as the
    source; 0 is the same picture or lattice every time; nan for fewer than two samples. The sources' difference counts
    as at least half an 8-bit value, since an exactly periodic source has none. A definition of this project: mean
    pairwise distances (MS-SSIM in Odena et al. 2017) count a shifted lattice as diversity.
    """
    if len(samples) < 2:
        return math.nan
    side = min(*(min(p.shape[:2]) for p in samples), *(min(p.shape[:2]) // 2 for p in sources))
    blocks = square_crops(sources, side, side)
    real = _difference(blocks[:: math.ceil(len(blocks) / 8)])
    return _difference([central_crop(p, side) for p in samples]) / max(real, 0.5)


def _difference(blocks: Sequence[np.ndarray]) -> float:
    """Mean, over all ordered pairs of blocks, of the root mean square difference of one's centre and its best match.

    In 8-bit values.
    """
    small = []
    for block in blocks:
        even = block[: block.shape[0] // 2 * 2, : block.shape[1] // 2 * 2].astype(np.float64)
        small.append(even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).mean((1, 3)))
    side = small[0].shape[0]
    half, first = side // 2, side // 4
    whole = [np.fft.rfft2(image, axes=(0, 1)) for image in small]
    squares = [_box_sums(np.sum(image**2, axis=-1), half) for image in small]
    differences = []
    for i, image in enumerate(small):
        part = image[first : first + half, first : first + half]
        conjugate = np.conj(np.fft.rfft2(part, (side, side), axes=(0, 1)))
        for j in (j for j in range(len(small)) if j != i):
            match = np.fft.irfft2(np.sum(whole[j] * conjugate, axis=-1), (side, side))
            least = np.min(np.sum(part**2) + squares[j] - 2 * match[: side - half + 1, : side - half + 1])
            differences.append(math.sqrt(max(0.0, least) / part.size))
    return float(np.mean(differences))


def _box_sums(table: np.ndarray, side: int) -> np.ndarray:
    """Sum over each side x side window of a table."""
    total = np.pad(table.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
