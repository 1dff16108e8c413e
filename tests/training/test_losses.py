import math

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.training import losses


def test_zero_logits_cost_log_two_for_each_side():
    assert losses.discriminator(tf.zeros([2, 3, 3, 1]), tf.zeros([5, 1])).numpy() == pytest.approx(2 * math.log(2))
    assert losses.generator(tf.zeros([2, 3, 3, 1])).numpy() == pytest.approx(math.log(2))


def test_losses_are_the_logarithms_of_probabilities():
    # Logits of log 3 and -log 3 are probabilities of 3/4 and 1/4.
    real, fake = tf.constant([math.log(3), 0.0]), tf.constant([[-math.log(3)], [math.log(3)]])
    by_hand = -(math.log(3 / 4) + math.log(1 / 2)) / 2 - (math.log(3 / 4) + math.log(1 / 4)) / 2
    assert losses.discriminator(real, fake).numpy() == pytest.approx(by_hand, rel=1e-6)
    assert losses.generator(fake).numpy() == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2, rel=1e-6)


@pytest.mark.parametrize("logit", [200.0, 1e6, 1e30])
def test_losses_of_large_logits_are_finite_and_so_are_their_gradients(logit):
    real, fake = tf.constant([-logit]), tf.constant([logit])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d_loss, g_loss = losses.discriminator(real, fake), losses.generator(-fake)
    assert d_loss.numpy() == pytest.approx(2 * logit)
    assert g_loss.numpy() == pytest.approx(logit)
    np.testing.assert_array_equal(tape.gradient(d_loss, [real, fake]), [[-1], [1]])
    np.testing.assert_array_equal(tape.gradient(g_loss, fake), [1])


def test_a_discriminator_that_is_right_has_no_loss():
    assert losses.discriminator(tf.constant([300.0]), tf.constant([-300.0])).numpy() == 0
    assert losses.generator(tf.constant([300.0])).numpy() == 0


def test_a_confident_discriminator_still_gives_the_generator_a_gradient():
    # The non-saturating loss: log(1 - D) would have no gradient here.
    fake = tf.constant([-50.0])
    with tf.GradientTape() as tape:
        tape.watch(fake)
        loss = losses.generator(fake)
    assert tape.gradient(loss, fake).numpy() == pytest.approx([-1])


def test_the_penalty_is_half_the_mean_squared_norm():
    gradient = np.zeros((2, 2, 1, 3), np.float32)
    gradient[0, 0, 0] = [1, 2, 0]  # squared norm 5
    gradient[1, :, 0, 1] = [3, -1]  # squared norm 10
    assert losses.gradient_penalty(tf.constant(gradient)).numpy() == pytest.approx((5 + 10) / 4)


def test_the_penalty_of_a_linear_discriminator_shrinks_its_weights():
    # Score: the mean over 2 x 4 pixels of w . x. Its gradient at each pixel is w / 8, so the
    # penalty is |w|^2 / 16 whatever the picture, and its own gradient w / 8.
    weights = tf.Variable([1.0, -2.0, 4.0])
    real = tf.random.stateless_normal([3, 2, 4, 3], [1, 2])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(real)
            scores = tf.reduce_sum(tf.reduce_mean(tf.tensordot(real, weights, 1), axis=(1, 2)))
        penalty = losses.gradient_penalty(inner.gradient(scores, real))
    assert penalty.numpy() == pytest.approx(21 / 16)
    np.testing.assert_allclose(outer.gradient(penalty, weights), [1 / 8, -2 / 8, 4 / 8], rtol=1e-6)
