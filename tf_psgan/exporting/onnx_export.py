"""The bare network as ONNX, for programs without TensorFlow: latents in, pictures out, at any size.

Always float32: not every runtime computes in bfloat16. The noise stays with TensorFlow; whoever
uses the file brings latents.
"""

import importlib
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.networks import inference

FILE = "model.onnx"
OPSET = 18
CELLS = ((1, 3, 5), (2, 17, 8))
"""Batch, rows and cols of the pictures that are compared, without their halo."""

BOUND = 1e-4
"""Most that a value from -1 to 1 may differ from TensorFlow's: an eightieth of a level of 255. Seen: 1e-6."""

AXES = {"latents": ("batch", "rows", "cols"), "images": ("batch", "height", "width")}


def check_installed() -> None:
    """Raises ValueError, before work is lost on it, where a package that this needs is missing."""
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ValueError(f"onnx: needs {name} ({error}); pip install 'tf_psgan[onnx]'.") from None


def write(draft: Draft) -> None:
    """Writes `model.onnx` beside a version's other extras, once onnxruntime has made the same pictures with it.

    Raises:
      OSError: it makes others.
    """
    import onnxruntime
    import tf2onnx

    blocks = list(draft.folded.blocks)
    channels = blocks[0][0].shape[2]

    @tf.function
    def network(latents: Any) -> dict[str, Any]:
        return {"images": inference.generate(blocks, latents, "float32")}

    spec = tf.TensorSpec((None, None, None, channels), tf.float32, "latents")
    model, _ = tf2onnx.convert.from_function(network, [spec], opset=OPSET)
    for value in (*model.graph.input, *model.graph.output):
        for axis, dimension in zip(AXES[value.name], value.type.tensor_type.shape.dim, strict=False):
            dimension.dim_param = axis
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    for batch, rows, cols in CELLS:
        shape = (batch, rows + 2 * geometry.HALO, cols + 2 * geometry.HALO, channels)
        latents = random.uniform(-1, 1, shape).astype(np.float32)
        (found,) = session.run(["images"], {"latents": latents})
        apart = float(np.max(np.abs(found - network(latents)["images"].numpy())))
        if not apart <= BOUND:
            raise OSError(f"onnx: the converted network is {apart:.1e} off; leave --onnx out, or try other versions.")
    (draft.extra / FILE).write_bytes(content)
