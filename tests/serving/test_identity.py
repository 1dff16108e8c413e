"""What a server sends with a picture says which content made it; and requests that other clients write differently."""

import numpy as np
import pytest

from tests.support.fake_server import HANG
from tests.support.small_server import PREDICT, WINDOW, export, predict, request, running, status
from tf_psgan_serving import wire


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    export(folder / "tiny")
    with running(folder) as (_, channel):
        yield channel


def test_every_response_carries_the_identity_of_its_version(channel):
    call = channel.unary_unary(PREDICT)
    described = wire.parse_response(call(wire.predict_request("tiny", 0, "describe", {}), timeout=HANG))
    _, ended = call.with_call(request().SerializeToString(), timeout=HANG)
    assert dict(ended.trailing_metadata())[wire.IDENTITY] == wire.description(described)["identity"]


def test_a_scalar_of_shape_1_and_version_0_are_accepted(channel):
    """As ovmsclient and other clients without scalars send them."""
    wanted = predict(channel, request())
    asked = request(version=0)
    for proto in asked.inputs.values():
        proto.tensor_shape.dim.add(size=1)
    np.testing.assert_array_equal(predict(channel, asked)["image"], wanted["image"])
    asked.inputs["seed"].tensor_shape.dim.add(size=1)
    assert "seed: has shape [1, 1]; the signature takes []" in status(channel, asked)[1]


def test_the_limits_hold_for_scalars_of_shape_1(channel):
    asked = request(**WINDOW | {"height": 10**6})
    asked.inputs["height"].tensor_shape.dim.add(size=1)
    assert status(channel, asked) == (
        "INVALID_ARGUMENT",
        "height: 1000000 is outside 1 .. 8192; choose a value inside.",
    )
