import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.networks.kernels import relu_gradients


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_values_and_gradients_are_those_of_tensorflow(dtype, slope):
    x = tf.cast(np.concatenate([[0.0], np.random.default_rng(0).normal(size=999)]).reshape(10, 100), dtype)

    def derivative(rectify):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = rectify(x)
            value = tf.reduce_sum(tf.sin(y))
        return y, tape.gradient(value, x)

    expected = derivative(lambda x: tf.nn.leaky_relu(x, slope) if slope else tf.nn.relu(x))
    for ours, theirs in zip(derivative(lambda x: relu_gradients.rectify(x, slope)), expected, strict=True):
        np.testing.assert_array_equal(tf.cast(ours, tf.float32), tf.cast(theirs, tf.float32))


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_the_gradient_has_a_gradient(dtype):
    x = tf.Variable(tf.cast([-2.0, 0.5, 3.0], dtype))
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            value = tf.reduce_sum(relu_gradients.rectify(x, 0.25) ** 2)
        slope = inner.gradient(value, x)  # 2 x slope**2
    np.testing.assert_array_equal(tf.cast(slope, tf.float32), [-0.25, 1.0, 6.0])
    np.testing.assert_array_equal(tf.cast(outer.gradient(slope, x), tf.float32), [0.125, 2.0, 2.0])
