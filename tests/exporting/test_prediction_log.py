import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tf_psgan.exporting.prediction_log import predict_log


@pytest.mark.parametrize("length", [1, 40, 5000])  # of the value: one, two and three bytes of a varint
def test_a_prediction_log_equals_the_official_message(length):
    inputs = {
        "latents": tf.make_tensor_proto(np.arange(length, dtype=np.float32)),
        "seed": tf.make_tensor_proto(-(2**62), tf.int64),
    }
    official = prediction_log_pb2.PredictionLog()
    request = official.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "honeycomb", "window_png"
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(value)
    assert prediction_log_pb2.PredictionLog.FromString(predict_log("honeycomb", "window_png", inputs)) == official


def test_a_prediction_log_without_inputs_is_valid():
    log = prediction_log_pb2.PredictionLog.FromString(predict_log("m", "describe", {}))
    assert log.predict_log.request.model_spec.signature_name == "describe"
    assert not log.predict_log.request.inputs
