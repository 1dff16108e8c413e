"""Image quilting (Efros and Freeman 2001, "Image Quilting for Texture Synthesis and Transfer", section 2). NumPy only.

Square blocks of the source, row by row. Each is drawn from those whose overlap with what is there already differs least
(sum of squares, within a tolerance of the best), and joined along the cheapest cut through the overlap. Every pixel is
one of the source's.
"""

import numpy as np

TOLERANCE = 0.1
OVERLAP = 6  # of a block's side, as in the paper


def quilt(source: np.ndarray, pixels: int, seed: int, block: int) -> np.ndarray:
    """A square picture of so many pixels a side.

    Args:
      source: uint8 [h, w, 3], larger than a block.
      block: side of a block in pixels; the paper leaves it to the user: the largest structure should fit.

    Raises:
      ValueError: a source that is smaller than a block.
    """
    if min(source.shape[:2]) <= block:
        extent = f"{source.shape[0]}x{source.shape[1]}"
        raise ValueError(f"quilting: blocks of {block} pixels do not fit into a source of {extent}; use smaller ones.")
    random = np.random.default_rng(seed)
    overlap = max(2, block // OVERLAP)
    step = block - overlap
    count = -(-(pixels - overlap) // step)
    out = np.zeros((count * step + overlap, count * step + overlap, 3))
    match = _Match(source, block, overlap)
    for i in range(count):
        for j in range(count):
            window = np.s_[i * step : i * step + block, j * step : j * step + block]
            there = out[window]
            row, col = match.draw(there, i > 0, j > 0, random)
            new = source[row : row + block, col : col + block].astype(np.float64)
            keep = kept(np.sum((new - there) ** 2, axis=-1), i > 0, j > 0, overlap)
            out[window] = np.where(keep[..., np.newaxis], there, new)
    return out[:pixels, :pixels].astype(np.uint8)


def kept(error: np.ndarray, above: bool, left: bool, overlap: int) -> np.ndarray:
    """Which pixels of a block stay as they were: those beyond the cut through each overlap; bool [block, block].

    Args:
      error: [block, block] squared difference of the new block and what is there.
      above, left: whether there is a block to overlap with.
    """
    keep = np.zeros(error.shape, bool)
    if left:
        keep |= np.arange(error.shape[1]) < cut(error[:, :overlap])[:, np.newaxis]
    if above:
        keep |= np.arange(error.shape[0])[:, np.newaxis] < cut(error[:overlap].T)
    return keep


def cut(error: np.ndarray) -> np.ndarray:
    """The column at which the cheapest path from top to bottom crosses each row of [rows, cols]; int [rows].

    A path goes straight on or to a diagonal neighbour (the paper's dynamic programme).
    """
    total = error.astype(np.float64).copy()
    for row in range(1, len(total)):
        wide = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(wide[:-2], wide[1:-1]), wide[2:])
    path = np.zeros(len(total), int)
    path[-1] = np.argmin(total[-1])
    for row in range(len(total) - 2, -1, -1):
        first = max(path[row + 1] - 1, 0)
        path[row] = first + np.argmin(total[row, first : path[row + 1] + 2])
    return path


def block_side(source: np.ndarray, periods: np.ndarray) -> int:
    """A block in which the largest structure fits: one and a half of the longer period, or a fifth of the source.

    Args:
      periods: [2, 2] lattice vectors in pixels, or [0, 2] without a lattice.
    """
    side = min(source.shape[:2])
    wanted = 1.5 * np.linalg.norm(periods, axis=1).max() if len(periods) else side / 5
    return int(np.clip(wanted, 36, side / 2.5))


class _Match:
    """Sums of squared differences of an overlap and every position of the source, by Fourier transforms."""

    def __init__(self, source: np.ndarray, block: int, overlap: int) -> None:
        self.source = source.astype(np.float64) - source.mean((0, 1))
        self.mean = source.mean((0, 1))
        self.shape = source.shape[:2]
        self.block, self.overlap = block, overlap
        self.waves = np.fft.rfft2(self.source, axes=(0, 1))
        self.squares = np.fft.rfft2(np.sum(self.source**2, axis=-1))
        self.valid = self.shape[0] - block + 1, self.shape[1] - block + 1
        self.energies: dict[tuple[bool, bool], np.ndarray] = {}

    def draw(self, there: np.ndarray, above: bool, left: bool, random: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a block of the source that fits."""
        if not above and not left:
            return int(random.integers(self.valid[0])), int(random.integers(self.valid[1]))
        mask = np.zeros((self.block, self.block))
        if above:
            mask[: self.overlap] = 1
        if left:
            mask[:, : self.overlap] = 1
        part = (there - self.mean) * mask[..., np.newaxis]
        turned = np.conj(np.fft.rfft2(part, self.shape, axes=(0, 1)))
        product = self._inverse(np.sum(self.waves * turned, axis=-1))
        if (above, left) not in self.energies:
            self.energies[above, left] = self._inverse(self.squares * np.conj(np.fft.rfft2(mask, self.shape)))
        error = np.maximum(self.energies[above, left] - 2 * product + np.sum(part**2), 0)
        # Less than half an 8-bit value per pixel is rounding of the transforms.
        limit = max(error.min() * (1 + TOLERANCE), error.min() + 0.01 * mask.sum())
        rows, cols = np.nonzero(error <= limit)
        chosen = random.integers(len(rows))
        return int(rows[chosen]), int(cols[chosen])

    def _inverse(self, waves: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(waves, self.shape)[: self.valid[0], : self.valid[1]]
