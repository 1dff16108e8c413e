"""The model card reports what the run records and what the export is, without paths of the machine."""

import json

import pytest

from tests.support.small_export import exported
from tests.support.small_run import changed
from tf_psgan.config import ModelConfig
from tf_psgan.data import images
from tf_psgan.data.manifest import Manifest
from tf_psgan.evaluation.evaluator import METRICS
from tf_psgan.exporting.model_card import Card
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Limits
from tf_psgan.loading import load_generator
from tf_psgan.plane.folded_generator import fold


@pytest.fixture(scope="module")
def card():
    return (exported()[1] / "assets.extra" / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "# small, version 1",
        f"| rust.png | 96 x 128 | 1234 | {'ab' * 32} |",
        "Licence of the pictures: CC0, by the tests.",
        "The run `rusty`, 3 steps, about 5.0 minutes. Settings: at the end.",
        f"| `log_spectrum` | 0.125 | 0 | {METRICS['log_spectrum'][0]} |",
        "| computed in | float32 |",
        "| textures | one for each 64-bit integer; by name, with tf_psgan: rust |",
        "| `describe` | none | `description` string [] |",
        f"| `filters` | 8, 4 | {ModelConfig.__dataclass_fields__['filters'].metadata['help']} |",
    ],
)
def test_the_card_has_each_known_fact(card, line):
    assert line in card.splitlines()


def test_the_card_states_the_numbers_of_parameters_and_bytes(card):
    folder, path = exported()
    folded = fold(load_generator(folder.path, "float32"))
    count = sum(part.size for block in folded.blocks for part in block) + sum(part.size for part in folded.waves)
    weights = sum(file.stat().st_size for file in (path / "variables").iterdir())
    graph = (path / "saved_model.pb").stat().st_size
    assert f"| parameters | {count}, stored as float32, batch norm folded in |" in card
    assert f"| on disk | {weights + graph} bytes: {weights} of weights, {graph} of graph |" in card


def test_the_card_has_no_path_of_the_machine_that_trained(card):
    assert "secret" not in card and "small.png" not in card
    assert str(exported()[1].parent.parent) not in card


def test_the_card_picture_has_two_rows_of_four_windows():
    assert images.decode(exported()[1] / "assets.extra" / "samples.jpg").shape == (2 * 256 + 4, 4 * 256 + 12, 3)


def test_the_card_states_what_is_not_known(tmp_path):
    _, path = exported()
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"")
    folded = fold(load_generator(exported()[0].path, "float32"))
    with SessionModel(path) as model:
        draft = Draft(tmp_path, path, folded, Limits(), model)
        Card("run", changed(), Manifest(()), 3, (), (), "").write(draft)
    text = (tmp_path / "assets.extra" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Licence of the pictures: **not stated**" in text
    assert "Not known: the run was not evaluated." in text


def test_the_card_lists_the_signatures_of_the_export(card):
    rows = [line.split("`")[1] for line in card.partition("## Signatures")[2].splitlines() if line.startswith("| `")]
    with SessionModel(exported()[1]) as model:
        assert rows[: len(model.signatures)] == sorted(model.signatures)
        assert json.loads(model.run("describe"))["textures"].keys() == {"rust"}
