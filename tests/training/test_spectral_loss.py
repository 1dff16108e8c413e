import math

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.evaluation import texture_features, texture_metrics
from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.procedural import catalogue
from tf_psgan.training.spectral import block_statistics, spectral_loss

SIDE = 64
NO_SHIFT = tf.constant([0, 0])


def crops(name, seed, side=SIDE, count=8):
    picture = catalogue.make(name, seed, side + 192, side + 192).astype(np.float32) / 127.5 - 1
    return np.stack([picture[r : r + side, c : c + side] for r in (3, 90) for c in (0, 40, 77, 130)][:count])


def measure(pictures, per_image=False):
    return spectral_loss.measure(pictures, NO_SHIFT, per_image)


def far(a, b):
    measured = [measure(pictures) for pictures in (a, b)]
    return spectral_loss.distance(*measured, a.shape[1])


def part(measured, which, side=SIDE):
    """A part of [groups, statistics]: half octaves, frequencies of luminance, of colour, colours, small blocks."""
    small = len(block_statistics.weights(side))
    ends = [*(np.flatnonzero(np.diff(spectral_loss.weights(side)[:-small])) + 1), -small]
    return np.split(np.array(measured), ends, axis=1)[which]


def pseudo_huber(difference):
    return np.hypot(difference, 0.1) - 0.1


def test_the_same_pictures_have_no_distance():
    assert far(crops("brick", 1), crops("brick", 1)).numpy() == 0


def test_half_the_contrast_is_two_log_two_in_every_bin_and_at_every_frequency():
    pictures = np.random.default_rng(0).normal(0, 0.3, (8, SIDE, SIDE, 3)).astype(np.float32)
    pictures -= pictures.mean(axis=(0, 1, 2))
    own, half = measure(pictures), measure(pictures / 2)
    for which in (0, 1, 2):
        np.testing.assert_allclose(part(own, which) - part(half, which), 2 * math.log(2), rtol=0.02)
    # The colours' variances are half of their statistics, the logarithms 38 of 41 of a block's; means are nearly zero.
    by_hand = (2.5 + spectral_loss.COLOUR_WEIGHT + 38 / 41) * pseudo_huber(2 * math.log(2))
    assert far(pictures, pictures / 2).numpy() == pytest.approx(by_hand, rel=0.01)


def test_a_shift_of_colour_has_a_distance():
    pictures = crops("brick", 1)
    redder = pictures + np.array([0.2, 0, 0], np.float32)
    share = 3 / 6 + 3 / 41  # three means of six statistics, and of a block's 41
    by_hand = share * np.mean(pseudo_huber(5 * 0.2 * np.array([0.299, 0.5, -0.25])))
    assert far(pictures, redder).numpy() == pytest.approx(by_hand, rel=0.02)


def test_the_power_of_blocks_is_that_of_white_noise():
    deviation = 0.2
    grey = np.random.default_rng(1).normal(0, deviation, (64, SIDE, SIDE, 1)).astype(np.float32).repeat(3, axis=3)
    measured = measure(grey)
    for which in (0, 1):
        np.testing.assert_allclose(part(measured, which).mean(), math.log(deviation**2), atol=0.05)


@pytest.mark.parametrize("side", [16, 33, 64])
def test_crops_of_any_side_are_measured_alone_and_as_one_batch(side):
    pictures = crops("weave", 1, side)
    alone = measure(pictures, per_image=True)
    assert alone.shape == (len(pictures), len(spectral_loss.weights(side)))
    one_by_one = np.concatenate([measure(pictures[i : i + 1]) for i in range(len(pictures))])
    np.testing.assert_allclose(alone, one_by_one, atol=1e-3)
    as_one = measure(pictures)
    for which in (1, 2):
        one_by_one = np.exp(part(alone, which, side)).mean(0, keepdims=True)
        np.testing.assert_allclose(np.exp(part(as_one, which, side)), one_by_one, rtol=0.01)


def test_the_highest_frequencies_have_a_distance():
    board = 0.1 * np.where(np.indices((SIDE, SIDE)).sum(0) % 2, 1, -1)[..., np.newaxis].astype(np.float32)
    own = crops("honeycomb", 1)
    assert far(own, own + board).numpy() > 0.05


def test_coloured_specks_have_a_distance():
    own = crops("honeycomb", 1)
    speckles = np.random.default_rng(0).normal(0, 0.02, (*own.shape[:3], 1)).astype(np.float32)
    speckled = own + speckles * np.array([1, -0.299 / 0.587, 0], np.float32)  # of the same luminance
    assert far(own, speckled).numpy() > 10 * far(own, own + 0.001).numpy() and far(own, speckled).numpy() > 0.1


def test_other_windows_of_a_texture_are_nearer_than_other_textures_and_than_blurred_ones():
    own = crops("honeycomb", 1)
    again = far(own, crops("honeycomb", 2)).numpy()
    blurred = tf.nn.avg_pool2d(own, 3, 1, "SAME").numpy()
    assert again < 0.4 * far(own, blurred).numpy()
    assert again < 0.4 * far(own, crops("pebbles", 1)).numpy()


def test_the_discriminator_hardly_sees_contrast_and_the_spectral_loss_does():
    pictures = crops("honeycomb", 1)
    discriminator = PatchDiscriminator((8, 16, 16), dtype="float32")
    scores, fainter = discriminator(pictures), discriminator(0.5 * pictures)
    assert np.abs(scores - fainter).max() < 0.1 * np.abs(scores).max()  # not 0: batch norm adds to the variance
    assert far(pictures, 0.5 * pictures).numpy() > 1


def test_gradients_are_finite_for_flat_pictures_and_shrink_the_distance():
    wanted, fake = measure(crops("water", 1)), tf.Variable(tf.zeros((8, SIDE, SIDE, 3)))
    with tf.GradientTape() as tape:
        first = spectral_loss.distance(wanted, measure(fake), SIDE)
    assert np.isfinite(tape.gradient(first, fake)).all()
    fake.assign(tf.random.stateless_uniform(fake.shape, (1, 2), -0.3, 0.3))
    adam = tf.keras.optimizers.Adam(0.01)
    adam.build([fake])
    before = spectral_loss.distance(wanted, measure(fake), SIDE).numpy()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = spectral_loss.distance(wanted, measure(fake), SIDE)
        adam.apply_gradients([(tape.gradient(loss, fake), fake)])
        return loss

    for _ in range(100):
        loss = step()
    assert loss.numpy() < 0.2 * before


def assign(record, updated):
    for variable, value in zip((record.batches, record.mean), updated, strict=True):
        variable.assign(value)


def test_the_running_mean_starts_as_a_plain_mean_and_then_decays():
    statistics = 5
    record = spectral_loss.RunningMean(statistics)
    given = np.random.default_rng(0).normal(size=(250, statistics)).astype(np.float32)
    for i, row in enumerate(given):
        before = record.mean.numpy()
        updated = record.with_batch(tf.constant(row[np.newaxis]))
        np.testing.assert_array_equal(record.mean, before)  # nothing changes before `assign`
        assign(record, updated)
        if i < 100:
            np.testing.assert_allclose(record.mean[0], given[: i + 1].mean(0), atol=1e-5)
    assert record.batches.numpy() == 250
    by_hand = given[:100].mean(0)
    for row in given[100:]:
        by_hand += 0.01 * (row - by_hand)
    np.testing.assert_allclose(record.mean[0], by_hand, atol=1e-5)


def test_each_class_has_its_own_running_mean():
    record = spectral_loss.RunningMean(7, classes=3)
    rows = np.arange(4, dtype=np.float32)[:, np.newaxis].repeat(7, axis=1)
    assign(record, record.with_batch(tf.constant(rows), tf.constant([2, 0, 2, 0], tf.int64)))
    np.testing.assert_allclose(record.mean[:, 0], [2, 0, 1])
    np.testing.assert_array_equal(record.batches, [1, 0, 1])


def test_it_ranks_two_images_as_the_metric_does():
    own = crops("honeycomb", 1, 128)
    near, faint = own * 0.95, own * 0.8
    as_bytes = [np.rint((batch + 1) * 127.5).clip(0, 255).astype(np.uint8) for batch in (own, near, faint)]
    known, *others = (texture_features.features(list(batch)) for batch in as_bytes)
    assert texture_metrics.log_spectrum_distance(known, others[0]) < texture_metrics.log_spectrum_distance(
        known, others[1]
    )
    assert far(own, near) < far(own, faint)
