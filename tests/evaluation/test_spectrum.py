import numpy as np
import pytest

from tf_psgan.evaluation import spectrum


@pytest.mark.parametrize("side", [64, 100])
def test_white_noise_has_its_variance_as_power_whatever_the_size(side):
    noise = np.random.default_rng(1).normal(0, 7, size=(40, side, side, 1)) * np.ones(3)
    assert spectrum.power(noise)[3:-3, 3:-3].mean() == pytest.approx(49, rel=0.03)


def test_the_spectrum_of_pictures_is_the_mean_of_theirs():
    pictures = np.random.default_rng(2).normal(0, 20, size=(3, 40, 48, 3))
    each = [spectrum.power([picture]) for picture in pictures]
    np.testing.assert_allclose(spectrum.power(pictures), np.mean(each, axis=0))


def test_zero_padding_samples_the_same_spectrum_more_finely():
    pictures = np.random.default_rng(3).normal(0, 20, size=(1, 40, 48, 3))
    np.testing.assert_allclose(spectrum.power(pictures, (80, 96))[::2, ::2], spectrum.power(pictures))


def test_only_the_centre_of_a_large_picture_is_used(monkeypatch):
    monkeypatch.setattr(spectrum, "MAX_SIDE", 50)
    picture = np.random.default_rng(4).normal(0, 20, size=(70, 90, 3))
    np.testing.assert_array_equal(spectrum.power([picture]), spectrum.power([picture[10:60, 20:70]]))


def test_a_constant_does_not_leak_through_the_window():
    assert spectrum.power([np.full((40, 40, 3), 200, np.uint8)]).max() < 1e-6
