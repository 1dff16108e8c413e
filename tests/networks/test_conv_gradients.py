import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.networks.kernels import conv_gradients

CASES = [(5, 2, "SAME", 20, 20), (5, 2, "SAME", 17, 9), (3, 1, "VALID", 14, 14), (3, 1, "VALID", 9, 12)]


def normal(shape, dtype=tf.float32, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def derivatives(convolve, x, kernel, order):
    """Of a sum of squares, or of the squared norm of its gradient by x."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = tf.reduce_sum(tf.sin(convolve(x, kernel)))
        if order == 2:
            value = tf.reduce_sum(inner.gradient(value, x) ** 2)
    return outer.gradient(value, [x, kernel])


@pytest.fixture
def everywhere(monkeypatch):
    """The matrix product for every type and size."""
    monkeypatch.setattr(conv_gradients, "_is_faster", lambda *_: True)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("side, stride, padding, rows, cols", CASES)
def test_value_and_gradients_are_those_of_tensorflow(everywhere, side, stride, padding, rows, cols, order):
    x, kernel = normal((3, rows, cols, 4)), 0.1 * normal((side, side, 4, 6), seed=1)

    def ours(x, kernel):
        return conv_gradients.convolve(x, kernel, stride, padding)

    def theirs(x, kernel):
        return tf.nn.conv2d(x, kernel, stride, padding)

    np.testing.assert_array_equal(ours(x, kernel), theirs(x, kernel))
    pairs = zip(derivatives(ours, x, kernel, order), derivatives(theirs, x, kernel, order), strict=True)
    for mine, expected in pairs:
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4)


def test_in_bfloat16_within_its_precision():
    x, kernel = normal((8, 20, 20, 16), tf.bfloat16), normal((5, 5, 16, 32), tf.bfloat16, 1) * 0.05
    fine = (tf.cast(value, tf.float32) for value in (x, kernel))
    exact = derivatives(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), *fine, 1)
    ours = derivatives(lambda x, k: conv_gradients.convolve(x, k, 2, "SAME"), x, kernel, 1)
    for mine, expected in zip(ours, exact, strict=True):
        error = np.linalg.norm(tf.cast(mine, tf.float32) - expected) / np.linalg.norm(expected)
        assert error < 0.02


@pytest.mark.parametrize("side, stride, padding, rows, cols", CASES)
def test_patches_are_what_a_convolution_sees(side, stride, padding, rows, cols):
    x, kernel = normal((2, rows, cols, 3)), normal((side, side, 3, 5), seed=1)
    y = conv_gradients.patches(x, side, stride, padding) @ tf.reshape(kernel, (-1, 5))
    expected = tf.nn.conv2d(x, kernel, stride, padding)
    np.testing.assert_allclose(tf.reshape(y, expected.shape), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "dtype, cols, faster",
    [("bfloat16", 24, True), ("bfloat16", 26, False), ("float32", 24, False), ("bfloat16", None, False)],
)
def test_only_narrow_bfloat16_of_known_shape_is_a_matrix_product(dtype, cols, faster):
    x = keras.Input((24, cols, 8), dtype=dtype)
    assert conv_gradients._is_faster(x, 5, 2, "SAME") is (faster and not tf.config.list_physical_devices("GPU"))
