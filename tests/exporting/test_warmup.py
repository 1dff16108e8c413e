"""Warm-up requests: one for each signature, in the format of TensorFlow Serving, each answered."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.support import tiny
from tests.support.small_export import exported
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Limits
from tf_psgan.exporting.warmup import requests
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane


@pytest.fixture(scope="module")
def logs():
    file = exported()[1] / "assets.extra" / "tf_serving_warmup_requests"
    return [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset([str(file)])]


def test_warm_up_requests_each_signature_once(logs):
    with SessionModel(exported()[1]) as model:
        assert sorted(log.predict_log.request.model_spec.signature_name for log in logs) == sorted(model.signatures)
        for log in logs:
            asked = log.predict_log.request
            signature = model.signatures[asked.model_spec.signature_name]
            for name, value in asked.inputs.items():
                assert value.dtype == signature.inputs[name].dtype
            inputs = {name: tf.make_ndarray(value) for name, value in asked.inputs.items()}
            assert asked.model_spec.name == "small"
            assert np.size(model.run(asked.model_spec.signature_name, **inputs)) > 0


def test_the_warm_up_tile_fits_the_waves():
    plane = TexturePlane(fold(tiny.generator(waves=1, global_channels=3)))
    found = requests(plane.folded, Limits())["torus"]
    assert plane.tile(**found).shape == (found["height"], found["width"], 3)


def test_warm_up_requests_are_valid_for_the_model_and_its_limits():
    single, limits = requests(fold(tiny.generator()), Limits()), Limits(side=20, pixels=300)
    assert not {"morph", "morph_png", "morph_jpeg"} & single.keys()
    small = requests(fold(tiny.generator(global_channels=3)), limits)
    assert {asked["height"] * asked["width"] <= 300 for name, asked in small.items() if "height" in asked} == {True}
