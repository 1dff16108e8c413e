import dataclasses
import json

import pytest

from tf_psgan import config as configs
from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig

SECTIONS = (ModelConfig, DataConfig, TrainingConfig)
FIELDS = [pytest.param(field, id=field.name) for section in SECTIONS for field in dataclasses.fields(section)]


def from_json(section, text):
    return configs.from_dict(section, json.loads(text))


def changed(section, **values):
    """The JSON of a default section with some values replaced."""
    return json.dumps(json.loads(configs.to_json(section())) | values)


def test_json_brings_every_setting_back():
    config = Config(
        ModelConfig(local_channels=7, global_channels=5, waves=0, quadrature=False, wave_angles="axis", filters=(9, 4)),
        DataConfig(images=("a.png", "späne/ö"), batch=3),
        TrainingConfig(seed=2**62, minutes=0.1, learning_rate=1e-300, updates="alternating"),
    )
    assert from_json(Config, configs.to_json(config)) == config


def test_json_is_sorted_and_holds_all_sections():
    values = json.loads(configs.to_json(Config()))
    assert list(values) == ["data", "model", "training"]
    assert list(values["model"]) == sorted(field.name for field in dataclasses.fields(ModelConfig))


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_has_a_help_text_and_an_allowed_default(field):
    assert len(field.metadata["help"]) > 10
    assert field.metadata["help"].endswith(".")
    configs._check_type(field, field.default)
    for item in field.default if isinstance(field.default, tuple) else (field.default,):
        configs._check_range(field, item)


def test_names_of_settings_are_unique_across_sections():
    # They become flags of one command line.
    names = [field.name for section in SECTIONS for field in dataclasses.fields(section)]
    assert len(names) == len(set(names))


def test_an_unknown_setting_is_named_and_the_known_ones_listed():
    with pytest.raises(ValueError, match=r"DataConfig: unknown setting 'bach'; it has images, crop_cells, batch"):
        from_json(DataConfig, changed(DataConfig, bach=3))


def test_a_missing_setting_is_named():
    values = json.loads(configs.to_json(Config()))
    del values["training"]["seed"]
    with pytest.raises(ValueError, match="TrainingConfig: setting 'seed' is missing"):
        configs.from_dict(Config, values)


@pytest.mark.parametrize(
    "section, name, value",
    [
        (ModelConfig, "waves", 2.0),
        (ModelConfig, "waves", "2"),
        (ModelConfig, "waves", True),
        (ModelConfig, "waves", None),
        (ModelConfig, "quadrature", 1),
        (ModelConfig, "wave_angles", 3),
        (ModelConfig, "filters", 8),
        (ModelConfig, "filters", [8, 4.0]),
        (ModelConfig, "filters", [8, True]),
        (ModelConfig, "filters", [[8]]),
        (DataConfig, "images", "honeycomb.png"),
        (DataConfig, "images", [1]),
        (TrainingConfig, "minutes", "4"),
        (TrainingConfig, "minutes", False),
    ],
)
def test_a_wrong_type_is_named_with_its_value(section, name, value):
    with pytest.raises(ValueError, match=rf"^{name}: .* is not a "):
        from_json(section, changed(section, **{name: value}))


def test_a_whole_number_serves_as_a_fraction():
    assert from_json(TrainingConfig, changed(TrainingConfig, minutes=3)).minutes == 3.0


@pytest.mark.parametrize(
    "section, name, value, words",
    [
        (ModelConfig, "waves", -1, "-1 is outside 0 .. 256"),
        (ModelConfig, "kernel_size", 4, "4 is outside 5 .. 6"),
        (ModelConfig, "filters", [8, 0], "0 is outside 1 .. 4096"),
        (ModelConfig, "wave_angles", "round", "'round' is not one of any, axis"),
        (DataConfig, "batch_size", 0, "0 is outside 1 .. 4096"),
        (TrainingConfig, "seed", 2**62 + 1, f"{2**62 + 1} is outside 0 .. {2**62}"),
        (TrainingConfig, "ema_decay", 1.0, "1.0 is outside 0 .. 0.99999"),
        (TrainingConfig, "steps", -1, "-1 is below 0; choose 0 or more"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(section, name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: {words}"):
        from_json(section, changed(section, **{name: value}))


@pytest.mark.parametrize("field", [p for p in FIELDS if p.values[0].type is float], ids=lambda field: field.name)
def test_no_setting_may_be_nan(field):
    with pytest.raises(ValueError, match=f"^{field.name}: nan is not a finite number"):
        from_json(TrainingConfig, changed(TrainingConfig, **{field.name: float("nan")}))


def test_what_is_no_config_is_refused():
    with pytest.raises(ValueError, match=r"\[1\] is not an object"):
        from_json(Config, "[1]")


def test_a_section_that_is_no_object_is_refused():
    with pytest.raises(ValueError, match="ModelConfig: 3 is not an object of settings"):
        from_json(Config, json.dumps(json.loads(configs.to_json(Config())) | {"model": 3}))


def test_check_looks_into_every_section():
    with pytest.raises(ValueError, match=r"^samples: 65 is outside 1 \.\. 64"):
        configs.check(Config(training=TrainingConfig(samples=65)))


def test_a_difference_names_the_first_field_and_both_values():
    assert configs.difference(ModelConfig(), ModelConfig()) == ""
    theirs = ModelConfig(waves=9, kernel_size=5)
    assert configs.difference(ModelConfig(waves=3), theirs) == "waves: 3 here, 9"
    assert configs.difference(ModelConfig(waves=3), theirs, ignored={"waves"}) == "kernel: 6 here, 5"
    assert configs.difference(ModelConfig(waves=3), theirs, ignored={"waves", "kernel_size"}) == ""
