"""Keras's contract for every layer and model: configs, saved files, shapes, dtype policies, names, checkpoints."""

import io
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.config import ModelConfig
from tf_psgan.errors import SettingError
from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.networks.layers import DownConvolution, Projection, UpConvolution

SMALL = {"local_channels": 2, "wave_hidden": 4, "filters": (5, 4)}
# Class, constructor arguments, channels of the input, arguments of the call.
LAYERS = {
    "up": (UpConvolution, {"filters": 4, "seed": 3}, 3, {}),
    "up, training": (UpConvolution, {"filters": 4, "seed": 3}, 3, {"training": True}),
    "up, last": (UpConvolution, {"filters": 3, "kernel_size": 5, "use_batch_norm": False}, 2, {}),
    "down": (DownConvolution, {"filters": 4, "seed": 3}, 3, {}),
    "down, first": (DownConvolution, {"filters": 4, "use_batch_norm": False}, 3, {}),
    "projection": (Projection, {"classes": 3, "seed": 3}, 4, {"class_ids": np.array([2, 0])}),
}
MODELS = {
    "psgan": (SpatialGenerator, SMALL, 6, {}),
    "psgan, training": (SpatialGenerator, SMALL | {"seed": 4}, 6, {"training": True}),
    "psgan, textures": (SpatialGenerator, SMALL | {"global_channels": 3, "wave_angles": "axis"}, 9, {}),
    "sgan": (SpatialGenerator, SMALL | {"waves": 0, "quadrature": False, "kernel_size": 5}, 2, {}),
    "discriminator": (PatchDiscriminator, {"filters": (4, 5), "seed": 4}, 3, {}),
    "conditional": (PatchDiscriminator, {"filters": (4, 5), "classes": 3}, 3, {"class_ids": np.array([2, 0])}),
}
CASES = LAYERS | MODELS
POLICIES = {"float32": "float32", "mixed_bfloat16": "bfloat16"}


def inputs(channels, batch=2, rows=9, cols=8):
    return np.random.default_rng(0).uniform(-1, 1, (batch, rows, cols, channels)).astype(np.float32)


def make(case, **changes):
    """A layer or model that is built, with weights that are not the initial ones."""
    kind, arguments, channels, call = CASES[case]
    made = kind(**(arguments | changes))
    made(inputs(channels), **call)
    random = np.random.default_rng(1)
    for variable in made.variables:
        variable.assign(variable.value + 0.1 * random.uniform(0, 1, variable.shape))
    return made, inputs(channels), call


@pytest.mark.parametrize("case", CASES)
def test_the_config_round_trip_gives_an_equal_object(case):
    kind, arguments, channels, call = CASES[case]
    first = kind(**arguments, name="first", dtype="mixed_bfloat16")
    again = kind.from_config(first.get_config())
    assert again.get_config() == first.get_config()
    assert (again.name, again.dtype_policy) == ("first", first.dtype_policy)
    assert arguments.items() <= {name: first.get_config()[name] for name in arguments}.items()
    x = inputs(channels)
    np.testing.assert_array_equal(first(x, **call), again(x, **call))  # the seed is a part of the config


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_in_a_saved_model_gives_equal_outputs(case, tmp_path):
    layer, x, call = make(case)
    x_in = keras.Input((None, None, x.shape[-1]))
    ids = {name: keras.Input((), dtype="int64", name=name) for name, value in call.items() if name == "class_ids"}
    model = keras.Model([x_in, *ids.values()], layer(x_in, **(call | ids)))
    data = [x, *(call[name] for name in ids)]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(data), model(data))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", MODELS)
def test_a_saved_model_loads_with_equal_weights_and_outputs(case, policy, tmp_path):
    model, x, call = make(case, dtype=policy, name="saved")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model) and again.get_config() == model.get_config()
    assert [v.path for v in again.variables] == [v.path for v in model.variables]
    for a, b in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(again(x, **call), model(x, **call))


def test_a_process_that_imports_the_networks_loads_saved_models_without_custom_objects(tmp_path):
    make("psgan")[0].save(tmp_path / "a.keras")
    make("conditional")[0].save(tmp_path / "b.keras")
    code = (
        "import sys, keras, tf_psgan.networks\nfor file in sys.argv[1:]: print(keras.saving.load_model(file).filters)"
    )
    command = [sys.executable, "-c", code, *(str(tmp_path / name) for name in ("a.keras", "b.keras"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["(5, 4)", "(4, 5)", ""]


@pytest.mark.parametrize("case", CASES)
def test_the_output_shape_is_inferred_for_known_and_unknown_sizes(case):
    made, x, call = make(case)
    expected = tuple(made(x, **call).shape)
    assert tuple(made.compute_output_shape(x.shape)) == expected
    unknown = made.compute_output_shape((None, None, None, x.shape[-1]))
    assert tuple(unknown) == (None, None, None, expected[-1])
    ids = {"class_ids": keras.Input((), dtype="int64")} if "class_ids" in call else {}
    symbolic = made(keras.Input((None, None, x.shape[-1])), **(call | ids))
    assert tuple(symbolic.shape) == (None, None, None, expected[-1])


@pytest.mark.parametrize("case", CASES)
def test_a_graph_of_unknown_sizes_gives_the_eager_outputs(case):
    made, x, call = make(case)
    ids = call.get("class_ids")
    call = {name: value for name, value in call.items() if name != "class_ids"}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, x.shape[-1]])])
    def graph(x):
        return made(x, **call) if ids is None else made(x, class_ids=ids, **call)

    eager = made(x, **call) if ids is None else made(x, class_ids=ids, **call)
    np.testing.assert_allclose(graph(x), eager, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES)
def test_variables_are_float32_and_layers_compute_in_the_policys_dtype(case, policy):
    made, x, call = make(case, dtype=policy)
    assert {variable.dtype for variable in made.variables} == {"float32"}
    whole = case in MODELS or case == "projection"
    assert keras.backend.standardize_dtype(made(x, **call).dtype) == ("float32" if whole else POLICIES[policy])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_integer_inputs_raise(case, dtype):
    made, x, call = make(case)
    with pytest.raises(TypeError, match=f"{dtype} values; pass floating-point values"):
        made(x.astype(dtype), **call)


@pytest.mark.parametrize("case", CASES)
def test_every_variable_has_a_name_of_its_own_and_is_in_a_checkpoint(case, tmp_path):
    made, _, _ = make(case)
    paths = [variable.path for variable in made.variables]
    assert len(set(paths)) == len(paths) > 0 and not any("variable" in path for path in paths)
    values = [variable.numpy() for variable in made.variables]
    path = tf.train.Checkpoint(made).write(str(tmp_path / "checkpoint"))
    for variable in made.variables:
        variable.assign(0.0 * variable.value)
    tf.train.Checkpoint(made).read(path).assert_existing_objects_matched()
    for variable, value in zip(made.variables, values, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("case", MODELS)
def test_a_model_is_built_at_once_and_has_a_summary(case):
    kind, arguments, _, _ = CASES[case]
    model = kind(**arguments)
    assert model.built and model.count_params() == sum(int(np.prod(v.shape)) for v in model.variables)
    lines = io.StringIO()
    model.summary(print_fn=lambda line, **_: lines.write(line + "\n"))
    text = lines.getvalue()
    assert all(layer.name in text for layer in model.layers)
    assert "Total params" in text and "unbuilt" not in text


def test_without_arguments_the_models_have_the_settings_defaults():
    assert SpatialGenerator().model_config == ModelConfig()
    assert PatchDiscriminator().filters == ModelConfig().discriminator_filters


def test_a_generator_is_made_from_a_runs_settings():
    config = ModelConfig(3, 2, 4, False, "axis", 7, (4,), kernel_size=5)
    made = SpatialGenerator.from_model_config(config, seed=9, name="mine", dtype="mixed_bfloat16")
    assert made.model_config == config
    assert (made.seed, made.name, made.compute_dtype) == (9, "mine", "bfloat16")


@pytest.mark.parametrize(
    "kind, arguments, message",
    [
        (UpConvolution, {"filters": 3, "kernel_size": 4}, "kernel_size: 4 is not possible; choose 5 or 6"),
        (SpatialGenerator, {"kernel_size": 7}, "kernel_size: 7"),
        (SpatialGenerator, {"wave_angles": "all"}, "wave_angles: 'all' is unknown; choose any or axis"),
    ],
)
def test_arguments_out_of_range_raise(kind, arguments, message):
    with pytest.raises(SettingError, match=message):
        kind(**arguments)
