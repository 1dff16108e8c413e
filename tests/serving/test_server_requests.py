"""The embedded server's responses: pictures for valid requests, TensorFlow Serving's status codes for all others."""

import collections
import functools
import logging
import re

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.support import tiny
from tests.support.malformed import malformed
from tests.support.small_server import OPTIONS, WINDOW, export, predict, request, running, status
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan_serving.server import services
from tf_psgan_serving.server.interceptor import MAX_STREAMS

REGULAR = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "RESOURCE_EXHAUSTED"}
INTERNAL_WORDS = ("node", "{{", "Traceback", "session", ".py")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server and a channel to it; its one model is tiny.generator with three global channels."""
    folder = tmp_path_factory.mktemp("models")
    export(folder / "tiny")
    with running(folder) as both:
        yield both


@pytest.fixture
def channel(server):
    return server[1]


@pytest.fixture(autouse=True)
def no_internal_error(caplog):
    """No request of these tests may cause an internal error."""
    logging.getLogger("tf_psgan_serving").propagate = True
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_the_servers_window_equals_the_plane(channel):
    plane = TexturePlane(fold(tiny.generator(global_channels=3)))
    found = predict(channel, request())["image"]
    np.testing.assert_array_equal(found, plane.window(40, 50, top=-9, left=70, seed=3, texture=5))


def test_pictures_are_sent_as_tensor_content_with_the_model_spec(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request())
    assert len(response.outputs["image"].tensor_content) == 40 * 50 * 3
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("tiny", 1, "window")


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_encoded_pictures_can_be_decoded(channel, suffix):
    data = predict(channel, request(f"window_{suffix}", **WINDOW))["image_bytes"].item()
    assert tf.io.decode_image(data).shape == (40, 50, 3)


def test_the_default_signature_is_serving_default(channel):
    latents = tiny.latents(tiny.generator(global_channels=3)).numpy()
    images = predict(channel, request("", latents=latents))["images"]
    assert images.shape[0] == 1
    np.testing.assert_array_equal(images, predict(channel, request("serving_default", latents=latents))["images"])


def test_values_are_accepted_in_every_encoding_of_tensorflow(channel):
    made, listed = request(), request()
    for name, value in WINDOW.items():
        kind = np.int32 if name in ("height", "width") else np.int64
        made.inputs[name].ClearField("int_val")
        made.inputs[name].ClearField("int64_val")
        made.inputs[name].tensor_content = np.array(value, kind).tobytes()
    listed.inputs["seed"].ClearField("int64_val")  # nothing for zero, as C++ compresses it
    np.testing.assert_array_equal(predict(channel, made)["image"], predict(channel, request())["image"])
    np.testing.assert_array_equal(
        predict(channel, listed)["image"], predict(channel, request(**WINDOW | {"seed": 0}))["image"]
    )


def test_repeated_values_may_be_sent_once(channel):
    whole = request("serving_default", latents=np.full((1, 7, 7, 10), 0.25, np.float32))
    short = request("serving_default", latents=np.zeros((1, 7, 7, 10), np.float32))
    short.inputs["latents"].ClearField("tensor_content")
    short.inputs["latents"].float_val[:] = [0.25]
    np.testing.assert_array_equal(predict(channel, short)["images"], predict(channel, whole)["images"])


def test_an_output_filter_selects_outputs(channel):
    made = request()
    made.output_filter.append("image")
    assert predict(channel, made).keys() == {"image"}


@pytest.mark.parametrize(
    "message, code, text",
    [
        (request(model="other"), "NOT_FOUND", "'other': unknown model"),
        (request(model=""), "INVALID_ARGUMENT", "model's name is missing"),
        (request(version=2), "NOT_FOUND", "version 2 is not loaded; version 1 is"),
        (request("other"), "FAILED_PRECONDITION", "'other': the model has no such signature; it has describe, morph"),
        (request("__saved_model_init_op"), "FAILED_PRECONDITION", "clients may not run it"),
        (
            predict_pb2.PredictRequest(model_spec={"name": "tiny", "signature_name": "__saved_model_init_op"}),
            "FAILED_PRECONDITION",
            "clients may not run it",
        ),
        (request("describe", **WINDOW), "INVALID_ARGUMENT", "the signature takes none"),
        (request("window", seed=1), "INVALID_ARGUMENT", "inputs missing: height, left, texture, top, width"),
        (request(**WINDOW, x=1), "INVALID_ARGUMENT", "inputs not known: 'x'"),
        (request(**WINDOW | {"seed": np.int32(1)}), "OK", ""),
        (request(**WINDOW | {"seed": np.array(1, np.int32)}), "INVALID_ARGUMENT", "seed: is DT_INT32; .* DT_INT64"),
        (request(**WINDOW | {"seed": np.array([1, 2])}), "INVALID_ARGUMENT", r"seed: has shape \[2\]; .* takes \[\]"),
        (request(**WINDOW | {"height": 0}), "INVALID_ARGUMENT", "height: 0 is outside 1 .. 8192"),
        (request(**WINDOW | {"height": 8000, "width": 8000}), "INVALID_ARGUMENT", "64000000 pixels"),
        (request(**WINDOW | {"top": 2**41}), "INVALID_ARGUMENT", "top: 2199023255552 is outside"),
        (request("torus", seed=1, texture=1, height=65, width=64), "INVALID_ARGUMENT", "height: 65 is not a multiple"),
        (request("serving_default", latents=np.full((1, 8, 8, 10), np.nan, "f")), "INVALID_ARGUMENT", "NaN or inf"),
        (b"\xff", "INVALID_ARGUMENT", "cannot be parsed"),
        (b"", "INVALID_ARGUMENT", "model's name is missing"),
        (bytes(5 * 2**20), "RESOURCE_EXHAUSTED", "larger than max"),
    ],
)
def test_each_invalid_request_gets_the_status_code_of_tensorflow_serving(channel, message, code, text):
    found, details = status(channel, message)
    assert found == code
    assert re.search(text, details), details


def test_version_labels_are_rejected_and_filters_checked(channel):
    labelled, unknown, twice = request(), request(), request()
    labelled.model_spec.version_label = "stable"
    unknown.output_filter.append("x")
    twice.output_filter.extend(["image", "image"])
    for made, text in ((labelled, "does not support labels"), (unknown, "'x' is not an output"), (twice, "twice")):
        code, details = status(channel, made)
        assert code == "INVALID_ARGUMENT"
        assert text in details


def test_a_huge_tensor_of_one_repeated_value_is_rejected_before_it_is_made(channel):
    made = request("serving_default", latents=np.zeros((1, 1, 1, 10), np.float32))
    proto = made.inputs["latents"]
    proto.Clear()
    proto.dtype = types_pb2.DT_FLOAT
    proto.float_val.append(1.0)
    for size in (1, 1000, 1000, 10):  # 40 MB, and within no limit of bytes on the wire
        proto.tensor_shape.dim.add(size=size)
    code, details = status(channel, made)
    assert (code, details) == ("INVALID_ARGUMENT", "latents: 1 values; shape [1, 1000, 1000, 10] takes 10000000.")


def check_malformed(channel, seed, count):
    found = collections.Counter()
    for kind, data in malformed(seed, count):
        code, details = status(channel, data)
        assert code in REGULAR or (code == "OK" and kind in ("cut", "flipped")), (kind, code, details)
        assert not any(word in details for word in INTERNAL_WORDS), (kind, details)
        found[code] += 1
    assert found.keys() >= REGULAR
    predict(channel, request())  # the server still works
    return found


def test_every_malformed_request_gets_a_regular_status(channel):
    check_malformed(channel, seed=0, count=312)


@pytest.mark.long
def test_ten_thousand_malformed_requests_get_a_regular_status(channel):
    print(check_malformed(channel, seed=1, count=10_000))


def test_an_internal_error_reaches_the_client_as_an_identifier_only(channel, monkeypatch, caplog):
    monkeypatch.setattr(services.input_checks, "check_inputs", lambda *_: {}["/secret/path"])
    code, details = status(channel, request())
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    caplog.clear()
    assert code == "INTERNAL"
    assert details.startswith("error ")
    assert details.split()[1].rstrip(";") in line
    assert "secret" in line and "secret" not in details and "\n" not in line


def test_metadata_lists_the_signatures(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    message = functools.partial(get_model_metadata_pb2.GetModelMetadataRequest, model_spec={"name": "tiny"})
    answer = stub.GetModelMetadata(message(metadata_field=["signature_def"]))
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert answer.model_spec.version.value == 1
    assert signatures.signature_def["window"].inputs["seed"].dtype == types_pb2.DT_INT64
    assert signatures.signature_def["window"].method_name == "tensorflow/serving/predict"
    for wrong in ({}, {"metadata_field": ["x"]}):
        with pytest.raises(grpc.RpcError) as error:
            stub.GetModelMetadata(message(**wrong))
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_status_health_and_reflection(channel):
    status = model_service_pb2_grpc.ModelServiceStub(channel)
    message = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "tiny"})
    [version] = status.GetModelStatus(message).model_version_status
    assert (version.version, version.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    assert version.HasField("status")  # as TensorFlow Serving always sets it
    message.model_spec.version.value = 7
    with pytest.raises(grpc.RpcError) as error:
        status.GetModelStatus(message)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "tiny"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watched = health.Watch(health_pb2.HealthCheckRequest(service=""))
    assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
    watched.cancel()
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    [answer] = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = {service.name for service in answer.list_services_response.service}
    assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "grpc.health.v1.Health"} <= names


def test_other_methods_are_unimplemented(channel):
    prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    model = model_service_pb2_grpc.ModelServiceStub(channel)
    for call in (
        lambda: prediction.Classify(classification_pb2.ClassificationRequest()),
        lambda: model.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest()),
        lambda: channel.unary_unary("/tensorflow.serving.PredictionService/None")(b""),
    ):
        with pytest.raises(grpc.RpcError) as error:
            call()
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_malformed_messages_to_the_other_services_are_invalid_arguments(channel):
    calls = [channel.unary_unary(name) for name in (
        "/tensorflow.serving.PredictionService/GetModelMetadata", "/tensorflow.serving.ModelService/GetModelStatus",
        "/grpc.health.v1.Health/Check")]  # fmt: skip
    streams = [
        lambda data: list(channel.unary_stream("/grpc.health.v1.Health/Watch")(data)),
        lambda data: list(
            channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(iter([data]))
        ),
    ]
    for call in (*calls, *streams):
        with pytest.raises(grpc.RpcError) as error:
            call(b"\xff\xff")
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_idle_streams_do_not_block_other_requests(server):
    # Closing this channel ends all of its streams.
    with grpc.insecure_channel(f"127.0.0.1:{server[0].port}", OPTIONS) as other:
        health = health_pb2_grpc.HealthStub(other)
        streams = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(MAX_STREAMS)]
        for stream in streams:
            next(stream)
        with pytest.raises(grpc.RpcError) as error:
            next(health.Watch(health_pb2.HealthCheckRequest()))
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        predict(other, request())
