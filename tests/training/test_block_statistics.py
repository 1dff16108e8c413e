import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.procedural import catalogue
from tf_psgan.training.spectral import block_statistics, power_spectra, spectral_loss

NO_SHIFT = (0, 0)


def crops(name, seed, side=64):
    picture = catalogue.make(name, seed, side + 192, side + 192).astype(np.float32) / 127.5 - 1
    return np.stack([picture[r : r + side, c : c + side] for r in (3, 90) for c in (0, 40, 77, 130)])


def measure(pictures, shift=NO_SHIFT, per_image=False):
    return block_statistics.measure(power_spectra.planes(tf.constant(pictures)), tf.constant(shift), per_image).numpy()


def parts(measured):
    """Of [groups, statistics] by one size of blocks: means, deviations, correlations."""
    count = round((np.sqrt(9 + 8 * measured.shape[1]) - 3) / 2)  # count of each, count * (count - 1) / 2 pairs
    return np.split(measured, [count, 2 * count], axis=1)


def by_size(measured):
    """Of [groups, statistics] of pictures of 32 pixels or more: those of blocks of 16, those of blocks of 32."""
    return np.split(measured, [len(block_statistics.weights(16))], axis=1)


@pytest.mark.parametrize("block", [16, 32])
def test_the_statistics_are_those_of_numpy(block):
    pictures = crops("brick", 1, 80)
    measured = by_size(measure(pictures, (5, 11)))[block // 16 - 1]
    cut, count = pictures[:, 5 : 5 + 64, 11 : 11 + 64], 64 // block
    blocks = cut.reshape(8, count, block, count, block, 3).transpose(0, 1, 3, 2, 4, 5)
    blocks = blocks.reshape(-1, block, block, 3).astype(float)
    luminance = blocks @ (0.299, 0.587, 0.114)
    tints = np.stack([(blocks[..., 0] - blocks[..., 1]) / 2, blocks[..., 2] / 2 - blocks[..., :2].sum(-1) / 4])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(block) / block)
    window = np.outer(hann, hann)
    waves = np.fft.rfft2((luminance - luminance.mean((1, 2), keepdims=True)) * window)
    spectra = np.abs(waves).reshape(len(blocks), -1) ** 2 / np.sum(window**2)
    bin_of, counts = power_spectra.bins(block, 1.5)
    sectors = np.stack([spectra[:, bin_of == i].mean(1) for i in range(len(counts) - 1)], axis=1)
    columns = [*np.log(sectors + power_spectra.ROUNDING).T, 5 * luminance.mean((1, 2))]
    for tint in tints:
        columns += [5 * tint.mean((1, 2)), np.log(tint.var((1, 2)) + power_spectra.ROUNDING)]
    features = np.stack(columns)
    deviation = np.sqrt(features.var(1) + 1e-3)
    correlation = np.cov(features, bias=True) / np.outer(deviation, deviation)
    by_hand = (features.mean(1), deviation, correlation[np.triu_indices(len(features), 1)])
    for found, expected in zip(parts(measured), by_hand, strict=True):
        np.testing.assert_allclose(found[0], expected, atol=2e-3)


def test_each_statistic_has_its_weight():
    weights = block_statistics.weights(64)
    assert measure(crops("knit", 1)).shape == (1, len(weights))
    for of_size in by_size(weights[np.newaxis]):
        for part, weight in zip(parts(of_size), (1, 1, block_statistics.CORRELATIONS), strict=True):
            assert part.sum() == pytest.approx(weight / 2, rel=1e-5)
    assert len(block_statistics.weights(31)) == len(block_statistics.weights(16))
    assert block_statistics.weights(31).sum() == pytest.approx(weights.sum(), rel=1e-5)


def test_even_grain_differs_from_the_same_power_in_a_few_blocks():
    rng = np.random.default_rng(0)
    even = rng.normal(0, 0.1, (8, 64, 64, 1)).astype(np.float32).repeat(3, axis=3)
    where = np.kron(rng.random((8, 4, 4)) < 0.25, np.ones((16, 16)))[..., np.newaxis].astype(np.float32)
    uneven = even * where / np.sqrt(where.mean())
    by_frequency = [spectral_loss.measure(p, tf.constant(NO_SHIFT)).numpy() for p in (even, uneven)]
    weights = spectral_loss.weights(64).copy()
    weights[-len(block_statistics.weights(64)) :] = 0
    seen = np.abs(by_frequency[0] - by_frequency[1])[0] @ weights
    deviations = [parts(by_size(measure(p))[0])[1][0, :30] for p in (even, uneven)]
    assert seen < 0.5  # all that a spectrum tells
    assert np.min(deviations[1] - deviations[0]) > 2


def test_other_windows_of_a_texture_are_nearer_than_shuffled_blocks_of_it():
    own, weights = crops("honeycomb", 1), block_statistics.weights(64)

    def far(a, b):
        return (np.abs(measure(a, (3, 9)) - measure(b, (3, 9))) @ weights).item()

    tiled = own.reshape(8, 8, 8, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 8, 8, 3)
    mixed = tiled[np.random.default_rng(0).permutation(len(tiled))]
    shuffled = mixed.reshape(8, 8, 8, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(own.shape)
    assert far(own, crops("honeycomb", 2)) < 0.4 * far(own, shuffled)


@pytest.mark.parametrize("side", [16, 33, 64])
def test_pictures_of_any_side_are_measured_alone_and_as_one_batch(side):
    pictures = crops("weave", 1, side)
    alone = measure(pictures, (7, 2), per_image=True)
    one_by_one = np.concatenate([measure(pictures[i : i + 1], (7, 2)) for i in range(len(pictures))])
    np.testing.assert_allclose(alone, one_by_one, atol=1e-4)
    means, alone = (parts(by_size(measured)[0])[0] for measured in (measure(pictures, (7, 2)), alone))
    np.testing.assert_allclose(means[0], alone.mean(0), atol=1e-4)


def test_the_shift_positions_the_first_block_modulo_the_room():
    pictures = crops("brick", 1, 34)
    first, lower = pictures[:, :33, :33], pictures[:, 1:, :33]  # two blocks and a pixel: a shift of 0 or 1
    np.testing.assert_allclose(measure(first, (1, 4)), measure(lower, (0, 6)), atol=1e-4)
    np.testing.assert_allclose(measure(first, (15, 2)), measure(first, (1, 0)))


def test_flat_pictures_have_finite_gradients():
    pictures = tf.zeros((2, 32, 32, 3))
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        features = block_statistics.measure(power_spectra.planes(pictures), tf.constant(NO_SHIFT))
    assert np.isfinite(features).all()
    assert np.isfinite(tape.gradient(features, pictures)).all()
