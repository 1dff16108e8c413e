"""`benchmarks/recipe.py`: every arm can be trained by what it names, and the table says what it should."""

import json

import pytest
from absl import flags

from benchmarks import recipe, variants
from tf_psgan import flags as edge
from tf_psgan import made_textures


@pytest.mark.parametrize("arm", recipe.ARMS)
def test_each_arm_is_settings_and_a_variant_that_there_are(arm):
    settings, variant = recipe.ARMS[arm]
    values = flags.FlagValues()
    edge.define_config(values)
    values(["recipe", *settings])
    config = edge.read_config(values)
    cells = 2 ** (len(config.model.filters) + 1)
    assert config.data.crop_cells * cells % 2 ** (len(config.model.critic_filters) + 1) == 0
    with getattr(variants, variant)() as alter:
        assert callable(alter)


def test_the_textures_are_the_projects_own():
    assert set(recipe.TEXTURES) <= set(made_textures.TEXTURES)


def result(folder, arm, texture, seed, **figures):
    blank = {"step": 300, "periodic": 1, "peak_offset_pixels": 0.5, "peak_height": 1.0}
    folder.mkdir(exist_ok=True)
    (folder / f"{arm}-{texture}-{seed}.json").write_text(
        json.dumps(blank | dict.fromkeys(recipe.FIGURES, 0.1) | figures), encoding="utf-8"
    )


def ask(capsys, *arguments, code=0):
    assert edge.run(["recipe.py", *arguments], recipe.USAGE, recipe.define, recipe.main) == code
    said = capsys.readouterr()
    return (said.err if code else said.out).splitlines()


def test_the_table_compares_with_the_defaults_of_the_same_texture_and_seed(tmp_path, capsys):
    for seed, colour in (("1", 0.05), ("2", 0.1), ("3", 0.4)):
        result(tmp_path, "defaults", "brick", seed, colour=2 * colour)
        result(tmp_path, "hinge", "brick", seed, colour=colour, peak_height=0.5)
    lines = ask(capsys, f"--out={tmp_path}", "--arms=hinge", "--textures=brick")
    assert lines[2].endswith("| 1.00 (1.00 to 1.00) | 3 of 3 |")
    assert lines[3].startswith("| hinge | 300 | 1.00 ") and lines[3].endswith("| 0.50 (0.50 to 0.50) | 0 of 3 |")


def test_an_unknown_arm_is_one_line(tmp_path, capsys):
    lines = ask(capsys, f"--out={tmp_path}", "--arms=magic", code=2)
    assert len(lines) == 1 and "'magic'" in lines[0] and "hinge" in lines[0]
