"""Image quilting (Efros and Freeman 2001, "Image Quilting for Texture Synthesis and Transfer", section 2). NumPy only.

The picture is assembled from square blocks of the source, row by row. Each block is drawn from those with the smallest
squared difference in the overlap with the blocks placed before (within a tolerance of the best), and is joined along
the minimum-error cut through the overlap. Every pixel is copied from the source.
"""

import numpy as np

TOLERANCE = 0.1
OVERLAP = 6  # the overlap is this fraction (1/6) of a block's side, as in the paper


def quilt(source: np.ndarray, pixels: int, seed: int, block: int) -> np.ndarray:
    """A square picture, uint8 [pixels, pixels, 3].

    Args:
      source: uint8 [h, w, 3], larger than a block.
      block: side of a block in pixels, at least that of the largest structure; the paper leaves it to the user.

    Raises:
      ValueError: the source is not larger than a block.
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
            existing = out[window]
            row, col = match.draw(existing, i > 0, j > 0, random)
            new = source[row : row + block, col : col + block].astype(np.float64)
            mask = existing_mask(np.sum((new - existing) ** 2, axis=-1), i > 0, j > 0, overlap)
            out[window] = np.where(mask[..., np.newaxis], existing, new)
    return out[:pixels, :pixels].astype(np.uint8)


def existing_mask(error: np.ndarray, above: bool, left: bool, overlap: int) -> np.ndarray:
    """The pixels of a block that keep their existing value, on the outer side of the cuts: bool [block, block].

    Args:
      error: squared difference between the new block and the existing pixels, [block, block].
      above, left: whether the block overlaps one above it and one to its left.
    """
    mask = np.zeros(error.shape, bool)
    if left:
        mask |= np.arange(error.shape[1]) < cut(error[:, :overlap])[:, np.newaxis]
    if above:
        mask |= np.arange(error.shape[0])[:, np.newaxis] < cut(error[:overlap].T)
    return mask


def cut(error: np.ndarray) -> np.ndarray:
    """The column of the minimum-error path from top to bottom in each row of [rows, cols]: int [rows].

    A path continues straight down or diagonally (the paper's dynamic programming).
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
    """Side of a block in pixels: one and a half of the longer period, or a fifth of the source without a lattice.

    Args:
      periods: [2, 2] lattice vectors in pixels, or [0, 2] without a lattice.
    """
    side = min(source.shape[:2])
    wanted = 1.5 * np.linalg.norm(periods, axis=1).max() if len(periods) else side / 5
    return int(np.clip(wanted, 36, side / 2.5))


class _Match:
    """Squared differences between an overlap and every position of the source, by Fourier transforms."""

    def __init__(self, source: np.ndarray, block: int, overlap: int) -> None:
        self.source = source.astype(np.float64) - source.mean((0, 1))
        self.mean = source.mean((0, 1))
        self.shape = source.shape[:2]
        self.block, self.overlap = block, overlap
        self.waves = np.fft.rfft2(self.source, axes=(0, 1))
        self.squares = np.fft.rfft2(np.sum(self.source**2, axis=-1))
        self.valid = self.shape[0] - block + 1, self.shape[1] - block + 1
        self.energies: dict[tuple[bool, bool], np.ndarray] = {}

    def draw(self, existing: np.ndarray, above: bool, left: bool, random: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a random block of the source among those within the tolerance."""
        if not above and not left:
            return int(random.integers(self.valid[0])), int(random.integers(self.valid[1]))
        mask = np.zeros((self.block, self.block))
        if above:
            mask[: self.overlap] = 1
        if left:
            mask[:, : self.overlap] = 1
        part = (existing - self.mean) * mask[..., np.newaxis]
        conjugate = np.conj(np.fft.rfft2(part, self.shape, axes=(0, 1)))
        product = self._inverse(np.sum(self.waves * conjugate, axis=-1))
        if (above, left) not in self.energies:
            self.energies[above, left] = self._inverse(self.squares * np.conj(np.fft.rfft2(mask, self.shape)))
        error = np.maximum(self.energies[above, left] - 2 * product + np.sum(part**2), 0)
        # Smaller differences are rounding errors of the transforms.
        limit = max(error.min() * (1 + TOLERANCE), error.min() + 0.01 * mask.sum())
        rows, cols = np.nonzero(error <= limit)
        chosen = random.integers(len(rows))
        return int(rows[chosen]), int(cols[chosen])

    def _inverse(self, waves: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(waves, self.shape)[: self.valid[0], : self.valid[1]]
