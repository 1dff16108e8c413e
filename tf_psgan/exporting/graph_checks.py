"""Checks of a request's values inside a graph.

A value out of range ends the request with INVALID_ARGUMENT and a message that names the value and what is allowed,
before anything is computed. Each function returns its values, dependent on the check.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def inside(name: str, value: tf.Tensor, low: int, high: int) -> tf.Tensor:
    """An integer scalar, checked to lie in low .. high."""
    text = [f"{name}: ", tf.as_string(value), f" is outside {low} .. {high}; choose a value inside."]
    return after(demand((value >= low) & (value <= high), text), value)[0]


def between(name: str, value: tf.Tensor, allowed: str, holds: tf.Tensor) -> tf.Tensor:
    """A float scalar, checked to lie in an interval."""
    text = [f"{name}: ", tf.as_string(value, precision=4), f" is outside {allowed}; choose a value inside."]
    return after(demand(holds, text), value)[0]


def multiple(name: str, pixels: tf.Tensor, cell: int) -> tf.Tensor:
    """An extent in pixels, at least 1, checked to be a multiple of `cell`."""
    below, above = pixels // cell * cell, (pixels // cell + 1) * cell
    near = tf.where(below > 0, tf.strings.join([tf.as_string(below), " or ", tf.as_string(above)]), tf.as_string(above))
    text = [f"{name}: ", tf.as_string(pixels), f" is not a multiple of the model's cell of {cell} pixels; give ", near]
    return after(demand(pixels % cell == 0, [*text, "."]), pixels)[0]


def demand(condition: Any, text: Sequence[Any]) -> tf.Operation:
    """An operation that ends the request with this text, strings joined, where a bool scalar does not hold."""
    return tf.debugging.Assert(condition, [tf.strings.join(list(text))])


def after(check: tf.Operation, *values: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The values, which are computed once the check has passed."""
    with tf.control_dependencies([check]):
        return tuple(tf.identity(value) for value in values)
