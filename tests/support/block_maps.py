"""Maps of blocks for tests of seams."""

import numpy as np

SIDE = 4
"""Of a block, in an exemplar of three resolutions."""


def one_copy(height, width, top, left):
    """The map of blocks that continue one copy."""
    rows, cols = np.mgrid[:height, :width] * SIDE
    return (rows + top).astype(np.int32), (cols + left).astype(np.int32)


def two_copies(height, width, border, first, second):
    """The map of blocks that continue one copy left of a column, and another one from there on."""
    one, other = one_copy(height, width, *first), one_copy(height, width, *second)
    return tuple(np.where(np.arange(width) < border, a, b) for a, b in zip(one, other, strict=True))
