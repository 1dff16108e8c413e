"""A contact sheet for a viewer who does not know which picture is which: letters on the sheet, their key elsewhere."""

import hashlib
from collections.abc import Mapping

import numpy as np

from benchmarks.quality.methods import sheet

LETTERS = "ABCDEFGH"


def letters(name: str, seed: int, kinds: list[str]) -> dict[str, str]:
    """The key of a sheet: which of the kinds stands under each letter, in an order that name and seed decide."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    order = np.random.default_rng(list(digest)).permutation(len(kinds))
    return {letter: kinds[i] for letter, i in zip(LETTERS, order, strict=False)}


def page(pictures: Mapping[str, np.ndarray], key: Mapping[str, str]) -> np.ndarray:
    """The sheet, uint8 [h, w, 3]: the pictures by kind, side by side under their letters.

    Args:
      pictures: uint8 [h, w, 3] of one extent, or the extent would tell them apart.
      key: of `letters`.
    """
    return sheet.page([(letter, pictures[kind]) for letter, kind in key.items()])
