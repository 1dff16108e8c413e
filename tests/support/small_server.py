"""An embedded server in this process over a tiny export, and requests to it."""

import contextlib
import os
import shutil
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.support import tiny_export
from tests.support.fake_server import HANG
from tf_psgan_serving.server.grpc_server import Server
from tf_psgan_serving.server.settings import Settings

PREDICT = "/tensorflow.serving.PredictionService/Predict"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
WINDOW = {"seed": 3, "texture": 5, "top": -9, "left": 70, "height": 40, "width": 50}


def export(folder):
    """Puts version 1 of a model with three global channels there; its folder."""
    folder.mkdir()
    return publish(tiny_export.exported(global_channels=3), folder, 1)


def publish(version, folder, number):
    """Copies a version into a model's folder and renames it to its number; its folder."""
    partial = folder / f".{number}.partial"
    shutil.copytree(version, partial)
    os.rename(partial, folder / str(number))
    return folder / str(number)


@contextlib.contextmanager
def running(models, **settings):
    """A server on a free port; (server, channel)."""
    server = Server(Settings(models, port=0, **({"poll": 0.1} | settings)))
    try:
        assert server.wait_until_loaded(HANG)
        with grpc.insecure_channel(f"127.0.0.1:{server.port}", OPTIONS) as channel:
            yield server, channel
    finally:
        server.stop(5.0)


def request(signature="window", model="tiny", version=None, **inputs):
    """A PredictRequest; numbers become scalars of the signature's types."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, signature
    if version is not None:
        message.model_spec.version.value = version
    for name, value in (inputs or WINDOW).items():
        kind = None if isinstance(value, np.ndarray) else tf.int32 if name in ("height", "width") else tf.int64
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value, kind))
    return message


def predict(channel, message, timeout=HANG):
    """The outputs as arrays; raises grpc.RpcError."""
    response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(message, timeout=timeout)
    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def status(channel, message, timeout=HANG):
    """(status code's name, details) of a request, which may be given as bytes; ("OK", "") if it succeeds."""
    data = message if isinstance(message, bytes) else message.SerializeToString()
    try:
        channel.unary_unary(PREDICT)(data, timeout=timeout)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def until(condition):
    """Waits for a condition that another thread makes true."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.01)
