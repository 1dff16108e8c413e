"""A Predict request held against its signature, on the message alone: no tensor is made before all is seen to be well.

A TensorProto may say with one value what a tensor has in millions, and TensorFlow ends the process
where memory ends. So types, shapes and bytes are counted first, and sizes compared with the limits
that the export describes.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from serving.refusals import bad, shown

MOST_REPEATED = 1024
"""Elements of a tensor that is given by fewer values than it has, the last one repeated."""

SPARE_CELLS = 16
"""Cells that a network may take beyond those that its picture shows, an axis."""

_VALUES = {
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
    """Compares a request's inputs with a signature and the limits.

    Args:
      inputs: TensorProto by name.
      signature: SignatureDef.
      description: of the export; its "limits" bound inputs of the same name, {} for none.

    Raises:
      Refusal: INVALID_ARGUMENT for inputs missing or too many, of another type or shape, incomplete or too large.
    """
    missing, extra = sorted(signature.inputs.keys() - inputs.keys()), sorted(inputs.keys() - signature.inputs.keys())
    if missing or extra:
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += ["not known: " + ", ".join(shown(name) for name in extra[:5])] if extra else []
        raise bad(f"inputs {'; '.join(parts)}; the signature takes {', '.join(sorted(signature.inputs)) or 'none'}.")
    for name, info in signature.inputs.items():
        _check_tensor(name, inputs[name], info)
    _check_limits({name: inputs[name] for name in signature.inputs}, description)


def array(name: str, proto: Any) -> np.ndarray:
    """The values of a checked TensorProto.

    Raises:
      Refusal: INVALID_ARGUMENT for numbers that its type cannot hold, or that are not finite.
    """
    try:
        values = np.asarray(tf.make_ndarray(proto))
    except (ValueError, TypeError, OverflowError):
        raise bad(f"{name}: holds numbers that its type cannot; send values of the declared type.") from None
    if tf.dtypes.as_dtype(proto.dtype).is_floating and not np.isfinite(values).all():
        raise bad(f"{name}: holds NaN or infinity; send finite numbers.")
    return values


def _check_tensor(name: str, proto: Any, info: Any) -> None:
    """Type, shape and number of values of one input against its TensorInfo."""
    if proto.dtype != info.dtype:
        raise bad(f"{name}: is {_type_name(proto.dtype)}; the signature takes {_type_name(info.dtype)}.")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    wanted = [dim.size for dim in info.tensor_shape.dim]
    fits = len(shape) == len(wanted) and all(a == b or b < 0 for a, b in zip(shape, wanted, strict=True))
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0 or not (info.tensor_shape.unknown_rank or fits):
        found = "unknown" if proto.tensor_shape.unknown_rank else _shape_text(shape)
        raise bad(f"{name}: has shape {found}; the signature takes {_shape_text(wanted)}.")
    field = _VALUES.get(proto.dtype)
    if field is None:
        raise bad(f"{name}: {_type_name(proto.dtype)} cannot be sent; use another signature.")
    count, given, content = math.prod(shape), len(getattr(proto, field)), len(proto.tensor_content)
    if content and proto.dtype != types_pb2.DT_STRING:
        wide = count * tf.dtypes.as_dtype(proto.dtype).size
        if content != wide or given:
            raise bad(f"{name}: {content} bytes and {given} values; shape {_shape_text(shape)} takes {wide} bytes.")
    elif given > count or (given < count and count > MOST_REPEATED) or content:
        raise bad(f"{name}: {given} values; shape {_shape_text(shape)} takes {count}.")
    elif proto.dtype == types_pb2.DT_STRING and given != count:
        raise bad(f"{name}: {given} strings; shape {_shape_text(shape)} takes {count}.")


def _check_limits(inputs: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Sizes against the description's limits, before the graph, which checks them exactly, is run."""
    limits: Mapping[str, int] = description.get("limits", {})
    extent: dict[str, int] = {}
    for name, proto in inputs.items():
        if name in limits and not proto.tensor_shape.dim and tf.dtypes.as_dtype(proto.dtype).is_integer:
            value = extent[name] = int(array(name, proto))
            if not 1 <= value <= limits[name]:
                raise bad(f"{name}: {value} is outside 1 .. {limits[name]}; choose a value inside.")
    most = limits.get("pixels", math.inf)
    area = math.prod(extent[side] for side in ("height", "width")) if {"height", "width"} <= extent.keys() else 1
    if area > most:
        raise bad(f"height x width: {area} pixels, and a request may ask for {most}; ask for parts of it.")
    latents, cell = inputs.get("latents"), description.get("pixels_per_cell", 0)
    if latents is not None and len(latents.tensor_shape.dim) == 4 and cell:
        batch, *cells = (dim.size for dim in latents.tensor_shape.dim[:3])
        shown_cells = [max(1, side - SPARE_CELLS) for side in cells]
        sides = (limits.get("height", math.inf), limits.get("width", math.inf))
        long = any(side * cell > limit for side, limit in zip(shown_cells, sides, strict=True))
        if long or batch * math.prod(shown_cells) * cell**2 > most:
            raise bad(f"latents: {batch} pictures of {cells[0]} x {cells[1]} cells are too large; ask for parts.")


def _type_name(number: int) -> str:
    return types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else f"type {number}"


def _shape_text(shape: list[int]) -> str:
    return "[" + ", ".join("?" if size == -1 else str(size) for size in shape[:8]) + ("...]" if shape[8:] else "]")
