"""onnxruntime and OpenVINO: the same network as an ONNX graph in two forms."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.work import DTYPES, Way, Work, middle

FORMS = ("transposed", "3x3 and depth to space")
PACKAGES = ("onnxruntime", "openvino")


def graph(work: Work, form: str) -> bytes:
    """The network in float32: latents [1, channels, rows, cols] -> images [1, 3, height, width] in [-1, 1]."""
    nodes, stored, at = [], [], "latents"
    phases = work.folded("float32").blocks
    for i, (kernel, bias, (phase, spread)) in enumerate(zip(work.kernels, work.biases, phases, strict=True)):
        if form == "transposed":
            stored += [_stored(f"w{i}", kernel.transpose(2, 3, 0, 1)), _stored(f"b{i}", bias)]
            spare = [6 - work.config.kernel_size] * 2
            nodes.append(
                helper.make_node(
                    "ConvTranspose", [at, f"w{i}", f"b{i}"], [f"x{i}"], strides=[2, 2], pads=[4] * 4,
                    output_padding=spare, kernel_shape=list(kernel.shape[:2]),
                )
            )  # fmt: skip
        else:
            stored += [_stored(f"w{i}", phase.transpose(3, 2, 0, 1)), _stored(f"b{i}", spread)]
            nodes.append(helper.make_node("Conv", [at, f"w{i}", f"b{i}"], [f"x{i}"], kernel_shape=[3, 3]))
        at = f"x{i}"
        if i + 1 < len(work.kernels):
            nodes.append(helper.make_node("Relu", [at], [f"r{i}"]))
            at = f"r{i}"
        if form != "transposed":
            nodes.append(helper.make_node("DepthToSpace", [at], [f"d{i}"], blocksize=2, mode="DCR"))
            at = f"d{i}"
    nodes.append(helper.make_node("Tanh", [at], ["images"]))
    shape = [1, work.kernels[0].shape[2], "rows", "cols"]
    latents = helper.make_tensor_value_info("latents", TensorProto.FLOAT, shape)
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "height", "width"])
    made = helper.make_graph(nodes, "generator", [latents], [images], stored)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def ways(package: str, work: Work, pixels: int, threads: int) -> Iterator[Way]:
    """The variants of one of PACKAGES; onnxruntime is timed in float32 only, as it has no bfloat16 on CPUs."""
    module = importlib.import_module(package)
    latents = np.ascontiguousarray(work.latents(pixels).transpose(0, 3, 1, 2))
    for form in FORMS:
        content = graph(work, form)
        for dtype in DTYPES if package == "openvino" else ("float32",):
            start = {"onnxruntime": _onnxruntime, "openvino": _openvino}[package]
            run = start(module, content, dtype, threads, latents)
            yield Way(f"{package}, {form}", "network", dtype, run, _picture(run))


def _picture(run: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    return lambda: middle(run()[0].transpose(1, 2, 0))


def _onnxruntime(module: Any, content: bytes, dtype: str, threads: int, latents: np.ndarray) -> Callable[[], Any]:
    options = module.SessionOptions()
    options.intra_op_num_threads = threads
    session = module.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["images"], {"latents": latents})[0]


def _openvino(module: Any, content: bytes, dtype: str, threads: int, latents: np.ndarray) -> Callable[[], Any]:
    core = module.Core()
    model = core.read_model(content)
    model.reshape(latents.shape)
    precision = {"float32": "f32", "bfloat16": "bf16"}[dtype]
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run() -> np.ndarray:
        request.infer([latents], share_inputs=True)
        return request.get_output_tensor(0).data

    return run


def _stored(name: str, array: np.ndarray) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
