"""`benchmarks/quality/recipe.py`: every arm can be trained by what it names, and the table says what it should."""

import json

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from benchmarks.quality import recipe, variants
from tests.support import tiny
from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig
from tf_psgan.data import crops
from tf_psgan.latents import noise
from tf_psgan.networks import inference, operations
from tf_psgan.procedural import catalogue


@pytest.mark.parametrize("arm", recipe.ARMS)
def test_each_arm_is_settings_and_a_variant_that_there_are(arm):
    settings, variant = recipe.ARMS[arm]
    values = flags.FlagValues()
    edge.define_config(values)
    values(["recipe", *settings])
    config = edge.read_config(values)
    cells = 2 ** (len(config.model.filters) + 1)
    assert config.data.crop_cells * cells % 2 ** (len(config.model.discriminator_filters) + 1) == 0
    assert callable(getattr(variants, variant))


@pytest.mark.long  # each traces a training step of its own
@pytest.mark.parametrize("variant", sorted({variant for _, variant in recipe.ARMS.values()}))
def test_each_variant_is_a_step_that_trains(variant):
    training = TrainingConfig(r1=0.0)
    config = Config(tiny.model_config(), DataConfig(crop_cells=2, batch_size=2), training)
    step = getattr(variants, variant)(config, "float32")
    start, height, width = (tf.constant([n], tf.int64) for n in (0, 20, 24))
    pixels = tf.constant(np.random.default_rng(0).integers(0, 256, (20 * 24, 3)), tf.uint8)
    report = step(crops.PackedImages(pixels, start, height, width))
    assert {name: bool(np.isfinite(value)) for name, value in report.items()} == dict.fromkeys(report, True)
    assert step.skipped.numpy() == 0
    names = [term.name for term in step.terms]
    assert {"generator_loss", "discriminator_loss", "r1_penalty", "spectral_loss"} <= set(names)


def test_a_kernel_of_phases_is_turned_back():
    kernel = np.random.default_rng(0).normal(size=(6, 6, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(variants._from_phases(np.array(operations.to_phases(kernel))), kernel)


@pytest.mark.parametrize("variant", ["from_honeycomb", "from_manifold"])
def test_a_step_from_a_ready_made_model_begins_with_its_pictures(variant):
    """In training, where the layers are normalised by the batch, and outside of it."""
    settings = dict(setting.removeprefix("--").split("=") for setting in recipe.ARMS[variant][0])
    filters = tuple(map(int, settings.get("filters", "128,64,32").split(",")))
    model = ModelConfig(filters=filters, local_channels=int(settings.get("local_channels", 30)))
    step = getattr(variants, variant)(Config(model), "float32")
    step.set_wave_numbers(tf.constant([[0.7, 0.2], [0.1, -0.8]]))
    key = noise.fold(1, 5)
    latents = step._latents(step.generator, key, 16, 8, None)
    blocks = list(step._model.blocks)
    wide = blocks[0][0].shape[2] - latents.shape[3]  # global channels, which are 0 here
    padded = tf.concat([latents[..., :-4], tf.zeros((*latents.shape[:3], wide)), latents[..., -4:]], axis=3)
    expected = inference.generate(blocks, padded, "float32")
    step.averaged.recalibrate(latents)
    for pictures in (step.generator(latents, training=True), step.averaged(latents)):
        assert np.mean(np.abs(pictures - expected)) < 0.05 * np.std(expected)


def test_the_textures_are_the_projects_own():
    assert set(recipe.TEXTURES) <= set(catalogue.TEXTURES)


def result(folder, arm, texture, seed, **metrics):
    blank = {"step": 300, "periodic": 1, "peak_offset_pixels": 0.5, "peak_height": 1.0}
    folder.mkdir(exist_ok=True)
    (folder / f"{arm}-{texture}-{seed}.json").write_text(
        json.dumps(blank | dict.fromkeys(recipe.METRICS, 0.1) | metrics), encoding="utf-8"
    )


def run(capsys, *arguments, code=0):
    assert program.run(["recipe.py", *arguments], recipe.USAGE, recipe.define, recipe.main) == code
    said = capsys.readouterr()
    return (said.err if code else said.out).splitlines()


def test_the_table_compares_with_the_defaults_of_the_same_texture_and_seed(tmp_path, capsys):
    for seed, colour in (("1", 0.05), ("2", 0.1), ("3", 0.4)):
        result(tmp_path, "defaults", "brick", seed, colour=2 * colour)
        result(tmp_path, "hinge", "brick", seed, colour=colour, peak_height=0.5)
    lines = run(capsys, f"--out={tmp_path}", "--arms=hinge", "--textures=brick")
    assert lines[2].endswith("| 1.00 (1.00 to 1.00) | 3 of 3 |")
    same = "1.00 (1.00 to 1.00)"
    assert lines[3] == f"| hinge | 300 | {same} | {same} | {same} | 0.50 (0.50 to 0.50) | {same} | 0 of 3 |"


def test_metrics_that_no_arm_optimises_are_columns_of_their_own(tmp_path, capsys):
    for arm, precision in (("defaults", 0.5), ("hinge", 0.75)):
        for seed in "123":
            unseen = {"precision": precision, "recall": 0.25, "pattern": 1.5, "discriminator_loss": 0.6}
            result(tmp_path, arm, "brick", seed, **unseen)
    lines = run(capsys, f"--out={tmp_path}", "--arms=hinge", "--textures=brick")
    assert [line.split(" | ")[-3:] for line in lines[2:]] == [
        ["0.50/0.25", "1.5", "0.60 |"],
        ["0.75/0.25", "1.5", "0.60 |"],
    ]


def test_results_of_other_conditions_are_not_mixed_in(tmp_path, capsys):
    for arm in ("defaults", "hinge"):
        for seed, colour in (("1", 0.1), ("2", None)):  # null: not finite
            result(tmp_path, arm, "brick", seed, conditions={"seconds": 30.0, "base": []}, colour=colour)
    given = (f"--out={tmp_path}", "--arms=hinge", "--textures=brick", "--seeds=1,2")
    assert len(run(capsys, *given, "--seconds=30")) == 4
    lines = run(capsys, *given, "--seconds=60", code=2)
    assert len(lines) == 1 and "was made with" in lines[0] and "choose another folder" in lines[0]


def test_an_unknown_arm_is_one_line(tmp_path, capsys):
    lines = run(capsys, f"--out={tmp_path}", "--arms=magic", code=2)
    assert len(lines) == 1 and "'magic'" in lines[0] and "hinge" in lines[0]


def test_pictures_of_the_users_own_are_named_by_their_file(tmp_path, capsys):
    for seed in "123":
        result(tmp_path, "defaults", "wall", seed)
    assert len(run(capsys, f"--out={tmp_path}", "--arms=defaults", "--textures=my/photos/wall.jpg")) == 3


def test_even_grain_is_told_from_the_same_grain_in_few_places():
    rng = np.random.default_rng(0)
    even = rng.normal(0, 20, (256, 256))
    where = np.kron(rng.random((32, 32)) < 0.25, np.ones((8, 8)))
    even, uneven = (np.repeat((128 + grain)[..., np.newaxis], 3, axis=2) for grain in (even, 2 * even * where))
    same = recipe.roughness([even[:, :128]]) - recipe.roughness([even[:, 128:]])
    assert np.abs(same).mean() < 0.1 < 1 < np.abs(recipe.roughness([even]) - recipe.roughness([uneven])).mean()


@pytest.mark.parametrize(("textures", "words"), [("nowhere.jpg", "nowhere.jpg"), ("brick,my/brick.png", "named twice")])
def test_a_picture_that_cannot_be_taken_is_one_line(tmp_path, capsys, textures, words):
    lines = run(capsys, f"--out={tmp_path}", "--arms=defaults", f"--textures={textures}", code=2)
    assert len(lines) == 1 and words in lines[0]
