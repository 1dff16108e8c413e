"""Class-conditional training: texture N is the N-th picture with its own waves, and a run resumes bit for bit."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support import tiny
from tests.support.small_run import CONFIG, changed, picture, tensors
from tests.support.traced_steps import traced_step
from tf_psgan.config import Config, DataConfig, TrainingConfig
from tf_psgan.data import crops
from tf_psgan.latents import noise
from tf_psgan.loading import load_plane
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.training import training_loop, wave_initialisation
from tf_psgan.training.gan_step import GanStep
from tf_psgan.training.spectral import spectral_loss
from tf_psgan.training.training_loop import train

CONDITIONAL = {"conditioning": "class", "global_channels": 5, "wave_hidden": 24}


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    monkeypatch.setattr(device, "set_threads", lambda asked: 1)  # other tests have started TensorFlow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return [picture(folder / f"{name}.png", period=period) for name, period in (("a", 12), ("2 b", 16), ("c", 8))]


@pytest.fixture(scope="module")
def packed():
    pixels = np.random.default_rng(0).integers(0, 256, (2 * 24 * 20, 3))
    places = (tf.constant(values, tf.int64) for values in ([0, 24 * 20], [24, 24], [20, 20]))
    return crops.PackedImages(tf.constant(pixels, tf.uint8), *places)


def step_of(classes):
    training = TrainingConfig(conditioning="class", seed=3)
    config = Config(tiny.model_config(global_channels=2), DataConfig(crop_cells=2, batch_size=4), training)
    return GanStep(config, "float32", classes)


def test_class_ids_are_the_pictures_that_crops_come_from(packed):
    key = noise.fold(5)
    of = crops.drawn(packed, key, 12).numpy()
    for number, crop in zip(of, crops.crops(packed, key, 12, 20).numpy(), strict=True):
        own = packed.pixels[480 * number : 480 * (number + 1)].numpy().reshape(24, 20, 3)
        assert any(np.array_equal(crop, own[top : top + 20]) for top in range(5))
    assert set(of) == {0, 1}


def test_a_step_trains_the_vectors_of_the_classes_of_its_crops(packed):
    step = step_of(2)
    before = step.discriminator.projection.table.numpy()
    step(packed)
    moved = np.any(step.discriminator.projection.table.numpy() != before, axis=1)
    key = noise.fold(noise.fold(3, 0, 0), 0)
    assert set(np.flatnonzero(moved)) == set(crops.drawn(packed, key, 4).numpy())


def test_fakes_have_the_given_classes():
    step = step_of(2)
    class_ids = tf.constant([0, 1, 1, 0], tf.int64)
    latents = step._latents(step.generator, noise.fold(1), 4, 2, class_ids).numpy()
    np.testing.assert_array_equal(latents[:, 0, 0, 3:5], noise.global_vector(class_ids, 2))
    assert step.generate(noise.fold(1), 2, class_ids).shape == (4, 16, 16, 3)


@pytest.fixture(scope="module")
def folder(pictures, tmp_path_factory):
    """A finished run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "set_threads", lambda asked: 1)
        patch.setattr(training_loop, "GanStep", traced_step)
        return RunFolder(train(changed(images=tuple(pictures), **CONDITIONAL), tmp_path_factory.mktemp("runs") / "run"))


def test_a_run_knows_each_picture_by_number_and_by_name(folder, pictures):
    stored = folder.read_textures(5)
    assert list(stored) == ["_2_b", "a", "c"] and {texture.step for texture in stored.values()} == {None}
    plane = load_plane(folder.path, "float32")
    for number, name in enumerate(("a", "_2_b", "c")):
        by_name, by_number = (plane.window(40, 40, texture=texture) for texture in (name, number))
        np.testing.assert_array_equal(by_name, by_number)
    for number, path in enumerate(pictures):
        own = wave_initialisation.initial_wave_numbers([np.asarray(Image.open(path))], CONFIG.model, "source", 8)
        np.testing.assert_allclose(plane.wave_numbers(number), own, atol=0.02)


def test_an_interrupted_run_ends_with_the_same_bits(folder, tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(training_loop, "GanStep", traced_step)
    settings = {"images": tuple(pictures), **CONDITIONAL}
    parts = RunFolder(train(changed(**settings, steps=2), tmp_path / "parts"))
    train(changed(**settings), parts.path)
    assert tensors(folder) == tensors(parts)


@pytest.mark.parametrize(
    "settings, remedy",
    [
        ({"global_channels": 0}, "choose global_channels"),
        ({"wave_hidden": 2}, "choose 12"),
        ({"cache_megabytes": 1}, "cache_megabytes: .* choose "),
    ],
)
def test_settings_that_do_not_go_together_raise_in_one_line(tmp_path, pictures, settings, remedy):
    large = picture(tmp_path / "large.png", pixels=800)
    with pytest.raises(ValueError, match=remedy):
        train(changed(images=(*pictures[:2], large), **(CONDITIONAL | settings)), tmp_path / "run")


def test_an_unconditional_model_has_no_projection():
    step = GanStep(CONFIG, "float32")
    assert not any("projection" in name for name in step.state())


def test_the_power_of_each_image_is_compared_with_its_own():
    noise_of = np.random.default_rng(0).normal(0, 0.2, (2, 32, 32, 3)).astype(np.float32)
    pictures = noise_of * np.array([1.0, 3.0], np.float32)[:, None, None, None]
    swapped, shift = pictures[::-1], tf.constant([0, 0])
    one, other = (spectral_loss.measure(batch, shift) for batch in (pictures, swapped))
    assert spectral_loss.distance(one, other, 32).numpy() == pytest.approx(0.0, abs=1e-5)
    one, other = (spectral_loss.measure(batch, shift, per_image=True) for batch in (pictures, swapped))
    assert spectral_loss.distance(one, other, 32) > 1.0
    each = [spectral_loss.distance(one[i : i + 1], other[i : i + 1], 32) for i in range(2)]
    assert spectral_loss.distance(one, other, 32).numpy() == pytest.approx(np.mean(each), rel=1e-5)
