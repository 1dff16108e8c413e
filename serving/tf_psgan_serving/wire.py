"""The messages of TensorFlow Serving's Predict method, without TensorFlow.

The official stubs import TensorFlow's own protocol buffers and with them its runtime, which takes seconds and hundreds
of megabytes. The few messages that a client needs are declared here under the official field numbers, in a descriptor
pool of their own, so that both kinds can be loaded in one process. A test compares every field with the official stubs.
"""

import functools
import io
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from PIL import Image

from tf_psgan_serving.errors import ServingError

PREDICT = "/tensorflow.serving.PredictionService/Predict"
HEALTH_LIST = "/grpc.health.v1.Health/List"
"""Lists the states of a server's services; those of the embedded server are its models. TensorFlow Serving lacks it."""

RETRY_AFTER = "grpc-retry-pushback-ms"
"""Trailing metadata of an error status: milliseconds after which the client may retry. Defined by gRPC."""

MAX_NESTING = 32
"""Levels of objects and lists in a description; an export's has four."""

IDENTITY = "psgan-identity"
"""Trailing metadata of a response: the identity of the version that made it, 64 hexadecimal digits. The embedded server
sends it; TensorFlow Serving does not. It equals `identity` in the description of an export."""

FLOAT, UINT8, INT32, STRING, INT64 = 1, 4, 3, 7, 9
"""Numbers of TensorFlow's types (tensorflow/core/framework/types.proto)."""

# Fields as (name, number, type, repeated). A map is a repeated key-value pair, an enum an integer.
_MESSAGES: dict[str, list[tuple[str, int, str, bool]]] = {
    "Int64Value": [("value", 1, "int64", False)],
    "ModelSpec": [
        ("name", 1, "string", False),
        ("version", 2, "Int64Value", False),
        ("signature_name", 3, "string", False),
    ],
    "Dim": [("size", 1, "int64", False)],
    "TensorShapeProto": [("dim", 2, "Dim", True), ("unknown_rank", 3, "bool", False)],
    "TensorProto": [
        ("dtype", 1, "int32", False),
        ("tensor_shape", 2, "TensorShapeProto", False),
        ("tensor_content", 4, "bytes", False),
        ("int_val", 7, "int32", True),
        ("string_val", 8, "bytes", True),
    ],
    "Pair": [("key", 1, "string", False), ("value", 2, "TensorProto", False)],
    "PredictRequest": [("model_spec", 1, "ModelSpec", False), ("inputs", 2, "Pair", True)],
    "PredictResponse": [("outputs", 1, "Pair", True), ("model_spec", 2, "ModelSpec", False)],
    "HealthCheckResponse": [("status", 1, "int32", False)],
    "Service": [("key", 1, "string", False), ("value", 2, "HealthCheckResponse", False)],
    "HealthListResponse": [("statuses", 1, "Service", True)],
}
_ENDS = {"png": b"IEND\xaeB`\x82", "jpeg": b"\xff\xd9"}
_DTYPE_NUMBERS = {np.dtype(np.float32): FLOAT, np.dtype(np.int32): INT32, np.dtype(np.int64): INT64}


@functools.cache
def message_class(name: str) -> Any:
    """The class of a message: PredictRequest, PredictResponse, TensorProto or a part of them."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"wire.{name}"))


def predict_request(model: str, version: int, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """A serialized PredictRequest.

    Args:
      version: version of the model; 0 requests the newest.
      inputs: int32, int64 or float32 arrays by the signature's input names.
    """
    request = message_class("PredictRequest")()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version:
        request.model_spec.version.value = version
    for name, value in inputs.items():
        tensor = request.inputs.add(key=name).value
        tensor.dtype = _DTYPE_NUMBERS[value.dtype]
        for length in value.shape:
            tensor.tensor_shape.dim.add(size=length)
        tensor.tensor_content = value.astype(value.dtype.newbyteorder("<")).tobytes()
    return request.SerializeToString()


def parse_response(data: bytes) -> Any:
    """The PredictResponse in `data`.

    Raises:
      ServingError: WRONG_RESPONSE, the bytes are not a PredictResponse.
    """
    try:
        return message_class("PredictResponse").FromString(data)
    except message.DecodeError:
        raise wrong_response(f"{len(data)} bytes are not a PredictResponse") from None


def services(data: bytes) -> dict[str, bool]:
    """Whether each service is healthy, by name, in a serialized HealthListResponse.

    Raises:
      ServingError: WRONG_RESPONSE, the bytes are not a HealthListResponse.
    """
    try:
        response = message_class("HealthListResponse").FromString(data)
    except message.DecodeError:
        raise wrong_response(f"{len(data)} bytes are not a HealthListResponse") from None
    return {pair.key: pair.value.status == 1 for pair in response.statuses}  # 1 is SERVING


def image(response: Any, height: int, width: int) -> np.ndarray:
    """The picture in a PredictResponse, uint8 [height, width, 3].

    Raises:
      ServingError: WRONG_RESPONSE, the response has no picture of this size.
    """
    tensor = _output(response, "image", UINT8, [height, width, 3])
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, np.uint8)
    else:  # TensorFlow Serving's default: one varint per value
        numbers = np.array(tensor.int_val, np.int32)
        if numbers.size and (numbers.min() < 0 or numbers.max() > 255):
            raise wrong_response("image: values outside 0 .. 255")
        values = numbers.astype(np.uint8)
    if values.size != height * width * 3:
        raise wrong_response(f"image: {values.size} values, not {height} x {width} x 3")
    return values.reshape(height, width, 3).copy()


def encoded_image(response: Any, encoding: str, height: int, width: int) -> bytes:
    """The encoded picture in a PredictResponse, after decoding it: a truncated or damaged file is an error.

    Args:
      encoding: "png" or "jpeg".

    Raises:
      ServingError: WRONG_RESPONSE, the response has no picture of this encoding and size.
    """
    data = _string(response, "image_bytes")
    kind = encoding.upper()
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as picture:  # reads the header only
            size, mode = (picture.height, picture.width), picture.mode
            if size == (height, width) and mode == "RGB":
                picture.verify()  # the checksums of a PNG's parts, which decoding does not compare
        if size == (height, width) and mode == "RGB":
            with Image.open(io.BytesIO(data), formats=(kind,)) as picture:
                picture.load()
    except Exception as error:  # Pillow raises many types for damaged files
        raise wrong_response(f"image_bytes: not a complete {kind} file ({type(error).__name__})") from None
    if size != (height, width):
        raise wrong_response(f"image_bytes: {size[0]}x{size[1]} pixels, not {height}x{width}")
    if mode != "RGB":
        raise wrong_response(f"image_bytes: pixels of the mode {mode}, not RGB")
    if not data.endswith(_ENDS[encoding]):
        raise wrong_response(f"image_bytes: the {kind} file does not end as such a file")
    return data


def description(response: Any) -> dict[str, Any]:
    """The JSON object in the response of the signature `describe`.

    Raises:
      ServingError: WRONG_RESPONSE, the response has no JSON object, or one of more than `MAX_NESTING` levels.
    """
    data = _string(response, "description")
    brackets = re.findall(rb"[][{}]", re.sub(rb'"(?:[^"\\]|\\.)*"', b"", data))
    if max(itertools.accumulate(1 if each in b"[{" else -1 for each in brackets), default=0) > MAX_NESTING:
        raise wrong_response(f"description: more than {MAX_NESTING} levels of JSON")
    try:
        parsed = json.loads(data)
    except ValueError:  # not JSON, or not UTF-8
        raise wrong_response("description: not JSON") from None
    if not isinstance(parsed, dict):
        raise wrong_response(f"description: JSON of a {type(parsed).__name__}, not of an object")
    return parsed


def wrong_response(problem: str) -> ServingError:
    """The error for a response that is not what was requested."""
    return ServingError("WRONG_RESPONSE", f"WRONG_RESPONSE: {problem}; use a server of models exported by tf_psgan.")


def _string(response: Any, name: str) -> bytes:
    tensor = _output(response, name, STRING, [])
    strings: list[bytes] = [*tensor.string_val]
    if tensor.tensor_content:  # --enable_serialization_as_tensor_content: the length as a varint, then the bytes
        length, start = _varint(tensor.tensor_content)
        strings.append(tensor.tensor_content[start:])
        if length != len(strings[-1]):
            raise wrong_response(f"{name}: {len(strings[-1])} bytes, declared as {length}")
    if len(strings) != 1:
        raise wrong_response(f"{name}: {len(strings)} strings, not one")
    return strings[0]


def _varint(data: bytes) -> tuple[int, int]:
    """The base-128 number at the start of `data` (low bits first), and the offset after it."""
    number = 0
    for offset, byte in enumerate(data[:10]):
        number |= (byte & 127) << 7 * offset
        if byte < 128:
            return number, offset + 1
    return number, len(data)


def _output(response: Any, name: str, dtype: int, shape: list[int]) -> Any:
    """The TensorProto of an output, with its declared type and shape checked."""
    tensors = {pair.key: pair.value for pair in response.outputs}
    if name not in tensors:
        raise wrong_response(f"outputs {', '.join(sorted(tensors))[:80] or 'none'}, without {name}")
    tensor = tensors[name]
    if tensor.dtype != dtype:
        raise wrong_response(f"{name}: type {tensor.dtype}, not {dtype} (numbers of TensorFlow's types.proto)")
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or sizes != shape:
        raise wrong_response(f"{name}: shape {sizes[:8]}, not {shape}")
    return tensor


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    field_types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="wire.proto", package="wire", syntax="proto3")
    for name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = field_types.LABEL_REPEATED if repeated else field_types.LABEL_OPTIONAL
            added = declared.field.add(name=field, number=number, label=label)
            if kind in _MESSAGES:
                added.type, added.type_name = field_types.TYPE_MESSAGE, f".wire.{kind}"
            else:
                added.type = field_types.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool
