"""Warm-up requests: a server runs them before it accepts others, so that no client waits for a slow first request.

TensorFlow Serving reads `assets.extra/tf_serving_warmup_requests` when it loads a version: a TFRecord file of
PredictionLog protos, here one small request for each signature.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.exporting import prediction_log
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.exporting.signatures import FORMS, Limits
from tf_psgan.latents import noise, torus
from tf_psgan.plane.folded_generator import FoldedGenerator

FILE = "tf_serving_warmup_requests"
SIDE = 64
"""Side of the requested pictures, in pixels; a whole chunk is computed whatever their size."""

TEXTURES = 8
"""How many are searched for one whose waves fit a small torus: not every texture's do."""


def write(draft: Draft) -> None:
    """Writes the requests of a version, after running each.

    Raises:
      tf.errors.OpError: one failed.
    """
    with tf.io.TFRecordWriter(str(draft.extra / FILE)) as file:
        for name, inputs in requests(draft.folded, draft.limits).items():
            draft.model.run(name, **inputs)
            file.write(_log(draft, name, inputs))


def requests(folded: FoldedGenerator, limits: Limits) -> dict[str, dict[str, Any]]:
    """A small request for each signature that the model can answer: inputs by name, by the signature's name."""
    side = min(SIDE, limits.side, math.isqrt(limits.pixels))
    cells = 2 * geometry.HALO + 1
    extent = {"height": side, "width": side}
    network: dict[str, dict[str, Any]] = {
        "serving_default": {"latents": np.zeros((1, cells, cells, folded.blocks[0][0].shape[2]), np.float32)},
        "describe": {},
    }
    pictures: dict[str, dict[str, Any]] = {"window": {"seed": 0, "texture": 0, "top": 0, "left": 0} | extent}
    if tile := _tile(folded, limits):
        pictures["torus"] = {"seed": 0} | tile
    whole = dict.fromkeys(("first_row", "first_col", "period_height", "period_width", "top", "left"), 0)
    blend = {"textures": [0, 1], "weights": np.full((2, 1, 1), 0.5, np.float32), "time": 0.25, "amount": 0.5}
    pictures["scene"] = {"seed": 0} | blend | whole | extent
    if folded.config.global_channels:
        corners = {"textures": [0, 1, 2, 3], "extent_height": side, "extent_width": side, "top": 0, "left": 0}
        pictures["morph"] = {"seed": 0} | corners | extent
    return network | {name + form: inputs for name, inputs in pictures.items() for form in FORMS}


def _tile(folded: FoldedGenerator, limits: Limits) -> dict[str, int]:
    """A texture and the extent in pixels of a small torus that its waves fit; empty if there is none in the limits."""
    cell, channels = folded.pixels_per_cell, folded.config.global_channels
    cells = max(1, SIDE // cell)
    for texture in range(TEXTURES if channels else 1):
        steps = folded.wave_steps(noise.global_vector(texture, channels).numpy())
        for found in torus.good_extents([steps], cells, cells, count=1):
            height, width = (extent * cell for extent in found)
            if max(height, width) <= limits.side and height * width <= limits.pixels:
                return {"texture": texture, "height": height, "width": width}
    return {}


def _log(draft: Draft, name: str, inputs: dict[str, Any]) -> bytes:
    """A request as a record of the warm-up file."""
    tensors = {}
    for key, value in inputs.items():
        dtype = tf.as_dtype(draft.model.signatures[name].inputs[key].dtype)
        tensors[key] = tf.make_tensor_proto(value, dtype)
    return prediction_log.predict_log(draft.target.absolute().parent.name, name, tensors)
