"""Integer arguments from outside: range checks, and Python integers, which do not overflow, instead of NumPy's."""

import operator
from typing import SupportsIndex

from tf_psgan.errors import SettingError

Texture = int | str | tuple[float, ...]
"""A texture in its stored form: a number, the name of a stored texture, or a global vector in [-1, 1]."""


def integer(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """An integer argument as a Python integer.

    Args:
      name: of the argument, for the error.
      value: a Python integer, a NumPy integer, or whatever else has `__index__`.
      low, high: the range, both included.

    Raises:
      TypeError: it is not an integer.
      SettingError: it is out of range.
    """
    try:
        exact = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not an integer; give an int.") from None
    if not low <= exact <= high:
        raise SettingError(
            name, f"{exact} is outside {low} .. {high}", "choose a value inside", value=exact, settings=(name,)
        )
    return exact


def int64(name: str, value: SupportsIndex) -> int:
    """`integer` over the range of int64."""
    return integer(name, value, -(2**63), 2**63 - 1)
