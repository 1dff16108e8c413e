"""The client's messages equal TensorFlow Serving's field by field, and every response is checked."""

import json

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.descriptor import FieldDescriptor
from grpc_health.v1 import health_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

from tests.support.fake_server import response
from tf_psgan_serving import wire
from tf_psgan_serving.errors import ServingError

OFFICIAL = {
    "Int64Value": model_pb2.ModelSpec.DESCRIPTOR.fields_by_name["version"].message_type,
    "ModelSpec": model_pb2.ModelSpec.DESCRIPTOR,
    "Dim": tf.TensorShape([1]).as_proto().DESCRIPTOR.fields_by_name["dim"].message_type,
    "TensorShapeProto": tf.TensorShape([1]).as_proto().DESCRIPTOR,
    "TensorProto": tf.make_tensor_proto(0).DESCRIPTOR,
    "Pair": predict_pb2.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].message_type,
    "PredictRequest": predict_pb2.PredictRequest.DESCRIPTOR,
    "PredictResponse": predict_pb2.PredictResponse.DESCRIPTOR,
    "HealthCheckResponse": health_pb2.HealthCheckResponse.DESCRIPTOR,
    "Service": health_pb2.HealthListResponse.DESCRIPTOR.fields_by_name["statuses"].message_type,
    "HealthListResponse": health_pb2.HealthListResponse.DESCRIPTOR,
}
PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3) * 2
CONTENT = {"tensor_content": PICTURE.tobytes()}


def differences(messages):
    """Fields that differ from the official ones."""
    found = []
    for message, fields in messages.items():
        for name, number, kind, repeated in fields:
            official = OFFICIAL[message].fields_by_name.get(name)
            if official is None:
                found.append((message, name))
                continue
            theirs = {value: key for key, value in vars(FieldDescriptor).items() if key.startswith("TYPE_")}
            theirs = theirs[official.type].removeprefix("TYPE_").lower().replace("enum", "int32")
            ours = "message" if kind in messages else kind
            if (number, ours, repeated) != (official.number, theirs, official.is_repeated):
                found.append((message, name))
            if kind in messages and official.message_type is not OFFICIAL[kind]:
                both = official.message_type.full_name, kind
                # Inputs and outputs have separate official pair messages, which must be equal.
                alike = [(f.name, f.number, f.message_type) for f in official.message_type.fields]
                if kind != "Pair" or alike != [(f.name, f.number, f.message_type) for f in OFFICIAL[kind].fields]:
                    found.append(both)
    return found


def official_response(value, as_numbers=False):
    message = predict_pb2.PredictResponse()
    tensor = tf.make_tensor_proto(value)
    if as_numbers:
        tensor.int_val.extend(value.ravel().tolist())
        tensor.ClearField("tensor_content")
    message.outputs["image" if isinstance(value, np.ndarray) else "description"].CopyFrom(tensor)
    message.model_spec.name, message.model_spec.version.value = "m", 12
    message.model_spec.signature_name = "window"
    return message.SerializeToString()


def test_every_field_has_the_official_number_and_type():
    assert differences(wire._MESSAGES) == []
    assert wire._MESSAGES.keys() == OFFICIAL.keys()


@pytest.mark.parametrize("wrong", [("int_val", 8, "int32", True), ("int_val", 7, "int64", True),
                                   ("int_val", 7, "int32", False), ("int_vals", 7, "int32", True)])  # fmt: skip
def test_a_field_of_another_number_type_or_name_is_detected(wrong):
    assert differences(wire._MESSAGES | {"TensorProto": [wrong]}) == [("TensorProto", wrong[0])]


def test_tensor_types_have_the_official_numbers():
    assert [tf.uint8.as_datatype_enum, tf.int32.as_datatype_enum, tf.string.as_datatype_enum,
            tf.int64.as_datatype_enum] == [wire.UINT8, wire.INT32, wire.STRING, wire.INT64]  # fmt: skip


def test_the_official_stubs_read_our_requests():
    inputs = {"seed": np.int64(-(2**62)), "height": np.int32(77), "textures": np.array([1, -2, 3, 2**40])}
    request = predict_pb2.PredictRequest.FromString(wire.predict_request("name", 3, "window", inputs))
    assert (request.model_spec.name, request.model_spec.signature_name) == ("name", "window")
    assert request.model_spec.version.value == 3
    assert request.inputs.keys() == inputs.keys()
    for name, value in inputs.items():
        found = tf.make_ndarray(request.inputs[name])
        assert found.dtype == value.dtype
        assert found.shape == value.shape
        np.testing.assert_array_equal(found, value)


def test_without_a_version_the_newest_is_requested():
    assert not predict_pb2.PredictRequest.FromString(wire.predict_request("m", 0, "s", {})).model_spec.HasField(
        "version"
    )


@pytest.mark.parametrize("as_numbers", [False, True])
def test_pictures_are_read_as_bytes_and_as_numbers(as_numbers):
    parsed = wire.parse_response(official_response(PICTURE, as_numbers))
    found = wire.image(parsed, 5, 7)
    np.testing.assert_array_equal(found, PICTURE)
    assert found.dtype == np.uint8
    found[:] = 0  # writeable
    assert parsed.model_spec.version.value == 12


def test_descriptions_are_read():
    assert wire.description(wire.parse_response(official_response('{"dtype": "ü"}'))) == {"dtype": "ü"}


@pytest.mark.parametrize("length", [2, 127, 128, 300, 70_000])
def test_a_string_is_read_as_tensor_content_too(length):
    text = json.dumps({"a": "b" * (length - 9)} if length > 9 else {}).encode()
    head = bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])[: 3 if length > 16383 else 0]
    head = head or (bytes([length & 127 | 128, length >> 7]) if length > 127 else bytes([length]))
    assert len(text) == length
    found = wire.parse_response(response("description", wire.STRING, [], tensor_content=head + text))
    assert wire.description(found) == json.loads(text)
    short = wire.parse_response(response("description", wire.STRING, [], tensor_content=head + text[:-1]))
    with pytest.raises(ServingError, match=f"description: {length - 1} bytes, declared as {length}"):
        wire.description(short)


def test_the_official_stubs_read_what_our_messages_write():
    data = response("image", wire.UINT8, [5, 7, 3], version=4, **CONTENT)
    parsed = predict_pb2.PredictResponse.FromString(data)
    np.testing.assert_array_equal(tf.make_ndarray(parsed.outputs["image"]), PICTURE)
    assert parsed.model_spec.version.value == 4


@pytest.mark.parametrize(
    "data, words",
    [
        (b"\xff\xff", "2 bytes are not a PredictResponse"),
        (b"", "outputs none, without image"),
        (response("images", wire.UINT8, [5, 7, 3], **CONTENT), "outputs images, without image"),
        (response("image", 1, [5, 7, 3], **CONTENT), "image: type 1, not 4"),
        (response("image", wire.UINT8, [7, 5, 3], **CONTENT), r"image: shape \[7, 5, 3\], not \[5, 7, 3\]"),
        (response("image", wire.UINT8, [1, 5, 7, 3], **CONTENT), r"image: shape \[1, 5, 7, 3\], not"),
        (response("image", wire.UINT8, [5, 7, 3]), "image: 0 values, not 5 x 7 x 3"),
        (response("image", wire.UINT8, [5, 7, 3], int_val=[9]), "image: 1 values"),
        (response("image", wire.UINT8, [5, 7, 3], int_val=[256] * 105), "image: values outside 0 .. 255"),
        (response("image", wire.UINT8, [5, 7, 3], tensor_content=b"x" * 106), "image: 106 values"),
    ],
)
def test_a_wrong_picture_is_an_error_of_one_line(data, words):
    with pytest.raises(ServingError, match=f"^WRONG_RESPONSE: {words}.*; use a server") as caught:
        wire.image(wire.parse_response(data), 5, 7)
    assert caught.value.code == "WRONG_RESPONSE"


@pytest.mark.parametrize(
    "strings, words",
    [([], "0 strings"), ([b"{}", b"{}"], "2 strings"), ([b"\xff"], "not JSON"), ([b"[1]"], "JSON of a list")],
)
def test_a_wrong_description_is_an_error(strings, words):
    with pytest.raises(ServingError, match=f"description: {words}"):
        wire.description(wire.parse_response(response("description", wire.STRING, [], string_val=strings)))


def test_a_damaged_response_is_an_error_or_a_picture():
    whole, random = bytearray(official_response(PICTURE, as_numbers=True)), np.random.default_rng(0)
    for _ in range(1000):
        data = whole[: random.integers(len(whole)) if random.random() < 0.3 else None]
        for offset in random.integers(0, max(1, len(data)), 3):
            data[offset : offset + 1] = bytes([random.integers(256)])
        try:
            assert wire.image(wire.parse_response(bytes(data)), 5, 7).shape == (5, 7, 3)
        except ServingError as error:
            assert error.code == "WRONG_RESPONSE"
