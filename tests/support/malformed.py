"""Malformed Predict requests of many kinds, derived from a seed."""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from tests.support.small_server import WINDOW, request

LATENTS = np.zeros((1, 8, 9, 10), np.float32)


def malformed(seed, count):
    """Pairs (kind, serialized request). Those of kind "flipped" and "cut" may be valid by chance."""
    random = np.random.default_rng(seed)
    for i in range(count):
        kind = list(KINDS)[i % len(KINDS)]
        made = KINDS[kind](random)
        yield kind, made if isinstance(made, bytes) else made.SerializeToString()


def _window(random):
    """A valid request for a window, encoded or not, with random values within the limits."""
    kind = random.choice(["window", "window_png", "window_jpeg"])
    values = {name: int(random.integers(-(2**30), 2**30)) for name in ("seed", "texture", "top", "left")}
    return request(kind, **values, height=int(random.integers(1, 65)), width=int(random.integers(1, 65)))


def _input(made, random):
    return made.inputs[random.choice(sorted(made.inputs))]


def _type(random):
    made = _window(random)
    _input(made, random).dtype = int(random.choice([0, 1, 2, 4, 5, 7, 8, 10, 14, 20, 21, 99, 101, 103, -5]))
    return made


def _shape(random):
    made = _window(random)
    shape = _input(made, random).tensor_shape
    for _ in range(int(random.integers(1, 9))):
        shape.dim.add(size=int(random.choice([-(2**62), -2, -1, 0, 1, 2, 3, 1000, 2**40, 2**62])))
    shape.unknown_rank = bool(random.random() < 0.2)
    if [dim.size for dim in shape.dim] == [1]:  # accepted as a scalar
        shape.dim.add(size=1)
    return made


def _unknown_rank(random):
    made = _window(random)
    _input(made, random).tensor_shape.unknown_rank = True
    return made


def _repeated(random):
    """One value declared as a tensor of up to 2**60 elements."""
    made = request("serving_default", latents=np.zeros((1, 1, 1, 10), np.float32))
    proto = made.inputs["latents"]
    proto.Clear()
    proto.dtype = types_pb2.DT_FLOAT
    for size in (int(random.integers(1, 2**20)), int(random.integers(12, 2**20)), int(random.integers(12, 2**20)), 10):
        proto.tensor_shape.dim.add(size=size)
    proto.float_val.append(0.5)
    return made


def _content(random):
    made = _window(random)
    proto = _input(made, random)
    wide = 4 if proto.dtype == types_pb2.DT_INT32 else 8
    length = int(random.choice([1, wide - 1, wide + 1, 2 * wide, 4096]))
    proto.tensor_content = bytes(length)
    if random.random() < 0.5:
        proto.ClearField("int_val")
        proto.ClearField("int64_val")
    return made


def _count(random):
    made = _window(random)
    proto = _input(made, random)
    for field in (proto.int_val, proto.int64_val):
        if field:
            field.extend([1] * int(random.integers(1, 2000)))
    return made


def _extent(random):
    name = random.choice(["height", "width"])
    value = int(random.choice([-(2**31), -1, 0, 8193, 2**31 - 1]))
    both = {"height": 4097, "width": 8192} if random.random() < 0.2 else {name: value}
    return request(str(random.choice(["window", "window_png"])), **WINDOW | both)


def _position(random):
    return request(**WINDOW | {str(random.choice(["top", "left"])): int(random.choice([-1, 1])) * 2**41})


def _torus(random):
    values = {"seed": 1, "texture": 2, "height": int(random.integers(1, 60) * 8 + 1), "width": 64}
    return request("torus", **values)


def _not_finite(random):
    latents = LATENTS.copy()
    latents.flat[int(random.integers(latents.size))] = random.choice([np.nan, np.inf, -np.inf])
    return request("serving_default", latents=latents)


def _latents(random):
    shape = random.choice([[1, 4, 9, 10], [0, 8, 9, 10], [1, 0, 9, 10], [1, 9, 0, 10], [1, 8, 9, 11], [1, 8, 9, 0]])
    return request("serving_default", latents=np.zeros(shape, np.float32))


def _long_latents(random):
    return request("serving_default", latents=np.zeros((1, 7, int(random.integers(2000, 9000)), 10), np.float32))


def _missing(random):
    made = _window(random)
    for name in random.permutation(sorted(made.inputs))[: int(random.integers(1, 7))]:
        del made.inputs[str(name)]
    return made


def _extra(random):
    made = _window(random)
    made.inputs[str(random.choice(["", "x", "Seed", "\n", "é" * 200, "../../etc"]))].CopyFrom(made.inputs["seed"])
    return made


def _model(random):
    made = _window(random)
    made.model_spec.name = str(random.choice(["", "x", "tiny/1", "../tiny", "TINY", "tiny\n", "t" * 10_000]))
    return made


def _version(random):
    made = _window(random)
    made.model_spec.version.value = int(random.choice([-(2**63), -1, 2, 2**63 - 1]))
    return made


def _label(random):
    made = _window(random)
    made.model_spec.version_label = str(random.choice(["stable", "latest", "1", "x" * 5000]))
    return made


def _signature(random):
    made = _window(random)
    made.model_spec.signature_name = str(random.choice(["x", "__saved_model_init_op", "Window", "window ", "é" * 999]))
    return made


def _outputs(random):
    made = _window(random)
    made.output_filter.extend((["x"], [""], ["image"] * 2, ["image_bytes"] * 2)[int(random.integers(4))])
    return made


def _large(random):
    made = _window(random)
    made.inputs["seed"].tensor_content = bytes(5 * 2**20)
    return made


def _strings(random):
    made = _window(random)
    _input(made, random).CopyFrom(tf.make_tensor_proto([b"x" * int(random.integers(1, 5000))] * 3))
    return made


def _cut(random):
    data = _window(random).SerializeToString()
    return data[: int(random.integers(0, len(data)))]


def _flipped(random):
    data = bytearray(_window(random).SerializeToString())
    for _ in range(int(random.integers(1, 8))):
        data[int(random.integers(len(data)))] = int(random.integers(256))
    return bytes(data)


def _noise(random):
    return random.bytes(int(random.integers(1, 3000)))


KINDS = {
    name.removeprefix("_"): function
    for name, function in list(globals().items())
    if name.startswith("_") and callable(function) and name not in ("_window", "_input")
}
