import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.training.spectral import power_spectra

SIDE = 64


@pytest.mark.parametrize("side", [32, 160])
def test_every_bin_has_its_frequencies(side):
    bin_of, counts = power_spectra.bins(side)
    np.testing.assert_array_equal(np.bincount(bin_of, minlength=len(counts)), counts)
    assert counts.min() >= 1 and len(bin_of) == side * (side // 2 + 1)
    assert bin_of[0] == len(counts) - 1  # the mean is left out


def test_a_wave_lies_in_the_bin_of_its_frequency_and_direction():
    row, col = np.mgrid[:SIDE, :SIDE]
    for down, across in ((8, 0), (0, 8), (6, 6), (-6, 6)):
        wave = 0.5 * np.cos(2 * np.pi * (down * row + across * col) / SIDE)
        spectrum = np.abs(np.fft.rfft2(wave * np.outer(np.hanning(SIDE), np.hanning(SIDE)))) ** 2
        bin_of, counts = power_spectra.bins(SIDE)
        totals = np.bincount(bin_of, spectrum.ravel(), len(counts))
        assert totals.argmax() == bin_of[(down % SIDE) * (SIDE // 2 + 1) + across]


@pytest.mark.parametrize("shape", [(64, 48), (70, 41)])
def test_blocks_are_cut_from_the_upper_left_picture_by_picture(shape):
    pictures = np.arange(2 * shape[0] * shape[1], dtype=np.float32).reshape(2, *shape)
    places = [(r, c) for r in range(0, shape[0] - 15, 16) for c in range(0, shape[1] - 15, 16)]
    by_hand = [picture[r : r + 16, c : c + 16] for picture in pictures for r, c in places]
    np.testing.assert_array_equal(power_spectra.blocks(tf.constant(pictures), 16), by_hand)


@pytest.mark.parametrize("side", [16, 17])
def test_the_gradient_of_power_is_that_of_its_formula(side):
    rng = np.random.default_rng(side)
    light = tf.constant(rng.normal(size=(2, side, side)), tf.float32)
    upstream = tf.constant(rng.normal(size=(2, side * (side // 2 + 1))), tf.float32)
    hann = np.hanning(side + 1)[:-1]
    window = np.outer(hann, hann)

    def by_sums(light):
        turns = np.outer(np.arange(side), np.arange(side)) / side
        wave = tf.constant(np.exp(-2j * np.pi * turns), tf.complex64)
        windowed = (light - tf.reduce_mean(light, axis=(1, 2), keepdims=True)) * window / np.linalg.norm(window)
        waves = wave @ tf.cast(windowed, tf.complex64) @ wave[:, : side // 2 + 1]
        return tf.reshape(tf.math.real(waves) ** 2 + tf.math.imag(waves) ** 2, (2, -1))

    gradients = []
    for function in (by_sums, lambda light: tf.reshape(power_spectra.spectra(light), (2, -1))):
        with tf.GradientTape() as tape:
            tape.watch(light)
            powers = function(light)
        gradients.append((powers, tape.gradient(powers, light, upstream)))
    for expected, found in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
