"""The schema of a line of `metrics.jsonl`: an evaluation as the training writes it, and nothing else is read back."""

import json
import math
from typing import Any

_COUNTS = frozenset({"step", "skipped", "rollbacks", "samples", "sample_pixels"})
"""Values of an evaluation that are whole numbers."""


def parsed(number: int, line: str) -> dict[str, Any]:
    """An evaluation: numbers by name, None where a metric is undefined.

    Args:
      number: of the line, for the error.
      line: its text.

    Raises:
      ValueError: it is anything else; NaN and infinity too, which JSON does not have and Python reads.
    """
    try:
        row = json.loads(line)
        for name, value in row.items():
            values = value if name == "wave_lengths_pixels" else [value]
            if not all(_is_number(each, name in _COUNTS) for each in values):
                raise TypeError
        if row["step"] is None or row["seconds"] is None:
            raise TypeError
    except (ValueError, TypeError, LookupError, AttributeError):
        raise ValueError(f"line {number} is not one of an evaluation") from None
    return row


def _is_number(value: Any, is_count: bool) -> bool:
    if is_count:
        return type(value) is int and value >= 0
    return value is None or (type(value) in (int, float) and math.isfinite(value))
