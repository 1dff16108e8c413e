"""Pictures that repeat on a lattice."""

import numpy as np

LATTICE = np.array([[24.0, 6.0], [0.0, 30.0]])


def cell_colours(turns):
    """A cell of several smooth waves, [..., 3] from phases [..., 2]."""
    first, second = 2 * np.pi * np.moveaxis(turns, -1, 0)
    parts = np.cos(first), np.sin(2 * second), np.cos(first + second), np.sin(first - 2 * second)
    shades = [np.tensordot(weights, parts, 1) for weights in ((40, 30, 20, 10), (10, -30, 40, 20), (-20, 20, 30, 30))]
    return 128 + np.stack(shades, axis=-1)


def pattern(height, width, lattice=LATTICE, bend=0.0, first=(0.0, 0.0)):
    """The cell on a lattice, bent by waves of the picture's own size with so many pixels of amplitude."""
    rows, cols = np.mgrid[:height, :width].astype(float)
    down = bend * np.sin(2 * np.pi * cols / width) * np.cos(2 * np.pi * rows / height)
    right = bend * np.cos(2 * np.pi * (rows / height + cols / width))
    at = np.stack([rows + down + first[0], cols + right + first[1]], axis=-1)
    return np.round(np.clip(cell_colours(at @ np.linalg.inv(lattice)), 0, 255)).astype(np.uint8)
