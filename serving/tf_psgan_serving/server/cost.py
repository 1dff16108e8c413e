"""The cost of a request: the pixels that it computes. The one place where it is computed."""

import math
from collections.abc import Mapping
from typing import Any

from tf_psgan_serving.server import input_checks

LARGE = 2.0**20
"""Pixels beyond which a request is large."""


def pixels(inputs: Mapping[str, Any], description: Mapping[str, Any]) -> float:
    """The pixels of the pictures that a request asks for; 0 if it asks for none.

    Args:
      inputs: TensorProto by name, checked by `input_checks.check_inputs`.
      description: of the export.
    """
    if {"height", "width"} <= inputs.keys() and not inputs["height"].tensor_shape.dim:
        return math.prod(float(input_checks.array(side, inputs[side])) for side in ("height", "width"))
    latents = inputs.get("latents")
    if latents is not None and len(latents.tensor_shape.dim) == 4:
        batch, rows, cols = (dim.size for dim in latents.tensor_shape.dim[:3])
        return float(batch * rows * cols * description.get("pixels_per_cell", 1) ** 2)
    return 0.0
