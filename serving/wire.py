"""The messages of TensorFlow Serving's Predict call, without TensorFlow.

The official stubs import TensorFlow's own messages and with them its runtime: seconds, and
hundreds of megabytes. On the wire a message is only numbered fields, so the few that a client
needs are declared here under the official numbers, in a pool of their own: both kinds may be
loaded in one process. `tests/test_wire.py` holds them against the official ones.
"""

import functools
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from PIL import Image

UINT8, INT32, STRING, INT64 = 4, 3, 7, 9
"""Numbers of TensorFlow's types (tensorflow/core/framework/types.proto)."""

# Fields as (name, number, type, whether repeated). A map is repeated pairs of key and value, an enum a number.
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
}
_NUMBERS = {np.dtype(np.int32): INT32, np.dtype(np.int64): INT64}


class Error(Exception):
    """What a server refused, or answered wrongly, in one line.

    Attributes:
      code: the gRPC status code's name, as UNAVAILABLE or INVALID_ARGUMENT; WRONG_ANSWER where an answer came that is
        not what was asked for.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@functools.cache
def message_class(name: str) -> Any:
    """The class of a message: PredictRequest, PredictResponse, TensorProto or a part of them."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"wire.{name}"))


def request(model: str, version: int, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """A PredictRequest, serialised.

    Args:
      version: of the model; 0 for the newest.
      inputs: arrays of int32 or int64 by the signature's names.
    """
    made = message_class("PredictRequest")()
    made.model_spec.name, made.model_spec.signature_name = model, signature
    if version:
        made.model_spec.version.value = version
    for name, value in inputs.items():
        tensor = made.inputs.add(key=name).value
        tensor.dtype = _NUMBERS[value.dtype]
        for extent in value.shape:
            tensor.tensor_shape.dim.add(size=extent)
        tensor.tensor_content = value.astype(value.dtype.newbyteorder("<")).tobytes()
    return made.SerializeToString()


def response(answer: bytes) -> Any:
    """A PredictResponse; Error where the bytes are none."""
    try:
        return message_class("PredictResponse").FromString(answer)
    except message.DecodeError:
        raise wrong(f"{len(answer)} bytes that are no PredictResponse") from None


def picture(answer: Any, height: int, width: int) -> np.ndarray:
    """The picture in a PredictResponse, uint8 [height, width, 3]; Error where it holds none of this extent."""
    tensor = _output(answer, "image", UINT8, [height, width, 3])
    if tensor.tensor_content:
        content = np.frombuffer(tensor.tensor_content, np.uint8)
    else:  # how TensorFlow Serving writes it unless told otherwise: a number for each value
        numbers = np.array(tensor.int_val, np.int32)
        if numbers.size and (numbers.min() < 0 or numbers.max() > 255):
            raise wrong("image: values outside 0 .. 255")
        content = numbers.astype(np.uint8)
    if content.size != height * width * 3:
        raise wrong(f"image: {content.size} values, not {height} x {width} x 3")
    return content.reshape(height, width, 3).copy()


def encoded(answer: Any, kind: str, height: int, width: int) -> bytes:
    """The encoded picture in a PredictResponse.

    Args:
      kind: "png" or "jpeg".

    Raises:
      Error: none is there, or one of another kind or extent.
    """
    data = _string(answer, "image_bytes")
    try:
        with Image.open(io.BytesIO(data), formats=(kind.upper(),)) as image:  # reads the header only
            found = (image.height, image.width)
    except Exception as error:  # over damaged files Pillow raises nearly anything
        raise wrong(f"image_bytes: no {kind.upper()} ({type(error).__name__})") from None
    if found != (height, width):
        raise wrong(f"image_bytes: {found[0]}x{found[1]} pixels, not {height}x{width}")
    return data


def description(answer: Any) -> dict[str, Any]:
    """The JSON object in the PredictResponse of a description; Error where there is none."""
    try:
        found = json.loads(_string(answer, "description"))
    except ValueError:  # no JSON, or no UTF-8
        raise wrong("description: no JSON") from None
    if not isinstance(found, dict):
        raise wrong(f"description: JSON of a {type(found).__name__}, not of an object")
    return found


def wrong(found: str) -> Error:
    """The error for an answer that is not what was asked for."""
    return Error("WRONG_ANSWER", f"WRONG_ANSWER: {found}; ask a server of this project's exports.")


def _string(answer: Any, name: str) -> bytes:
    tensor = _output(answer, name, STRING, [])
    strings: list[bytes] = [*tensor.string_val]
    if tensor.tensor_content:  # as TensorFlow Serving writes all when told to: the length as a varint, the bytes
        length, start = _varint(tensor.tensor_content)
        strings.append(tensor.tensor_content[start:])
        if length != len(strings[-1]):
            raise wrong(f"{name}: {len(strings[-1])} bytes, not the {length} that it says")
    if len(strings) != 1:
        raise wrong(f"{name}: {len(strings)} strings, not one")
    return strings[0]


def _varint(data: bytes) -> tuple[int, int]:
    """The number at the beginning, seven bits a byte, lowest first; and the place behind it."""
    number = 0
    for place, byte in enumerate(data[:10]):
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, place + 1
    return number, len(data)


def _output(answer: Any, name: str, dtype: int, shape: list[int]) -> Any:
    """The TensorProto of that name; Error unless it says this type and shape of itself."""
    tensors = {pair.key: pair.value for pair in answer.outputs}
    if name not in tensors:
        raise wrong(f"outputs {', '.join(sorted(tensors))[:80] or 'none'}, without {name}")
    tensor = tensors[name]
    if tensor.dtype != dtype:
        raise wrong(f"{name}: type {tensor.dtype}, not {dtype} (numbers as in TensorFlow's types.proto)")
    found = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or found != shape:
        raise wrong(f"{name}: shape {found[:8]}, not {shape}")
    return tensor


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="wire.proto", package="wire", syntax="proto3")
    for name, fields in _MESSAGES.items():
        made = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            added = made.field.add(name=field, number=number, label=label)
            if kind in _MESSAGES:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".wire.{kind}"
            else:
                added.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool
