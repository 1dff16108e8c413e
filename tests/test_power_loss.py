import math

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan import made_textures, metrics, power_loss
from tf_psgan.config import ModelConfig
from tf_psgan.discriminator import PatchDiscriminator

SIDE = 64


def crops(name, seed, side=SIDE, count=8):
    picture = made_textures.make(name, seed, 4 * side, 4 * side).astype(np.float32) / 127.5 - 1
    return np.stack([picture[r : r + side, c : c + side] for r in (3, 90) for c in (0, 40, 77, 130)][:count])


def test_the_same_pictures_have_no_distance():
    assert power_loss.distance(crops("brick", 1), crops("brick", 1)).numpy() == 0


def test_half_the_contrast_is_two_log_two_apart_in_every_bin():
    pictures = np.random.default_rng(0).normal(0, 0.3, (8, SIDE, SIDE, 3)).astype(np.float32)
    pictures -= pictures.mean(axis=(0, 1, 2))
    # The colours' variances are half of their figures; their means are zero on both sides.
    assert power_loss.distance(pictures, pictures / 2).numpy() == pytest.approx(1.5 * (2 * math.log(2)) ** 2, rel=0.01)


def test_a_shift_of_colour_is_seen():
    pictures = crops("brick", 1)
    redder = pictures + np.array([0.2, 0, 0], np.float32)
    by_hand = np.mean(np.square(5 * 0.2 * np.array([0.299, 0.5, -0.25]))) / 2  # three means of six figures
    assert power_loss.distance(pictures, redder).numpy() == pytest.approx(by_hand, rel=0.02)


@pytest.mark.parametrize("side", [32, 160])
def test_every_bin_has_its_frequencies(side):
    bin_of, counts = power_loss.bins(side)
    np.testing.assert_array_equal(np.bincount(bin_of, minlength=len(counts)), counts)
    assert counts.min() >= 1 and len(bin_of) == side * (side // 2 + 1)
    assert bin_of[0] == len(counts) - 1  # the mean is left out


def test_a_wave_lies_in_the_bin_of_its_frequency_and_direction():
    row, col = np.mgrid[:SIDE, :SIDE]
    for down, across in ((8, 0), (0, 8), (6, 6), (-6, 6)):
        wave = 0.5 * np.cos(2 * np.pi * (down * row + across * col) / SIDE)
        spectrum = np.abs(np.fft.rfft2(wave * np.outer(np.hanning(SIDE), np.hanning(SIDE)))) ** 2
        bin_of, counts = power_loss.bins(SIDE)
        totals = np.bincount(bin_of, spectrum.ravel(), len(counts))
        assert totals.argmax() == bin_of[(down % SIDE) * (SIDE // 2 + 1) + across]


def test_other_windows_of_a_texture_are_nearer_than_other_textures_and_than_blurred_ones():
    own = crops("honeycomb", 1)
    again = power_loss.distance(own, crops("honeycomb", 2)).numpy()
    blurred = tf.nn.avg_pool2d(own, 3, 1, "SAME")
    assert again < 0.2 * power_loss.distance(own, blurred).numpy()
    assert again < 0.2 * power_loss.distance(own, crops("pebbles", 1)).numpy()


def test_the_discriminator_is_blind_to_contrast_and_this_loss_is_not():
    pictures = tf.constant(crops("honeycomb", 1))
    critic = PatchDiscriminator(ModelConfig(critic_filters=(8, 16, 16)), dtype="float32")
    scores, fainter = critic(pictures), critic(0.5 * pictures)
    assert np.abs(scores - fainter).max() < 0.1 * np.abs(scores).max()  # not 0: batch norm adds to the variance
    assert power_loss.distance(pictures, 0.5 * pictures).numpy() > 1


def test_gradients_are_finite_for_flat_pictures_and_shrink_the_distance():
    real, fake = tf.constant(crops("water", 1)), tf.Variable(tf.zeros((8, SIDE, SIDE, 3)))
    with tf.GradientTape() as tape:
        first = power_loss.distance(real, fake)
    assert np.isfinite(tape.gradient(first, fake)).all()
    fake.assign(tf.random.stateless_uniform(fake.shape, (1, 2), -0.3, 0.3))
    adam = tf.keras.optimizers.Adam(0.01)
    before = power_loss.distance(real, fake).numpy()
    for _ in range(100):
        with tf.GradientTape() as tape:
            loss = power_loss.distance(real, fake)
        adam.apply_gradients([(tape.gradient(loss, fake), fake)])
    assert loss.numpy() < 0.1 * before


def test_it_agrees_with_the_metric_on_which_of_two_is_nearer():
    own = crops("honeycomb", 1, 128)
    near, far = own * 0.95, own * 0.8
    as_bytes = [np.rint((batch + 1) * 127.5).clip(0, 255).astype(np.uint8) for batch in (own, near, far)]
    known, *others = (metrics.features(list(batch)) for batch in as_bytes)
    assert metrics.log_spectrum_distance(known, others[0]) < metrics.log_spectrum_distance(known, others[1])
    assert power_loss.distance(own, near) < power_loss.distance(own, far)
