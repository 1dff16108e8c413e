"""How cells and pixels lie over each other.

Cell (row, col) is the block of `side` x `side` pixels at pixel (row * side, col * side).
Each up-convolution without padding keeps only the outputs that all their inputs
determine: n cells in, 2 n - 4 out. After `layers` of them, N + 4 cells give
2**layers * N + 4 pixels, two more than needed on every edge. So whatever the
depth, a window of N cells needs a halo of two cells on each side.
"""

HALO = 2
"""Cells that a window needs beyond each of its edges; also the spare pixels on each edge of the network's picture."""

MAX_PIXEL = 2**40
"""Largest distance of a window from the origin, in pixels; far beyond any screen, safely inside int64."""


def pixels_per_cell(layers: int) -> int:
    """Side of the block of pixels that one cell becomes after `layers` up-convolutions of stride two."""
    return 2**layers
