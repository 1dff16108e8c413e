import numpy as np
import pytest

from tests.support.synthetic_textures import blobs, lattice, sand, smooth
from tf_psgan.errors import PictureError
from tf_psgan.evaluation import texture_metrics
from tf_psgan.evaluation.texture_features import features


def test_a_picture_fits_itself():
    picture = lattice(0)
    result = texture_metrics.compare([picture, picture], [picture])
    assert list(result) == [
        "periodic",
        "peak_offset_pixels",
        "peak_height",
        "autocorrelation_distance",
        "log_spectrum",
        "sliced_wasserstein",
        "colour",
        "diversity",
    ]
    assert all(type(value) is float for value in result.values())
    assert result["periodic"] == 1 and result["peak_height"] == pytest.approx(1)
    for name in ("peak_offset_pixels", "autocorrelation_distance", "log_spectrum", "colour", "diversity"):
        assert result[name] == pytest.approx(0, abs=1e-6), name
    alone = texture_metrics.compare([picture], [picture])
    assert alone["sliced_wasserstein"] == 0 and np.isnan(alone["diversity"])


def test_another_window_of_the_texture_is_near_and_another_texture_far():
    source = lattice(0, side=288)
    near = texture_metrics.compare([lattice(i, shift=5 * i) for i in range(1, 5)], [source])
    far = texture_metrics.compare([sand(i) for i in range(1, 5)], [source])
    for name in ("autocorrelation_distance", "log_spectrum", "sliced_wasserstein"):
        assert far[name] > 2.5 * near[name], name
    assert near["peak_offset_pixels"] < 0.5 and near["peak_height"] > 0.9 and far["peak_height"] < 0.5


def test_without_a_period_offset_and_height_are_nan():
    result = texture_metrics.compare([sand(1)], [sand(0)])
    assert result["periodic"] == 0
    assert np.isnan(result["peak_offset_pixels"]) and np.isnan(result["peak_height"])
    assert result["autocorrelation_distance"] < 0.1


def test_ten_8_bit_values_more_are_a_colour_distance_of_ten():
    picture = np.random.default_rng(0).integers(40, 200, (64, 64, 3), dtype=np.uint8)
    a, b = features([picture]), features([picture + np.uint8(10)])
    assert texture_metrics.colour_distance(a, b) == pytest.approx(10 / 255)
    assert texture_metrics.log_spectrum_distance(a, b) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(texture_metrics.sliced_wasserstein(a, b), 0, atol=2e-3)


def test_half_the_contrast_is_a_quarter_of_the_power():
    light = 40 * smooth(0, 128, 1)[..., np.newaxis] * np.ones(3)
    full, half = ((128 + factor * light).clip(0, 255).astype(np.uint8) for factor in (1, 0.5))
    distance = texture_metrics.log_spectrum_distance(features([full]), features([half]))
    assert distance == pytest.approx(np.log(4), abs=0.05)


def test_blur_is_seen_in_the_finest_patches():
    source, other = features([blobs(0)]), features([blobs(1)])
    picture = blobs(1).astype(np.float32)
    blurred = np.mean([np.roll(picture, (r, c), (0, 1)) for r in (-1, 0, 1) for c in (-1, 0, 1)], axis=0)
    soft = features([blurred.astype(np.uint8)])
    assert (
        texture_metrics.sliced_wasserstein(source, soft)[0] > 2 * texture_metrics.sliced_wasserstein(source, other)[0]
    )


def test_the_seed_decides_the_patches():
    picture = blobs(0)
    one, same, other = (features([picture], seed) for seed in (3, 3, 4))
    assert texture_metrics.sliced_wasserstein(one, same).sum() == 0
    assert texture_metrics.sliced_wasserstein(one, other).sum() > 0


def test_nearest_names_the_texture_of_a_window():
    makers = {
        "lattice": lattice,
        "fine lattice": lambda seed: lattice(seed, period=15),
        "blobs": blobs,
        "sand": sand,
        "blue blobs": lambda seed: blobs(seed, colour=(60, 110, 150)),
    }
    sources = {name: features([make(0)]) for name, make in makers.items()}
    for name, make in makers.items():
        for seed in (1, 2):
            found, distances = texture_metrics.nearest(make(seed)[:100, :120], sources)
            assert found == name
            assert set(distances) == set(makers) and distances[found] == min(distances.values())


def test_a_patchwork_is_less_uniform_than_the_source():
    source = [lattice(0, side=256)]
    patchwork = lattice(1, side=256)
    patchwork[:, 128:] = sand(1, side=256)[:, 128:]
    assert texture_metrics.uniformity(lattice(1, side=256), source) > 0.6
    assert texture_metrics.uniformity(patchwork, source) < 0.4


@pytest.mark.parametrize(
    "picture", [np.zeros((64, 63, 3), np.uint8), np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.uint8)]
)
def test_other_types_and_too_small_pictures_are_an_error(picture):
    with pytest.raises(PictureError, match="at least 64x64"):
        texture_metrics.compare([picture], [blobs(0)])
