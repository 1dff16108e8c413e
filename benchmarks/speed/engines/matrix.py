"""Matrix products in TensorFlow and PyTorch, as an upper bound of the rate that a network can reach."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

SHAPES = ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 1024, 1024), (4096, 4096, 1024), (16384, 576, 128))
"""Rows, inner extent and columns. The last shape is that of a layer of the generator, without halo or padding."""


def products(engines: tuple[str, ...] = ("TensorFlow", "PyTorch")) -> dict[tuple[str, str, tuple[int, int, int]], Any]:
    """Functions that compute a product, by engine, compute type and shape; the right-hand side is a constant."""
    made = {}
    for shape in SHAPES:
        random, (rows, inner, cols) = np.random.default_rng(0), shape
        left, right = (random.normal(size=s).astype(np.float32) for s in ((rows, inner), (inner, cols)))
        for dtype in ("float32", "bfloat16"):
            for engine in engines:
                made[engine, dtype, shape] = {"TensorFlow": _tensorflow, "PyTorch": _torch}[engine](left, right, dtype)
    return made


def operations(shape: tuple[int, int, int]) -> int:
    """Operations of a product: a multiplication and an addition for each pair of numbers."""
    rows, inner, cols = shape
    return 2 * rows * inner * cols


def _tensorflow(left: np.ndarray, right: np.ndarray, dtype: str) -> Callable[[], Any]:
    halves = tf.split(tf.cast(left, dtype), 2)  # two operations in parallel use all cores, see `threads.split`
    multiply = tf.function(lambda parts: [part @ tf.cast(right, dtype) for part in parts])
    return lambda: multiply(halves)


def _torch(left: np.ndarray, right: np.ndarray, dtype: str) -> Callable[[], Any]:
    torch: Any = importlib.import_module("torch")
    a, b = (torch.tensor(side, dtype=getattr(torch, dtype)) for side in (left, right))
    return lambda: a @ b
