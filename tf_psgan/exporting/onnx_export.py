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

WEIGHTS = ("float32", "float16")
"""Types in which the file may hold the weights."""

BOUND = 1e-4
"""Largest difference from TensorFlow's values in [-1, 1]: an eightieth of a step of an 8-bit value. Measured: 1e-6."""

HALF_BOUND = 2 / 255
"""The same where the weights are stored as float16: a step of an 8-bit value."""

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


def convert(folded: FoldedGenerator, weights: str = "float32") -> bytes:
    """The network as an ONNX file, after onnxruntime computed the same pictures with it.

    Args:
      folded: the network.
      weights: of `WEIGHTS`. With float16 the file is half as large; it computes in float32 all the same.

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
    if weights == "float16":
        _store_halves(model.graph)
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    for batch, rows, cols in CELLS:
        shape = (batch, rows + 2 * geometry.HALO, cols + 2 * geometry.HALO, channels)
        latents = random.uniform(-1, 1, shape).astype(np.float32)
        (found,) = session.run(["images"], {"latents": latents})
        apart = float(np.max(np.abs(found - network(latents)["images"].numpy())))
        bound = HALF_BOUND if weights == "float16" else BOUND
        if not apart <= bound:
            problem = f"the converted network differs by {apart:.1e}, more than {bound:.1e}"
            remedy = "export without ONNX, or use other versions of tf2onnx and onnxruntime"
            raise ExportError("onnx", problem, remedy, value=apart, settings=("onnx",))
    return content


def _store_halves(graph: Any) -> None:
    """Stores kernels and biases as float16; an operation at the start makes float32 of each."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims):
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
