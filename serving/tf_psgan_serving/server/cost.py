"""The cost of a request, in pixels of the network alone. The one place where it is computed."""

import math
from collections.abc import Mapping
from typing import Any

from tf_psgan_serving.server import input_checks

LARGE = 2.0**20
"""Cost beyond which a request is large."""


def pixels(inputs: Mapping[str, Any], description: Mapping[str, Any]) -> float:
    """The pixels of the pictures that a request asks for, each counted as often as it costs a network's; 0 for none.

    Where a detail stage makes a scene's whole torus, that counts instead of its window.

    Args:
      inputs: TensorProto by name, checked by `input_checks.check_inputs`.
      description: of the export, which says what a pixel of a window costs (`cost_per_pixel`; 1 where it does not).
    """
    if {"height", "width"} <= inputs.keys():
        sides = [input_checks.array(side, inputs[side]) for side in ("height", "width")]
        if all(side.size == 1 for side in sides):  # scalars, perhaps sent with the shape [1]
            area = math.prod(float(side.item()) for side in sides)
            if description.get("detail", "none") != "none":
                area = max(area, _torus_pixels(inputs))
            return area * float(description.get("cost_per_pixel", 1.0))
    latents = inputs.get("latents")
    if latents is not None and len(latents.tensor_shape.dim) == 4:
        batch, rows, cols = (dim.size for dim in latents.tensor_shape.dim[:3])
        return float(batch * rows * cols * description.get("pixels_per_cell", 1) ** 2)
    return 0.0


def _torus_pixels(inputs: Mapping[str, Any]) -> float:
    """The pixels of a scene's torus, all of which guide a detail stage; 0 without one."""
    names = ("period_height", "period_width")
    if not all(name in inputs for name in names):
        return 0.0
    sides = [input_checks.array(name, inputs[name]) for name in names]
    return math.prod(max(0.0, float(side.item())) for side in sides) if all(side.size == 1 for side in sides) else 0.0
