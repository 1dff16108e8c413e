"""Settings from pictures: what is chosen, what wins over it, and what is warned of."""

import dataclasses

import numpy as np
import pytest

from tests.support.small_run import changed
from tests.support.synthetic_textures import blobs, lattice
from tf_psgan.config import Config, ModelConfig, TrainingConfig
from tf_psgan.data import images
from tf_psgan.errors import PictureError
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import advice
from tf_psgan.training.picture_analysis import Measurements, measure

SMALL = {"crop_cells": 8}  # of 8 pixels: crops of 64, structures of at most 32


def written(folder, **pictures):
    for name, picture in pictures.items():
        images.write_png(folder / f"{name}.png", picture)
    return tuple(str(folder / f"{name}.png") for name in pictures)


def config_for(paths, **settings):
    return changed(images=paths, **SMALL, **settings)


def warnings(picture, **settings):
    return advice.warnings_for([("a.png", measure(picture))], changed(**SMALL, **settings))


def problems(changes, **settings):
    """The warnings of a picture of 384 x 384 pixels that nothing is wrong with but for what is changed."""
    plain = {"height": 384, "width": 384, "lattice": np.zeros((0, 2)), "period": 0.0, "structure": 20.0, "bright": 0.0}
    even = {"dark": 0.0, "chroma": 50.0, "anisotropy": 0.1, "brightness_trend": 0.1}
    even |= {"contrast_trend": 1.1, "scale_trend": 1.1, "text_lines": 0}
    found = Measurements(**(plain | even | changes))
    return advice.warnings_for([("a.png", found)], changed(**SMALL, **settings))


def ramp(picture, low=0.2):
    """The picture under light that falls from full to `low` from top to bottom."""
    return (picture * np.linspace(1, low, len(picture))[:, np.newaxis, np.newaxis]).astype(np.uint8)


def perspective(side=192):
    """A lattice whose period grows from 8 pixels at the top to 32 at the bottom."""
    turns = 2 * np.pi * np.cumsum(1 / np.linspace(8, 32, side))
    cols = (np.arange(side) - side / 2) / np.linspace(8, 32, side)[:, np.newaxis] * 2 * np.pi
    return np.repeat((128 + 60 * np.sin(turns)[:, np.newaxis] * np.sin(cols)).astype(np.uint8)[..., None], 3, axis=-1)


def test_a_lattice_keeps_its_waves(tmp_path):
    found = advice.advice_for(config_for(written(tmp_path, a=lattice(0)), waves=7), given=())
    assert found.config.model.waves == ModelConfig().waves
    assert "repeats every 24 pixels" in next(choice.reason for choice in found.choices if choice.setting == "waves")


def test_a_picture_that_repeats_nowhere_has_no_waves(tmp_path):
    found = advice.advice_for(config_for(written(tmp_path, a=blobs(0))), given=())
    assert found.config.model.waves == 0
    assert "repeats nowhere" in next(choice.reason for choice in found.choices if choice.setting == "waves")


def test_one_picture_that_repeats_keeps_the_waves_of_all(tmp_path):
    paths = written(tmp_path, a=blobs(0), b=lattice(0))
    assert advice.advice_for(config_for(paths), given=()).config.model.waves == ModelConfig().waves


@pytest.mark.parametrize(
    "sides, settings, expected",
    [
        ((160,), {}, "patches"),
        ((159,), {}, "none"),
        ((160, 300), {}, "patches"),
        ((300, 159), {}, "none"),
        ((300, 300), {"global_channels": 5}, "none"),
    ],
)
def test_photographs_of_one_texture_get_their_detail_from_their_own_pixels(sides, settings, expected):
    pictures = [dataclasses.replace(measure(blobs(0)), height=side, width=400) for side in sides]
    found = {choice.setting: choice.value for choice in advice.choices(pictures, changed(**settings))}
    assert found["detail"] == expected


@pytest.mark.parametrize(
    "structure, side, settings, expected",
    [
        (16, 500, {}, 1),
        (30, 500, {}, 2),  # half a crop is 16 pixels
        (30, 90, {}, 1),  # reduced, it would hold less than one and a half crops of 32
        (60, 500, {}, 4),
        (900, 500, {}, 4),
        (30, 500, {"detail": "none"}, 1),
    ],
)
def test_photographs_of_large_structures_are_learned_reduced(structure, side, settings, expected):
    found = dataclasses.replace(measure(blobs(0)), structure=structure, height=side, width=side)
    names = [name for name in advice.ADAPTABLE if name not in settings]
    chosen = advice.choices([found], changed(**({"detail": "patches"} | settings)), names)
    assert {choice.setting: choice.value for choice in chosen}["downsampling"] == expected


def test_many_textures_in_one_model_get_a_minute_each_and_one_texture_the_default():
    pictures = [measure(blobs(0))] * 8
    several = {c.setting: c.value for c in advice.choices(pictures, changed(global_channels=5, steps=0))}
    one = {c.setting: c.value for c in advice.choices(pictures, changed(steps=0))}
    assert (several["minutes"], one["minutes"]) == (8, TrainingConfig().minutes)


def test_a_run_of_so_many_steps_has_no_limit_of_minutes():
    found = {c.setting: c.value for c in advice.choices([measure(blobs(0))], changed(steps=5000))}
    assert found["minutes"] == 0


def test_a_run_that_ends_by_its_metrics_has_more_time():
    found = {c.setting: c.value for c in advice.choices([measure(blobs(0))], changed(until="settled"))}
    assert found["minutes"] == advice.UPPER_BOUND_MINUTES > TrainingConfig().minutes


def test_settings_that_are_given_win(tmp_path):
    config = config_for(written(tmp_path, a=blobs(0)), waves=3, minutes=9.0, steps=0)
    found = advice.advice_for(config, given={"waves"})
    assert found.config.model.waves == 3 and found.config.training.minutes == TrainingConfig().minutes
    assert {choice.setting for choice in found.choices} == set(advice.ADAPTABLE) - {"waves"}


def test_only_adaptable_settings_change(tmp_path):
    config = config_for(written(tmp_path, a=blobs(0)))
    found = advice.advice_for(config, given=()).config
    chosen = {name: advice._value(found, name) for name in advice.ADAPTABLE}
    assert advice._replaced(config, chosen) == found


def test_where_all_is_given_no_picture_is_read_and_nothing_is_logged(logged):
    config = changed(images=("nowhere.png",))
    found = advice.advice_for(config, given=advice.ADAPTABLE)
    found.log()
    assert found.config == config and not found.measured and logged() == ""


def test_without_the_detail_stage_pictures_are_not_measured_for_downsampling(logged):
    config = changed(images=("nowhere.png",), detail="none")
    found = advice.advice_for(config, given={"waves", "detail", "minutes"})
    found.log()
    assert found.config == config and not found.measured and logged() == ""


def test_a_run_that_has_begun_keeps_its_own_settings_but_for_those_given(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (folder.checkpoints / "step-00000003").mkdir(parents=True)
    config = config_for(written(tmp_path, a=blobs(0)))
    folder.write("config.json", advice.configs.to_json(advice._replaced(config, {"waves": 5, "minutes": 77.0})))
    found = advice.advice_for(config, {"minutes"}, folder.path)
    assert (found.config.model.waves, found.config.training.minutes) == (5, config.training.minutes)
    assert not found.choices and found.continues


def test_a_run_that_stopped_before_its_first_checkpoint_is_advised_anew(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    config = config_for(written(tmp_path, a=blobs(0)))
    folder.write("config.json", advice.configs.to_json(advice._replaced(config, {"waves": 5})))
    assert advice.advice_for(config, (), folder.path).config.model.waves == 0


def test_two_lines_say_what_was_chosen_and_why(tmp_path, logged):
    advice.advice_for(config_for(written(tmp_path, a=blobs(0))), {"minutes", "detail"}).log()
    lines = logged().splitlines()
    assert lines[0] == "chosen from the pictures: waves=0."
    assert lines[1] == "because the picture repeats nowhere, and waves would draw bands."


def test_an_even_lattice_of_small_structures_is_no_problem():
    assert warnings(lattice(0)) == problems({}) == []


@pytest.mark.parametrize("picture", [ramp(lattice(0)), perspective()], ids=["gradient", "perspective"])
def test_a_trend_across_the_picture_is_warned_of_unless_the_model_has_several_textures(picture):
    (warning,) = (text for text in warnings(picture) if "quarters" in text)
    assert warning.startswith("a.png: its quarters differ in ") and "cut out an even part." in warning
    assert not any("quarters" in text for text in warnings(picture, global_channels=3))


def test_structures_larger_than_half_a_crop_are_warned_of_with_the_size_to_reduce_to():
    (warning,) = problems({"structure": 48.0})
    assert "structures of about 48 pixels are larger than half a crop, 32 pixels" in warning
    assert "reduce the picture to about 256x256 pixels" in warning  # 384 * 32 / 48
    assert problems({"structure": 48.0}, filters=(8, 6, 4)) == []  # crops of 128


def test_a_picture_that_would_be_too_small_when_reduced_is_not_to_be_reduced():
    (warning,) = problems({"structure": 48.0, "height": 144})  # 96 when reduced, 1.5 crops
    assert "use a picture that shows more of them" in warning


def test_a_picture_of_few_crops_is_warned_of():
    (warning,) = problems({"height": 96})
    assert "96x384 pixels hold few crops of 64x64" in warning
    assert not problems({"height": 97})


def test_clipped_pixels_are_warned_of():
    assert not problems({"bright": 0.02, "dark": 0.12}, detail="patches")  # copied pixels are as they are
    (warning,) = problems({"bright": 0.02, "dark": 0.12})
    assert "12% of the pixels are clipped in a channel" in warning
    assert not problems({"bright": 0.02, "dark": 0.05})


def test_writing_is_warned_of():
    (warning,) = problems({"text_lines": 12})
    assert warning.startswith("a.png: it looks like 12 lines of writing; text cannot be learned")
    assert not problems({"text_lines": 3})


def test_advise_returns_a_config_that_can_be_trained(tmp_path):
    (path,) = written(tmp_path, a=blobs(0))
    found = advice.advise(path)
    assert found == advice.advise([path]) == advice.advice_for(dataclasses.replace(found), ()).config
    assert (found.data.images, found.model.waves) == ((path,), 0)
    seeded = advice.advise(path, dataclasses.replace(Config(), training=TrainingConfig(seed=9)))
    assert seeded.training.seed == 9


def test_advise_needs_a_usable_picture(tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        advice.advise("nowhere.png")
    (path,) = written(tmp_path, a=np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(PictureError, match="40x40 pixels, but"):
        advice.advise(path)
