"""What a request costs, and which descriptions say so."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan_serving.server import cost
from tf_psgan_serving.server.version import _parse_description

WINDOW = {name: tf.make_tensor_proto(value, tf.int32) for name, value in (("height", 20), ("width", 30))}


def test_a_window_costs_its_pixels_times_the_models_cost_per_pixel():
    assert cost.pixels(WINDOW, {}) == 600
    assert cost.pixels(WINDOW, {"cost_per_pixel": 4.5}) == 2700


def test_the_network_alone_costs_its_pixels():
    latents = {"latents": tf.make_tensor_proto(np.zeros((1, 5, 6, 2), np.float32))}
    assert cost.pixels(latents, {"cost_per_pixel": 4.5, "pixels_per_cell": 8}) == 5 * 6 * 8**2


@pytest.mark.parametrize("value", [0.5, -1, "3", None, True, float("nan"), float("inf")])
def test_a_description_with_an_impossible_cost_is_refused(value):
    with pytest.raises(ValueError, match="cost_per_pixel"):
        _parse_description(json.dumps({"cost_per_pixel": value}).encode())
