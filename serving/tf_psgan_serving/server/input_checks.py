"""Checks the inputs of a Predict request against its signature, on the message alone.

A few bytes of a TensorProto can declare a tensor of any size (one value, repeated), and TensorFlow aborts the process
when memory runs out. Types, shapes and byte counts are therefore checked, and sizes compared with the limits in the
export's description, before a tensor is made.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from tf_psgan_serving.server.status import invalid_argument, quoted

MAX_REPEATED = 1024
"""Elements of a tensor that is given by fewer values than it has, the last one repeated."""

SPARE_CELLS = 16
"""Latent cells that a network may need beyond those of its picture, along each axis."""

_VALUE_FIELDS = {
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
}


def check_inputs(inputs: Mapping[str, Any], signature: Any, description: Mapping[str, Any]) -> None:
    """Compares a request's inputs with a signature and the limits. A scalar may come as one value of shape [1].

    Args:
      inputs: TensorProto by name.
      signature: SignatureDef.
      description: of the export; its "limits" bound the inputs of the same names. {} for none.

    Raises:
      StatusError: INVALID_ARGUMENT, an input is missing, unknown, of another type or shape, incomplete or too large.
    """
    missing, unknown = sorted(signature.inputs.keys() - inputs.keys()), sorted(inputs.keys() - signature.inputs.keys())
    if missing or unknown:
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += ["not known: " + ", ".join(quoted(name) for name in unknown[:5])] if unknown else []
        known = ", ".join(sorted(signature.inputs)) or "none"
        raise invalid_argument(f"inputs {'; '.join(parts)}; the signature takes {known}.")
    for name, info in signature.inputs.items():
        _check_tensor(name, inputs[name], info)
    _check_limits(inputs, signature.inputs, description)


def array(name: str, proto: Any, info: Any = None) -> np.ndarray:
    """The values of a checked TensorProto, in its own shape or in that of the TensorInfo of its input.

    Raises:
      StatusError: INVALID_ARGUMENT, a number does not fit the type or is not finite.
    """
    try:
        values = np.asarray(tf.make_ndarray(proto))
    except (ValueError, TypeError, OverflowError):
        raise invalid_argument(f"{name}: a number does not fit the declared type.") from None
    if tf.dtypes.as_dtype(proto.dtype).is_floating and not np.isfinite(values).all():
        raise invalid_argument(f"{name}: contains NaN or infinity; send finite numbers.")
    return values.reshape(()) if info is not None and _is_scalar(info) else values


def _is_scalar(info: Any) -> bool:
    return not (info.tensor_shape.dim or info.tensor_shape.unknown_rank)


def _check_tensor(name: str, proto: Any, info: Any) -> None:
    """Type, shape and number of values of one input against its TensorInfo."""
    if proto.dtype != info.dtype:
        raise invalid_argument(f"{name}: is {_type_name(proto.dtype)}; the signature takes {_type_name(info.dtype)}.")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    expected = [dim.size for dim in info.tensor_shape.dim]
    fits = len(shape) == len(expected) and all(a == b or b < 0 for a, b in zip(shape, expected, strict=True))
    fits = fits or (_is_scalar(info) and shape == [1])  # as clients send that know no scalars
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0 or not (info.tensor_shape.unknown_rank or fits):
        actual = "unknown" if proto.tensor_shape.unknown_rank else _shape_text(shape)
        raise invalid_argument(f"{name}: has shape {actual}; the signature takes {_shape_text(expected)}.")
    field = _VALUE_FIELDS.get(proto.dtype)
    if field is None:
        raise invalid_argument(f"{name}: {_type_name(proto.dtype)} is not supported; use another signature.")
    count, given, content = math.prod(shape), len(getattr(proto, field)), len(proto.tensor_content)
    if content and proto.dtype != types_pb2.DT_STRING:
        size = count * tf.dtypes.as_dtype(proto.dtype).size
        if content != size or given:
            text = f"{name}: {content} bytes and {given} values; shape {_shape_text(shape)} takes {size} bytes."
            raise invalid_argument(text)
    elif given > count or (given < count and count > MAX_REPEATED) or content:
        raise invalid_argument(f"{name}: {given} values; shape {_shape_text(shape)} takes {count}.")
    elif proto.dtype == types_pb2.DT_STRING and given != count:
        raise invalid_argument(f"{name}: {given} strings; shape {_shape_text(shape)} takes {count}.")


def _check_limits(inputs: Mapping[str, Any], infos: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Compares sizes with the description's limits before the graph runs, which checks them exactly."""
    limits: Mapping[str, int] = description.get("limits", {})
    sides: dict[str, int] = {}
    for name, info in infos.items():
        if name in limits and _is_scalar(info) and tf.dtypes.as_dtype(info.dtype).is_integer:
            value = sides[name] = int(array(name, inputs[name], info))
            if not 1 <= value <= limits[name]:
                raise invalid_argument(f"{name}: {value} is outside 1 .. {limits[name]}; choose a value inside.")
    most = limits.get("pixels", math.inf)
    area = math.prod(sides[side] for side in ("height", "width")) if {"height", "width"} <= sides.keys() else 1
    if area > most:
        raise invalid_argument(f"height x width: {area} pixels; a request may have {most}. Split the picture.")
    latents, cell = inputs.get("latents"), description.get("pixels_per_cell", 0)
    if latents is not None and len(latents.tensor_shape.dim) == 4 and cell:
        batch, *cells = (dim.size for dim in latents.tensor_shape.dim[:3])
        visible = [max(1, side - SPARE_CELLS) for side in cells]
        largest = (limits.get("height", math.inf), limits.get("width", math.inf))
        too_long = any(side * cell > limit for side, limit in zip(visible, largest, strict=True))
        if too_long or batch * math.prod(visible) * cell**2 > most:
            text = f"latents: {batch} pictures of {cells[0]} x {cells[1]} cells are too large; split them."
            raise invalid_argument(text)


def _type_name(number: int) -> str:
    return types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else f"type {number}"


def _shape_text(shape: list[int]) -> str:
    return "[" + ", ".join("?" if size == -1 else str(size) for size in shape[:8]) + ("...]" if shape[8:] else "]")
