"""A Predict request in the format of TensorFlow Serving's warm-up files, without the package tensorflow-serving-api.

The four messages around TensorFlow's own TensorProto are encoded here by their field numbers, as in
tensorflow_serving/apis/{prediction_log,predict,model}.proto: every field is length-delimited.
"""

from collections.abc import Mapping

from tensorflow.core.framework import tensor_pb2

# Field numbers.
_LOG_PREDICT = 6
_PREDICT_REQUEST = 1
_REQUEST_MODEL_SPEC, _REQUEST_INPUTS = 1, 2
_SPEC_NAME, _SPEC_SIGNATURE = 1, 3
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_LENGTH_DELIMITED = 2


def predict_log(model: str, signature: str, inputs: Mapping[str, tensor_pb2.TensorProto]) -> bytes:
    """A serialized PredictionLog that holds one PredictRequest.

    Args:
      model: name of the model.
      signature: name of the signature.
      inputs: the signature's inputs by name.
    """
    spec = _field(_SPEC_NAME, model.encode()) + _field(_SPEC_SIGNATURE, signature.encode())
    request = _field(_REQUEST_MODEL_SPEC, spec)
    for name, value in inputs.items():
        entry = _field(_ENTRY_KEY, name.encode()) + _field(_ENTRY_VALUE, value.SerializeToString())
        request += _field(_REQUEST_INPUTS, entry)
    return _field(_LOG_PREDICT, _field(_PREDICT_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A non-negative number in base 128, low bits first; the high bit marks that another byte follows."""
    encoded = bytearray()
    while number >= 128:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])
