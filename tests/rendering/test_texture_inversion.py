"""Texture inversion finds the vector of a picture that the generator made, and the same one every time."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan import geometry
from tf_psgan.evaluation import texture_features, texture_metrics
from tf_psgan.latents import noise
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering import texture_inversion

TEXTURE, CHANNELS = 5, 3


@pytest.fixture(scope="module", autouse=True)
def short():
    """A search that takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RANDOM": 32, "STARTS": 4, "STEPS": 24, "COMPARED": 2, "SIDES": (128, 128)}.items():
            patch.setattr(texture_inversion, name, value)
        yield


@pytest.fixture(scope="module")
def network():
    return tiny.generator(seed=1, global_channels=CHANNELS)


@pytest.fixture(scope="module")
def picture(network):
    return TexturePlane(fold(network)).window(200, 180, top=30, left=-70, seed=1, texture=TEXTURE)


@pytest.fixture(scope="module")
def found(network, picture):
    return texture_inversion.invert(network, picture)


def test_the_texture_of_a_picture_is_found(network, picture, found):
    plane, known = TexturePlane(fold(network)), texture_features.features([picture])

    def far(texture):
        window = plane.window(200, 180, seed=77, texture=texture)
        return texture_inversion.distance(texture_metrics.distances(known, texture_features.features([window])))

    others = [far(texture) for texture in range(100, 110)]
    assert far(found.vector) < 1.1 * far(TEXTURE)
    assert far(found.vector) < 0.6 * np.median(others) and far(found.vector) < min(others)


def test_a_known_vector_is_tried_and_found_where_random_ones_are_far(network, picture, monkeypatch, logged):
    monkeypatch.setattr(texture_inversion, "RANDOM", 4)
    monkeypatch.setattr(texture_inversion, "STEPS", 4)
    true = TexturePlane(fold(network)).vector(TEXTURE)
    others = [np.full(CHANNELS, value, np.float32) for value in (-1.0, 1.0)]
    result = texture_inversion.invert(network, picture, known=[*others, true])
    assert "5 random and 3 known textures" in logged()
    assert result.distance < 1.3 * result.floor and np.abs(np.array(result.vector) - true).max() < 0.15


def test_the_vector_is_stored_without_loss(network, found):
    vector = found.vector
    assert len(vector) == CHANNELS and all(type(value) is float and -1 <= value <= 1 for value in vector)
    stored = TexturePlane(fold(network)).vector(vector)
    np.testing.assert_array_equal(stored, vector)


def test_the_distance_is_the_mean_of_three_over_their_chance(found):
    distances = found.distances
    assert list(distances) == ["log_spectrum", "sliced_wasserstein", "colour"]
    ratios = distances["log_spectrum"] / 0.2, distances["sliced_wasserstein"] / 0.03, distances["colour"] / 0.02
    assert found.distance == pytest.approx(sum(ratios) / 3)
    assert 0.5 < found.floor < 2


def test_the_distances_are_logged(network, picture, logged, monkeypatch):
    monkeypatch.setattr(texture_inversion, "STEPS", 1)
    texture_inversion.invert(network, picture)
    first, second = (line for line in logged().splitlines() if "nearest" in line)  # a slow machine logs progress, too
    assert first.startswith("32 random textures: ") and second.startswith("1 steps from the ")


def test_the_result_is_reproducible_and_the_generator_is_unchanged(network, picture, found):
    before = tiny.values_of(network)
    assert texture_inversion.invert(network, picture) == found
    after = tiny.values_of(network)
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_a_picture_of_another_kind_is_far(network):
    board = np.kron(np.indices((10, 8)).sum(0) % 2, np.ones((16, 16)))[..., np.newaxis] * np.array([255, 255, 0])
    result = texture_inversion.invert(network, board.astype(np.uint8))
    assert result.distance > 4 * result.floor


def test_a_trial_is_traced_once_and_its_gradients_are_right(network, picture):
    trial = texture_inversion._Trial(network, picture)
    at = noise.global_vector(tf.range(200, 204, dtype=tf.int64), CHANNELS).numpy() * np.float32(0.9)
    for key in (3, 4):
        far, slopes = trial.gradients(at, noise.fold(key))
        np.testing.assert_allclose(far, trial.distances(at, noise.fold(key)), rtol=1e-4)
        for channel in range(CHANNELS):
            step = np.eye(CHANNELS, dtype=np.float32)[channel] * 1e-3
            rise = trial.distances(at + step, noise.fold(key)) - trial.distances(at - step, noise.fold(key))
            np.testing.assert_allclose(slopes[:, channel], rise / 2e-3, rtol=0.1, atol=0.15)
    assert trial._gradients.experimental_get_tracing_count() == 1
    assert trial._distances.experimental_get_tracing_count() == 1


def test_the_windows_of_a_trial_are_those_of_the_plane(network, picture):
    trial = texture_inversion._Trial(network, picture)
    key = noise.fold(12)
    windows = trial._windows(noise.global_vector(tf.constant([7, 8], tf.int64), CHANNELS), key).numpy()
    plane, side, halo = TexturePlane(fold(network)), windows.shape[1], geometry.HALO * network.pixels_per_cell
    for i, texture in enumerate((7, 8)):
        expected = plane.window(side, side, top=halo, left=halo, seed=int(noise.fold(key, i)), texture=texture)
        assert np.abs(windows[i] - expected).max() < 1


def test_models_of_one_texture_and_small_pictures_are_errors(network, picture):
    with pytest.raises(ValueError, match="one texture only; use a model with global channels"):
        texture_inversion.invert(tiny.generator(), picture)
    with pytest.raises(ValueError, match=r"200x63 pixels .*; give a picture of at least 64x64"):
        texture_inversion.invert(network, picture[:, :63])
