"""The network alone as ONNX, for programs without TensorFlow: latents in, pictures out, at any size.

Always float32: not every runtime computes in bfloat16. The noise is not part of the file; its users supply latents.
"""

import importlib
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.errors import ExportError, SettingError
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.networks import inference
from tf_psgan.plane.folded_generator import FoldedGenerator

FILE = "model.onnx"
OPSET = 18
CELLS = ((1, 3, 5), (2, 17, 8))
"""Batch, rows and cols of the cells, without halo, whose pictures are compared with TensorFlow's."""

BOUND = 1e-4
"""Largest difference from TensorFlow's values in [-1, 1]: an eightieth of a step of an 8-bit value. Measured: 1e-6."""

AXES = {"latents": ("batch", "rows", "cols"), "images": ("batch", "height", "width")}


def check_installed() -> None:
    """Raises SettingError where a package that this needs is missing; to be called before any work."""
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            problem, remedy = f"needs the package {name} ({error})", "pip install 'tf_psgan[onnx]'"
            raise SettingError("onnx", problem, remedy, settings=("onnx",)) from None


def write(draft: Draft) -> None:
    """Writes `model.onnx` among the extra files of a version.

    Raises:
      ExportError: as `convert`.
    """
    (draft.extra / FILE).write_bytes(convert(draft.folded))


def convert(folded: FoldedGenerator) -> bytes:
    """The network as an ONNX file, after onnxruntime computed the same pictures with it.

    Raises:
      ExportError: it computes others.
    """
    import onnxruntime
    import tf2onnx

    blocks = list(folded.blocks)
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
            problem = f"the converted network differs by {apart:.1e}, more than {BOUND:.1e}"
            remedy = "export without ONNX, or use other versions of tf2onnx and onnxruntime"
            raise ExportError("onnx", problem, remedy, value=apart, settings=("onnx",))
    return content
