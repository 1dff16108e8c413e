import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.evaluation import texture_features, texture_metrics
from tf_psgan.evaluation.differentiable_metrics import PROJECTIONS, DifferentiableMetrics

SIDE = 192


def texture(seed, rows=SIDE, cols=SIDE, period=24, colour=(150, 110, 60)):
    """A lattice under grain of its own deviation at every scale; uint8."""
    down, right = np.meshgrid(2 * np.pi / period * np.arange(rows), 2 * np.pi / period * np.arange(cols), indexing="ij")
    random = np.random.default_rng(seed)
    grain = sum(
        np.kron(random.normal(size=(-(-rows // n), -(-cols // n))), np.ones((n, n)))[:rows, :cols]
        for n in (1, 2, 5, 12)
    )
    light = 1 + 0.15 * (np.cos(down) + np.cos(right)) + 0.08 * grain
    return np.clip(np.array(colour) * light[..., np.newaxis], 0, 255).astype(np.uint8)


def far_from(picture, *windows):
    return DifferentiableMetrics(picture, windows[0].shape[0])(tf.constant(np.stack(windows), tf.float32)).numpy()


def by_metrics(picture, window):
    a, b = (texture_features.features([image], patches=16384) for image in (picture, window))
    patches = [np.mean(np.abs(x - y)[:PROJECTIONS]) for x, y in zip(a.patches, b.patches, strict=True)]
    return texture_metrics.log_spectrum_distance(a, b), np.mean(patches), texture_metrics.colour_distance(a, b)


@pytest.mark.parametrize(
    "picture",
    [texture(0), texture(1, 256, 320), texture(2, 80, 100), texture(3, 64, 300)],
    ids=lambda picture: f"{picture.shape[0]}x{picture.shape[1]}",
)
def test_the_distances_are_those_of_metrics(picture):
    coarse, blue = texture(9, 256, 256, period=40), texture(8, 256, 256, period=15, colour=(60, 90, 160))
    found = far_from(picture, coarse, blue)
    for i, window in enumerate((coarse, blue)):
        block = min(128, *picture.shape[:2])
        spectrum, patches, colour = by_metrics(picture, window)
        if block == 128:  # texture_metrics takes each side's own blocks
            assert found[i, 0] == pytest.approx(spectrum, abs=1e-3)
        assert found[i, 1] == pytest.approx(patches, rel=0.1)
        assert found[i, 2] == pytest.approx(colour, rel=0.1, abs=2e-3)


def test_small_pictures_are_compared_in_blocks_of_their_own_size():
    picture = texture(0, 64, 64)
    own, other = (far_from(picture, texture(1, period=period))[0, 0] for period in (24, 11))
    assert own < 0.5 * other
    # A window of one block alone: texture_metrics treats both alike.
    picture, block = texture(4, 128, 150), texture(5, 128, 128)
    assert far_from(picture, block)[0, 0] == pytest.approx(by_metrics(picture, block)[0], abs=1e-3)


def test_a_picture_is_at_no_distance_from_itself():
    # But for the patches and pixels that are left out of the window.
    assert (far_from(texture(0), texture(0))[0] < (1e-3, 0.04, 2e-3)).all()


def test_the_phase_does_not_count():
    picture = texture(0)
    shifted, other = far_from(picture, np.roll(picture, (7, 11), (0, 1)), texture(0, period=64))
    assert (shifted[:2] < 0.6 * other[:2]).all()


def test_each_window_of_a_batch_is_measured_alone():
    windows = [texture(seed, period=period) for seed, period in ((1, 24), (2, 16), (3, 48))]
    alone = np.concatenate([far_from(texture(0), window) for window in windows])
    np.testing.assert_allclose(far_from(texture(0), *windows), alone, rtol=1e-4)


def test_the_gradient_is_the_slope():
    metrics = DifferentiableMetrics(texture(0, colour=(120, 130, 90)), SIDE)
    window = tf.constant(texture(1, period=30)[np.newaxis], tf.float32)
    direction = tf.constant(texture(2, period=17)[np.newaxis], tf.float32) / 1000.0
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(window)
        parts = tf.unstack(metrics(window)[0])
    for i, part in enumerate(parts):
        slope = tf.reduce_sum(tape.gradient(part, window) * direction)
        ends = [float(metrics(window + step * direction)[0, i]) for step in (-0.5, 0.5)]
        assert float(slope) == pytest.approx(ends[1] - ends[0], rel=0.05)


@pytest.mark.parametrize("picture", [texture(0), np.full((64, 64, 3), 200, np.uint8)], ids=["texture", "one colour"])
def test_the_gradient_is_finite_for_a_window_of_one_colour_too(picture):
    window = tf.fill((1, SIDE, SIDE, 3), 77.0)
    with tf.GradientTape() as tape:
        tape.watch(window)
        total = tf.reduce_sum(DifferentiableMetrics(picture, SIDE)(window))
    assert np.isfinite(tape.gradient(total, window).numpy()).all()


def test_a_picture_under_64_pixels_is_an_error():
    with pytest.raises(ValueError, match="at least 64x64"):
        DifferentiableMetrics(texture(0, 63, 90), SIDE)
