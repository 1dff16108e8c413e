"""TensorFlow Serving's two gRPC services over the models of this process: Predict, GetModelMetadata, GetModelStatus.

Status codes are TensorFlow Serving's: NOT_FOUND for a model or version that is not loaded, FAILED_PRECONDITION for a
signature that the model lacks, INVALID_ARGUMENT for wrong inputs.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tf_psgan_serving import wire
from tf_psgan_serving.server import cost, input_checks
from tf_psgan_serving.server.admission import AdmissionQueue, check_alive, remaining_seconds
from tf_psgan_serving.server.limiters import RateLimiter, ShapeLimiter
from tf_psgan_serving.server.repository import ModelRepository
from tf_psgan_serving.server.status import StatusError, invalid_argument, quoted
from tf_psgan_serving.server.version import Version

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"
METADATA_FIELD = "signature_def"


class ModelInService(Protocol):
    """A model with a version in service; `Model.use` documents the method."""

    def use(self, number: int | None) -> contextlib.AbstractContextManager[Version]: ...  # noqa: D102


class Models(Protocol):
    """Models by name; `ModelRepository.get` documents the method."""

    def get(self, name: str) -> ModelInService: ...  # noqa: D102


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata. The service's other methods are not implemented.

    Args:
      seconds: longest time of a request, whatever its own deadline.
      made: called with the pixels of each response.
    """

    def __init__(
        self,
        models: Models,
        queue: AdmissionQueue,
        rate_limiter: RateLimiter,
        shape_limiter: ShapeLimiter,
        seconds: float,
        made: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._models, self._queue, self._seconds, self._made = models, queue, seconds, made
        self._rate_limiter, self._shape_limiter = rate_limiter, shape_limiter

    def Predict(self, request: Any, context: Any) -> Any:
        """Runs a signature."""
        self._rate_limiter.acquire(context.peer())
        with self._models.get(_model_name(request)).use(_version_number(request.model_spec)) as version:
            signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
            outputs = _check_request(request, signature, version)
            pixels = cost.pixels(request.inputs, version.description)
            with self._queue.admit(context, pixels):
                shapes = _variable_shapes(version, signature, request.inputs)
                shape = (request.model_spec.name, signature, *shapes) if shapes else None
                if shape:
                    self._shape_limiter.check(shape)
                seconds = min(self._seconds, remaining_seconds(context))
                values = version.run(signature, request.inputs, outputs, seconds)
                if shape:  # only now: a request that is rejected must not count
                    self._shape_limiter.add(shape)
                check_alive(context)  # without a client the response need not be serialized
                response = predict_pb2.PredictResponse()
                _fill_model_spec(response.model_spec, request.model_spec.name, version.number, signature)
                context.set_trailing_metadata(((wire.IDENTITY, version.identity),))
                for name in list(values):  # in the queue's place: a large response is several copies in memory
                    _fill_tensor(response.outputs[name], values.pop(name))
                self._made(pixels)
                return response

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """The signatures of the version in service."""
        if not request.metadata_field:
            raise invalid_argument(f"metadata_field: missing; use {METADATA_FIELD}.")
        for field in request.metadata_field:
            if field != METADATA_FIELD:
                raise invalid_argument(f"metadata_field: {quoted(field)} is not supported; use {METADATA_FIELD}.")
        with self._models.get(_model_name(request)).use(_version_number(request.model_spec)) as version:
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            _fill_model_spec(response.model_spec, request.model_spec.name, version.number)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in version.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            response.metadata[METADATA_FIELD].Pack(signatures)
            return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus. Configuration changes by request are not implemented."""

    def __init__(self, models: ModelRepository) -> None:
        self._models = models

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        """The states of a model's versions, or of the requested one."""
        number = _version_number(request.model_spec)
        states = self._models.get(_model_name(request)).states()
        if number is not None:
            states = {key: state for key, state in states.items() if key == number}
        if not states:
            which = "version" if number is None else f"version {number}"
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"{request.model_spec.name}: no {which} is known.")
        response = get_model_status_pb2.GetModelStatusResponse()
        for key, state in states.items():
            entry = response.model_version_status.add(version=key)
            entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(state.state)
            entry.status.error_code = error_codes_pb2.OK  # TensorFlow Serving always sets it
            if state.failed:
                entry.status.error_code = error_codes_pb2.FAILED_PRECONDITION
                entry.status.error_message = state.reason
        return response


def _model_name(request: Any) -> str:
    if not request.model_spec.name:
        raise invalid_argument("model_spec: the model's name is missing.")
    name: str = request.model_spec.name
    return name


def _version_number(spec: Any) -> int | None:
    """The requested version; None for the one in service, which some clients request as version 0."""
    choice = spec.WhichOneof("version_choice")
    if choice == "version_label":
        text = f"version_label: {quoted(spec.version_label)}: this server does not support labels; omit it."
        raise invalid_argument(text)
    return spec.version.value or None if choice == "version" else None


def _check_request(request: Any, name: str, version: Version) -> Sequence[str]:
    """Checks a request against its signature; the names of the requested outputs."""
    if name not in version.signatures:
        text = f"{quoted(name)}: the model has no such signature; it has "
        text += ", ".join(sorted(key for key in version.signatures if not key.startswith("__"))) + "."
        raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, text)
    signature = version.signatures[name]
    if signature.method_name != PREDICT_METHOD:  # for example the loader's own initialiser
        raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, f"{quoted(name)}: clients may not run it.")
    input_checks.check_inputs(request.inputs, signature, version.description)
    requested = list(request.output_filter)
    for output in requested:
        if output not in signature.outputs:
            known = ", ".join(sorted(signature.outputs))
            raise invalid_argument(f"output_filter: {quoted(output)} is not an output; the signature has {known}.")
    if len(set(requested)) < len(requested):
        raise invalid_argument("output_filter: names an output twice.")
    return requested or sorted(signature.outputs)


def _variable_shapes(version: Version, name: str, inputs: Any) -> list[tuple[Any, ...]]:
    """The names and shapes of the inputs with a variable shape, for each of which TensorFlow keeps memory."""
    return [
        (key, *(dim.size for dim in inputs[key].tensor_shape.dim))
        for key, info in sorted(version.signatures[name].inputs.items())
        if info.tensor_shape.unknown_rank or any(dim.size < 0 for dim in info.tensor_shape.dim)
    ]


def _fill_tensor(proto: Any, value: Any) -> None:
    """Writes an array into a TensorProto, numbers with one copy."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        proto.dtype = tf.as_dtype(value.dtype).as_datatype_enum
        for length in value.shape:
            proto.tensor_shape.dim.add(size=length)
        proto.tensor_content = value.tobytes()
    else:
        proto.CopyFrom(tf.make_tensor_proto(value))


def _fill_model_spec(spec: Any, name: str, version: int, signature: str = "") -> None:
    spec.name, spec.version.value, spec.signature_name = name, version, signature
