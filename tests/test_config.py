"""Settings: checked, written as JSON and read back, from older versions too."""

import dataclasses
import json

import pytest

from tf_psgan import config as configs
from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig, without_effect
from tf_psgan.errors import SettingError

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
        DataConfig(images=("a.png", "späne/ö"), batch_size=3),
        TrainingConfig(seed=2**62, minutes=0.1, learning_rate=1e-300, updates="alternating"),
    )
    assert from_json(Config, configs.to_json(config)) == config


def test_json_is_sorted_and_holds_all_sections_and_the_schema():
    values = json.loads(configs.to_json(Config()))
    assert list(values) == ["data", "model", "rendering", "schema_version", "training"]
    assert list(values["model"]) == sorted(field.name for field in dataclasses.fields(ModelConfig))


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_has_a_help_text_and_an_allowed_default(field):
    assert len(field.metadata["help"]) > 10
    assert field.metadata["help"].endswith(".") and "--" not in field.metadata["help"]
    configs._check_type(field, field.default)
    for item in field.default if isinstance(field.default, tuple) else (field.default,):
        configs._check_range(field, item)


def test_names_of_settings_are_unique_across_sections():
    # They become flags of one command line.
    names = [field.name for section in SECTIONS for field in dataclasses.fields(section)]
    assert len(names) == len(set(names))


def test_an_unknown_setting_is_named_and_the_known_ones_listed():
    with pytest.raises(ValueError, match=r"DataConfig: unknown setting 'bach'; it has images, crop_cells, batch_size"):
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


def test_an_integer_is_accepted_as_a_float():
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


def test_an_error_says_which_setting_to_change():
    with pytest.raises(SettingError) as error:
        configs.check(ModelConfig(waves=999))
    assert (error.value.subject, error.value.value, error.value.settings) == ("waves", 999, ("waves",))
    assert error.value.allowed == "choose a value inside"


def test_json_of_anything_else_is_an_error():
    with pytest.raises(ValueError, match=r"\[1\] is not an object"):
        from_json(Config, "[1]")


def test_a_section_that_is_no_object_is_an_error():
    with pytest.raises(ValueError, match="ModelConfig: 3 is not an object of settings"):
        from_json(Config, json.dumps(json.loads(configs.to_json(Config())) | {"model": 3}))


def test_check_looks_into_every_section():
    with pytest.raises(ValueError, match=r"^samples: 65 is outside 1 \.\. 64"):
        configs.check(Config(training=TrainingConfig(samples=65)))


def test_a_difference_names_the_first_field_and_both_values():
    assert configs.difference(ModelConfig(), ModelConfig()) == ""
    theirs = ModelConfig(waves=9, kernel_size=5)
    assert configs.difference(ModelConfig(waves=3), theirs) == "waves: 3 here, 9"
    assert configs.difference(ModelConfig(waves=3), theirs, ignored={"waves"}) == "kernel_size: 6 here, 5"
    assert configs.difference(ModelConfig(waves=3), theirs, ignored={"waves", "kernel_size"}) == ""


def version_1(config):
    """The parsed JSON of a config by the names and values of version 1."""
    values = json.loads(configs.to_json(config))
    del values["schema_version"]
    old_names = {new: old for old, new in configs.RENAMED_SETTINGS.items()}
    for section in values.values():
        for name, value in list(section.items()):
            old_values = {new: old for old, new in configs.RENAMED_VALUES.get(name, {}).items()}
            if isinstance(value, str):
                section[name] = old_values.get(value, value)
            if name in old_names:
                section[old_names[name]] = section.pop(name)
    return values


def test_every_renamed_setting_and_value_of_version_1_is_read_by_its_present_name():
    config = Config(
        ModelConfig(kernel_size=5, discriminator_filters=(4, 8), global_channels=3),
        DataConfig(batch_size=7, cache_refresh_steps=11),
        TrainingConfig(
            **{"ema_decay": 0.5, "wave_init": "paper", "max_to_keep": 9, "max_nonfinite_steps": 2, "l2": 0.25},
            **{"spectral_loss_weight": 1.5, "r1_interval": 3, "wave_lr_multiplier": 0.75, "conditioning": "class"},
        ),
    )
    old = version_1(config)
    assert set(configs.RENAMED_SETTINGS) <= {name for section in old.values() for name in section}
    assert old["training"]["conditioning"] == "source" and old["training"]["updates"] == "together"
    assert configs.from_dict(Config, old) == config


def test_every_new_name_is_a_setting_and_every_new_value_is_allowed():
    fields = {field.values[0].name: field.values[0] for field in FIELDS}
    assert set(configs.RENAMED_SETTINGS.values()) <= fields.keys()
    assert not configs.RENAMED_SETTINGS.keys() & fields.keys()
    for name, values in configs.RENAMED_VALUES.items():
        assert set(values.values()) <= set(fields[name].metadata["choices"])
        assert not values.keys() & set(fields[name].metadata["choices"])


def test_a_setting_added_since_gets_its_default_in_an_older_file_only():
    values = version_1(Config())
    del values["training"]["samples"]
    assert configs.from_dict(Config, values) == Config()
    values = json.loads(configs.to_json(Config()))
    del values["training"]["samples"]
    with pytest.raises(SettingError, match="TrainingConfig: setting 'samples' is missing"):
        configs.from_dict(Config, values)


def test_an_unknown_setting_in_an_older_file_is_an_error():
    values = version_1(Config())
    values["model"]["depth"] = 3
    with pytest.raises(SettingError, match="ModelConfig: unknown setting 'depth'"):
        configs.from_dict(Config, values)


def test_an_old_name_in_a_file_of_the_present_version_is_an_error():
    values = json.loads(configs.to_json(Config()))
    values["data"]["batch"] = values["data"].pop("batch_size")
    with pytest.raises(SettingError, match="DataConfig: unknown setting 'batch'"):
        configs.from_dict(Config, values)


@pytest.mark.parametrize("version", [configs.SCHEMA_VERSION + 1, 0, "2", True, None])
def test_a_schema_of_the_future_or_of_nobody_is_an_error(version):
    values = json.loads(configs.to_json(Config())) | {"schema_version": version}
    with pytest.raises(SettingError, match=rf"schema_version: {version!r} is unknown; this version reads 1 to "):
        configs.from_dict(Config, values)


@pytest.mark.parametrize("name", ["filters", "discriminator_filters"])
def test_an_empty_list_of_numbers_is_named_as_such(name):
    with pytest.raises(SettingError, match=rf"{name}: \(\) is empty; give one number or more"):
        configs.check(ModelConfig(**{name: ()}))


@pytest.mark.parametrize(
    "model, training, expected",
    [
        ({"waves": 0}, {}, {}),
        ({"waves": 0, "wave_angles": "axis"}, {"wave_init": "paper"}, {"wave_angles": "waves", "wave_init": "waves"}),
        ({"wave_hidden": 50}, {}, {"wave_hidden": "global_channels"}),
        ({"wave_hidden": 50, "global_channels": 4}, {}, {}),
        ({}, {"r1": 0.0, "r1_interval": 4}, {"r1_interval": "r1"}),
        ({"wave_angles": "axis"}, {"r1_interval": 4, "wave_init": "paper"}, {}),
    ],
)
def test_settings_that_change_nothing_beside_others_are_named_with_the_reason(model, training, expected):
    config = Config(model=ModelConfig(**model), training=TrainingConfig(**training))
    assert without_effect(config, fits=True) == {name: f"{reason} is 0" for name, reason in expected.items()}


def test_refreshes_of_a_cache_that_holds_all_pictures_have_no_effect():
    config = Config(data=DataConfig(cache_refresh_steps=7))
    assert without_effect(config, fits=True) == {"cache_refresh_steps": "all pictures fit into cache_megabytes at once"}
    assert without_effect(config, fits=False) == without_effect(Config(), fits=True) == {}
