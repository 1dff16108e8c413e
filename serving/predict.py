"""TensorFlow Serving's two services over this process's models: Predict, GetModelMetadata and GetModelStatus.

Codes are TensorFlow Serving's: NOT_FOUND for a model or version that is not served, FAILED_PRECONDITION
for a signature that the model lacks, INVALID_ARGUMENT for wrong inputs.
"""

from collections.abc import Sequence
from typing import Any

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import checks, limits
from serving.models import Models
from serving.refusals import Refusal, bad, shown
from serving.versions import Version

DEFAULT = "serving_default"
METHOD = "tensorflow/serving/predict"
FIELD = "signature_def"


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    """PredictionService: Predict and GetModelMetadata; its other methods are not offered.

    Args:
      seconds: that a request may run, its own deadline apart.
    """

    def __init__(
        self, models: Models, line: limits.Line, rate: limits.Rate, sizes: limits.Sizes, seconds: float
    ) -> None:
        self._models, self._line, self._rate, self._sizes, self._seconds = models, line, rate, sizes, seconds

    def Predict(self, request: Any, context: Any) -> Any:
        """Runs a signature."""
        self._rate.take(context.peer())
        with self._models.get(_name(request)).use(_number(request.model_spec)) as version:
            name = request.model_spec.signature_name or DEFAULT
            outputs = _check(request, name, version)
            with self._line.turn(context):
                if shapes := _shapes(version, name, request.inputs):  # now, not for requests that are not run
                    self._sizes.admit((request.model_spec.name, name, *shapes))
                seconds = min(self._seconds, limits.remaining(context))
                found = version.run(name, request.inputs, outputs, seconds)
            limits.check_alive(context)  # nobody to encode the answer for
            answer = predict_pb2.PredictResponse()
            _fill(answer.model_spec, request.model_spec.name, version.number, name)
            for key, value in found.items():
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return answer

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """The signatures of the version in service."""
        if not request.metadata_field:
            raise bad(f"metadata_field: missing; ask for {FIELD}.")
        for field in request.metadata_field:
            if field != FIELD:
                raise bad(f"metadata_field: {shown(field)} is not supported; ask for {FIELD}.")
        with self._models.get(_name(request)).use(_number(request.model_spec)) as version:
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            _fill(answer.model_spec, request.model_spec.name, version.number)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in version.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            answer.metadata[FIELD].Pack(signatures)
            return answer


class Status(model_service_pb2_grpc.ModelServiceServicer):
    """ModelService: GetModelStatus; a new configuration is not taken over the wire."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        """Where each version of a model stands, or the one that is asked for."""
        number = _number(request.model_spec)
        states = self._models.get(_name(request)).states()
        if number is not None:
            states = {key: state for key, state in states.items() if key == number}
        if not states:
            which = "version" if number is None else f"version {number}"
            text = f"{request.model_spec.name}: no {which} is known here."
            raise Refusal(grpc.StatusCode.NOT_FOUND, text)
        answer = get_model_status_pb2.GetModelStatusResponse()
        for key, state in states.items():
            entry = answer.model_version_status.add(version=key)
            entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(state.state)
            if state.failed:
                entry.status.error_code = error_codes_pb2.FAILED_PRECONDITION
                entry.status.error_message = "it does not load; the server's log says why."
        return answer


def _name(request: Any) -> str:
    if not request.model_spec.name:
        raise bad("model_spec: names no model; give its name.")
    name: str = request.model_spec.name
    return name


def _number(spec: Any) -> int | None:
    """The version that is asked for; None for the one in service."""
    choice = spec.WhichOneof("version_choice")
    if choice == "version_label":
        raise bad(f"version_label: {shown(spec.version_label)}: labels are not supported here; leave it out.")
    return spec.version.value if choice == "version" else None


def _check(request: Any, name: str, version: Version) -> Sequence[str]:
    """Holds a request against its signature; the names of the outputs that it asks for."""
    if name not in version.signatures:
        text = f"{shown(name)}: the model has no such signature; it has "
        text += ", ".join(sorted(key for key in version.signatures if not key.startswith("__"))) + "."
        raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, text)
    signature = version.signatures[name]
    if signature.method_name != METHOD:  # as the loader's own, which starts a model
        raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f"{shown(name)}: clients may not run it.")
    checks.check_inputs(request.inputs, signature, version.description)
    wanted = list(request.output_filter)
    for output in wanted:
        if output not in signature.outputs:
            raise bad(f"output_filter: {shown(output)} is no output; there are {', '.join(sorted(signature.outputs))}.")
    if len(set(wanted)) < len(wanted):
        raise bad("output_filter: names an output twice.")
    return wanted or sorted(signature.outputs)


def _shapes(version: Version, name: str, inputs: Any) -> list[tuple[Any, ...]]:
    """The inputs whose shape may vary, each with its shape: what the memory that TensorFlow keeps depends on."""
    return [
        (key, *(dim.size for dim in inputs[key].tensor_shape.dim))
        for key, info in sorted(version.signatures[name].inputs.items())
        if info.tensor_shape.unknown_rank or any(dim.size < 0 for dim in info.tensor_shape.dim)
    ]


def _fill(spec: Any, name: str, version: int, signature: str = "") -> None:
    spec.name, spec.version.value, spec.signature_name = name, version, signature
