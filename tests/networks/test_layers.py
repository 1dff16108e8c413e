import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.networks import layers, operations


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def layer(kernel_size=6, use_batch_norm=True, filters=4, fan_in=3, dtype="float32"):
    """A layer none of whose weights is what a new layer has."""
    built = layers.UpConvolution(filters, kernel_size, use_batch_norm, dtype=dtype)
    built.build((None, None, None, fan_in))
    for i, variable in enumerate(built.variables):
        variable.assign(normal(variable.shape, 10 + i))
    if use_batch_norm:
        built.variance.assign(np.linspace(0.2, 3, filters))
    return built


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("mixed_bfloat16", 0.15)])
@pytest.mark.parametrize("rows, cols", [(3, 3), (4, 7), (5, 3)])
@pytest.mark.parametrize("kernel", [5, 6])
def test_it_is_the_interior_of_a_transposed_convolution(kernel, rows, cols, dtype, tolerance):
    up, x = layer(kernel, use_batch_norm=False, dtype=dtype), normal((2, rows, cols, 3))
    # Full output 2 n + kernel - 2; the outputs below 4 and from 2 n on miss an input beyond the edge.
    full = keras.ops.conv_transpose(x, keras.ops.swapaxes(up.kernel, 2, 3), strides=2, padding="valid") + up.bias
    assert full.shape == (2, 2 * rows + kernel - 2, 2 * cols + kernel - 2, 4)
    found = up(x)
    assert found.shape == (2, 2 * rows - 4, 2 * cols - 4, 4)
    np.testing.assert_allclose(keras.ops.cast(found, "float32"), full[:, 4 : 2 * rows, 4 : 2 * cols], atol=tolerance)


def test_an_input_reaches_six_by_six_outputs_through_the_kernel():
    up = layer(use_batch_norm=False, filters=1, fan_in=1)
    up.bias.assign([0.0])
    x = np.zeros((1, 7, 7, 1), np.float32)
    x[0, 3, 4] = 2.0
    expected = np.zeros((10, 10), np.float32)
    expected[2:8, 4:10] = 2 * up.kernel.numpy()[..., 0, 0]  # from 2 (3 - 2) and 2 (4 - 2)
    np.testing.assert_allclose(up(x)[0, ..., 0], expected, atol=1e-6)


def test_depth_to_space_lays_out_phases_in_reading_order():
    # Two cells beside each other, each with four phases of two channels.
    cells = np.array([[0, 1, 2, 3], [10, 11, 12, 13]], np.float32)
    pixels = operations.depth_to_space(np.stack([cells, -cells], axis=-1).reshape(1, 1, 2, 8))
    np.testing.assert_array_equal(pixels[0, ..., 0], [[0, 1, 10, 11], [2, 3, 12, 13]])
    np.testing.assert_array_equal(pixels[0, ..., 1], [[0, -1, -10, -11], [-2, -3, -12, -13]])


def test_moments_by_hand():
    x = np.array([[[[1.0, 5.0], [3.0, 5.0]], [[1.0, 5.0], [7.0, 5.0]]]], np.float32)
    mean, variance = operations.batch_moments(x)
    np.testing.assert_allclose(mean, [3, 5])
    np.testing.assert_allclose(variance, [6, 0])  # (4 + 0 + 4 + 16) / 4


def test_scale_and_shift_by_hand():
    variance = np.array([4.0, 0.25, -1e-9], np.float32) - np.array(
        [operations.EPSILON, operations.EPSILON, 0], np.float32
    )
    gamma, beta, mean = (np.array(v, np.float32) for v in ([6, 1, 1], [1, 0, 0], [2, 3, 0]))
    scale, shift = operations.scale_and_shift(gamma, beta, mean, variance)
    # A variance that rounding made negative counts as zero.
    np.testing.assert_allclose(scale, [3, 2, operations.EPSILON**-0.5], rtol=1e-5)
    np.testing.assert_allclose(shift, [-5, -6, 0], rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("bfloat16", 0.02)])
def test_batch_norm_gives_each_channel_the_deviation_gamma_around_beta(dtype, tolerance, fused):
    x = tf.cast(7 + 3 * normal((4, 6, 5, 3)), dtype)
    gamma, beta = tf.constant([2.0, 0.5, -1.0]), tf.constant([0.0, -1.0, 3.0])
    y = operations.batch_normalise(x, gamma, beta, fused)
    assert y.dtype == dtype
    y = tf.cast(y, tf.float32).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), beta, atol=tolerance)
    np.testing.assert_allclose(y.std((0, 1, 2)), np.abs(gamma), rtol=tolerance)
    # A negative gamma turns the channel round.
    assert np.corrcoef(tf.cast(x, tf.float32).numpy()[..., 2].ravel(), y[..., 2].ravel())[0, 1] < -0.99


@pytest.mark.parametrize("order", [1, 2])
def test_the_fused_batch_norm_has_the_derivatives_of_the_formula(order):
    x, gamma, beta = normal((2, 4, 4, 3)), tf.Variable([1.0, 0.5, 2.0]), tf.Variable([0.0, 0.1, 0.2])

    def derivatives(fused):
        at = tf.Variable(x)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = tf.reduce_sum(tf.sin(operations.batch_normalise(at, gamma, beta, fused)))
            if order == 2:
                value = tf.reduce_sum(inner.gradient(value, at) ** 2)
        return outer.gradient(value, [at, gamma, beta]) if order == 2 else inner.gradient(value, [at, gamma, beta])

    for fused, plain in zip(derivatives(True), derivatives(False), strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-3, atol=1e-4)


def test_in_training_the_batch_normalises_and_stored_statistics_do_not_matter():
    up, x = layer(), normal((3, 8, 8, 3))
    before = up(x, training=True).numpy()
    np.testing.assert_allclose(before.mean((0, 1, 2)), up.beta, atol=1e-4)
    np.testing.assert_allclose(before.std((0, 1, 2)), np.abs(up.gamma.numpy()), rtol=1e-3)
    up.mean.assign(up.mean + 5.0)
    up.variance.assign(up.variance * 9.0)
    np.testing.assert_array_equal(up(x, training=True), before)


@pytest.mark.parametrize("kernel", [5, 6])
def test_the_folded_form_is_the_formula_with_stored_statistics(kernel):
    up, x = layer(kernel), normal((2, 5, 6, 3))
    full = keras.ops.conv_transpose(x, keras.ops.swapaxes(up.kernel, 2, 3), strides=2, padding="valid")
    raw = full[:, 4:10, 4:12].numpy()
    root = np.sqrt(up.variance.numpy() + operations.EPSILON)
    expected = (raw - up.mean.numpy()) / root * up.gamma.numpy() + up.beta.numpy()
    np.testing.assert_allclose(up(x, training=False), expected, atol=2e-5)
    np.testing.assert_allclose(operations.convolve(x, *up.folded()), expected, atol=2e-5)


def test_moments_are_those_that_training_normalises_with():
    up, x = layer(), normal((2, 5, 6, 3))
    trained = up(x, training=True)
    mean, variance = up.moments(x)
    up.mean.assign(mean)
    up.variance.assign(variance)
    np.testing.assert_allclose(up(x, training=False), trained, atol=1e-4)


def test_training_changes_no_statistics():
    up, x = layer(), normal((2, 5, 6, 3))
    before = [variable.numpy() for variable in up.non_trainable_variables]
    up(x, training=True)
    assert len(before) == 2
    for old, variable in zip(before, up.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_variables_stay_float32_under_bfloat16():
    up = layer(dtype="mixed_bfloat16")
    assert {variable.dtype for variable in up.variables} == {"float32"}
    assert up(normal((1, 4, 4, 3))).dtype == "bfloat16"


@pytest.mark.parametrize("use_batch_norm", [True, False])
def test_a_layer_is_restored_from_its_config(use_batch_norm):
    up = layers.UpConvolution(
        7, kernel_size=5, use_batch_norm=use_batch_norm, seed=3, name="up_9", dtype="mixed_bfloat16"
    )
    again = keras.layers.deserialize(keras.layers.serialize(up))
    assert isinstance(again, layers.UpConvolution)
    assert again.get_config() == up.get_config()
    for twin in (up, again):
        twin.build((None, None, None, 2))
    for a, b in zip(up.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)  # the seed came back too


def test_an_initial_kernel_of_six_doubles_each_pixel():
    layer = layers.UpConvolution(2, kernel_size=6, use_batch_norm=False, seed=3)
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 5, 6, 4)), tf.float32)
    y = layer(x).numpy()
    np.testing.assert_allclose(y[:, ::2, ::2], y[:, 1::2, 1::2], atol=1e-6)
    np.testing.assert_allclose(y[:, ::2, ::2], y[:, ::2, 1::2], atol=1e-6)
    assert np.std(y) > 0.01


@pytest.mark.parametrize("rows, cols", [(4, 4), (5, 9)])
@pytest.mark.parametrize("kernel", [5, 6])
def test_across_phases_it_is_the_convolution_of_the_pixels(kernel, rows, cols):
    first, last = layer(kernel), layer(kernel, use_batch_norm=False, filters=3, fan_in=4)
    x = normal((2, rows, cols, 3))
    expected = operations.convolve(operations.convolve(x, *first.folded(), relu=True), *last.folded())
    found = operations.convolve_across(operations.convolve_to_phases(x, *first.folded()), *last.folded())
    assert found.shape == (2, 4 * rows - 12, 4 * cols - 12, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
