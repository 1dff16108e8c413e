"""The machine's matrix products, as a measure of what any network could reach: TensorFlow's and PyTorch's."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

SHAPES = ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 1024, 1024), (4096, 4096, 1024), (16384, 576, 128))
"""Rows, inner extent and cols; the last one is like a layer of the generator. No halo, no taps, nothing spare."""


def products(engines: tuple[str, ...] = ("TensorFlow", "PyTorch")) -> dict[tuple[str, str, tuple[int, int, int]], Any]:
    """Functions that multiply, by engine, compute type and shape; the right-hand side is a constant."""
    made = {}
    for shape in SHAPES:
        random, (rows, inner, cols) = np.random.default_rng(0), shape
        left, right = (random.normal(size=s).astype(np.float32) for s in ((rows, inner), (inner, cols)))
        for dtype in ("float32", "bfloat16"):
            for engine in engines:
                made[engine, dtype, shape] = {"TensorFlow": _tensorflow, "PyTorch": _torch}[engine](left, right, dtype)
    return made


def operations(shape: tuple[int, int, int]) -> int:
    """Two for each product of two numbers."""
    rows, inner, cols = shape
    return 2 * rows * inner * cols


def _tensorflow(left: np.ndarray, right: np.ndarray, dtype: str) -> Callable[[], Any]:
    held = tf.split(tf.cast(left, dtype), 2)  # as `threads.split` has it: two operations side by side fill all cores
    multiply = tf.function(lambda halves: [half @ tf.cast(right, dtype) for half in halves])
    return lambda: multiply(held)


def _torch(left: np.ndarray, right: np.ndarray, dtype: str) -> Callable[[], Any]:
    torch: Any = importlib.import_module("torch")
    a, b = (torch.tensor(side, dtype=getattr(torch, dtype)) for side in (left, right))
    return lambda: a @ b
