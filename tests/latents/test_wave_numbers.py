"""The wave numbers of textures: the same bits eagerly, in a graph, and in any batch."""

import functools
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.latents import noise, wave_numbers

CHANNELS, HIDDEN, WAVES = 7, 13, 5
RANDOM = np.random.default_rng(0)
MLP = [
    RANDOM.normal(0, 1, shape).astype(np.float32)
    for shape in ((CHANNELS, HIDDEN), (HIDDEN,), (HIDDEN, 2 * WAVES), (2 * WAVES,))
]
CONFIG = tiny.model_config(global_channels=CHANNELS, waves=WAVES)


def in_order(vector):
    """The MLP in Python's floats, each sum from the first term to the last."""
    kernel, bias, out, out_bias = (part.astype(np.float64) for part in MLP)

    def layer(values, kernel, bias):
        columns = ([float(v * w) for v, w in zip(values, column, strict=True)] for column in kernel.T)
        return [functools.reduce(lambda a, b: a + b, terms) + float(b) for terms, b in zip(columns, bias, strict=True)]

    hidden = [max(value, 0.0) for value in layer(vector.astype(np.float64), kernel, bias)]
    numbers = layer(np.array(hidden), out, out_bias)
    return np.array([round(number * (2.0**32 / (2.0 * np.pi))) for number in numbers]).reshape(WAVES, 2)


def test_the_mlp_equals_float64_sums_in_order():
    vectors = noise.global_vector(tf.range(50, dtype=tf.int64), CHANNELS)
    found = wave_numbers.of_textures(CONFIG, MLP, vectors)
    assert found.dtype == tf.int64 and found.shape == (50, WAVES, 2)
    np.testing.assert_array_equal(found, [in_order(vector) for vector in vectors.numpy()])


def test_wave_numbers_do_not_depend_on_graph_or_batch():
    vectors = noise.global_vector(tf.range(200, dtype=tf.int64), CHANNELS)
    whole = wave_numbers.of_textures(CONFIG, MLP, vectors).numpy()
    weights = [tf.Variable(part) for part in MLP]
    graph = tf.function(lambda vectors: wave_numbers.of_textures(CONFIG, weights, vectors))
    np.testing.assert_array_equal(graph(vectors), whole)
    for i in (0, 7, 199):
        np.testing.assert_array_equal(wave_numbers.of_textures(CONFIG, MLP, vectors[i : i + 1])[0], whole[i])


def test_a_table_of_wave_numbers_is_rounded_to_the_grid():
    table = np.array([[0.5, -1.25], [3.0, 0.0]], np.float32)
    config = tiny.model_config(waves=2)
    found = wave_numbers.of_textures(config, [table], np.zeros((3, 0), np.float32)).numpy()
    exact = [[round(Fraction(float(number)) / Fraction(2 * np.pi) * 2**32) for number in wave] for wave in table]
    np.testing.assert_array_equal(found, [exact] * 3)


@pytest.mark.parametrize("changes", [{}, {"global_channels": CHANNELS}])
def test_axis_waves_alternate_between_rows_and_columns(changes):
    config = tiny.model_config(waves=WAVES, wave_angles="axis", **changes)
    weights = MLP if changes else [RANDOM.normal(0, 1, (WAVES, 2)).astype(np.float32)]
    vectors = np.ones((1, config.global_channels), np.float32)
    found = wave_numbers.of_textures(config, weights, vectors)[0].numpy()
    every = wave_numbers.of_textures(tiny.model_config(waves=WAVES, **changes), weights, vectors)[0].numpy()
    along_rows = np.arange(WAVES) % 2 == 0
    np.testing.assert_array_equal(found[:, 0], np.where(along_rows, every[:, 0], 0))
    np.testing.assert_array_equal(found[:, 1], np.where(along_rows, 0, every[:, 1]))


def test_a_model_without_waves_has_no_wave_numbers():
    config = tiny.model_config(waves=0, global_channels=CHANNELS)
    assert wave_numbers.of_textures(config, [], np.zeros((4, CHANNELS), np.float32)).shape == (4, 0, 2)
