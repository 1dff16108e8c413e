"""`benchmarks.quality.photographs`: trained once, measured once, letters without names, medians and targets."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality.photographs import __main__ as photographs
from benchmarks.quality.photographs import blind_sheet, measuring, summary, training
from tests.support import small_run
from tests.support.small_vgg import write_h5
from tf_psgan import config
from tf_psgan.data import manifest
from tf_psgan.evaluation import artefacts
from tf_psgan.evaluation.vgg_features import VggFeatures
from tf_psgan.runs.run_folder import RunFolder

STUB = """
import json, pathlib, shutil, sys
trained, log, run, steps = map(pathlib.Path, sys.argv[1:])
with log.open("a") as stream:
    stream.write(run.name + "\\n")
if run.name == "b-2" and not (log.parent / "repaired").exists():
    sys.exit("no luck")
shutil.copytree(trained / run.name.partition("-")[0], run, dirs_exist_ok=True)
(run / "metrics.jsonl").write_text(json.dumps({"step": int(steps.name), "seconds": 90.0}) + "\\n")
(run / "report.md").write_text("done")
"""


def trained(folder, picture, step=6):
    """A run folder as training leaves it, of one picture."""
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    run.write("config.json", config.to_json(small_run.changed(images=(str(picture),))))
    run.write("manifest.json", manifest.to_json(manifest.scan([str(picture)])))
    small_run.save_generator(run, step)
    return folder


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two photographs, and a trainer that copies runs of them and fails for the second with seed 2."""
    (tmp_path / "photos").mkdir()
    for name, period in (("a", 12), ("b", 16)):
        small_run.picture(tmp_path / "photos" / f"{name}.png", 128, period)
        trained(tmp_path / "trained" / name, tmp_path / "photos" / f"{name}.png")
    stub = tmp_path / "stub.py"
    stub.write_text(STUB)

    def command(job):
        return [sys.executable, *map(str, (stub, tmp_path / "trained", tmp_path / "log", job.folder, job.steps))]

    monkeypatch.setattr(training.Training, "command", command)
    return [f"--folder={tmp_path / 'photos'}", f"--out={tmp_path / 'out'}", "--seeds=1,2", "--steps=6"]


def test_what_is_trained_and_measured_is_not_done_again_and_what_failed_is(small, tmp_path, capsys):
    out, log = tmp_path / "out", tmp_path / "log"
    assert photographs.main(small) == 1
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "1 failed, the first b-2: no luck; the same command tries again."
    assert sorted(log.read_text().split()) == ["a-1", "a-2", "b-1", "b-2"]
    assert "| a | 6 (6 to 6) |" in said.out and "| b | 6 |" in said.out
    kept = (out / "measured" / "a.json").stat().st_mtime_ns

    log.unlink()
    (tmp_path / "repaired").touch()
    assert photographs.main(small) == 0
    assert log.read_text().split() == ["b-2"]
    assert (out / "measured" / "a.json").stat().st_mtime_ns == kept
    record = json.loads((out / "measured" / "b.json").read_text())
    assert list(record["runs"]) == ["b-1", "b-2"] and record["window"] == [128, 128]
    assert "| b | 6 (6 to 6) |" in (out / "report.md").read_text()
    for picture in ("b-source", "b-quilting", "b-1-origin", "b-2-far"):
        assert Image.open(out / "pictures" / f"{picture}.png").size == (128, 128)
    for name, letters in json.loads((out / "keys.json").read_text()).items():
        assert list(letters) == ["A", "B", "C"] and sorted(letters.values()) == ["quilting", "result", "source"]
        assert not Image.open(out / "sheets" / f"{name}.png").info

    record["key"]["format"] = 0  # as an earlier version of the benchmark measured it
    (out / "measured" / "b.json").write_text(json.dumps(record | {"runs": {}}))
    assert photographs.main([*small, "--only=b"]) == 0
    assert json.loads((out / "measured" / "b.json").read_text())["runs"].keys() == {"b-1", "b-2"}

    log.unlink()
    assert photographs.main([*small, "--steps=9", "--only=a"]) == 0  # a larger budget continues the runs
    assert sorted(log.read_text().split()) == ["a-1", "a-2"]
    assert photographs.main([*small, "--train-flags=--waves=0"]) == 2
    assert "other flags (none)" in capsys.readouterr().err


def test_runs_that_exist_are_measured_and_nothing_is_trained(small, tmp_path, capsys):
    (tmp_path / "trained" / "b").rename(tmp_path / "trained" / "elsewhere")
    assert photographs.main([*small, f"--runs={tmp_path / 'trained'}"]) == 0
    said = capsys.readouterr()
    assert "b: no run in" in said.err and "| a | 6 |" in said.out and not (tmp_path / "log").exists()


def test_a_run_of_another_picture_is_not_measured(tmp_path):
    for name, period in (("a", 12), ("b", 16)):
        small_run.picture(tmp_path / f"{name}.png", 128, period)
    run = trained(tmp_path / "run", tmp_path / "a.png")
    assert measuring.key(tmp_path / "a.png", [run], None)["runs"] == {"run": 6}
    with pytest.raises(ValueError, match="did not learn from"):
        measuring.key(tmp_path / "b.png", [run], None)


def test_windows_of_a_run_are_two_places_of_one_plane_and_start_at_cells(tmp_path):
    run = trained(tmp_path / "run", small_run.picture(tmp_path / "a.png", 128))
    (near, far, *_), cell = measuring.render(run, 40, 56)
    assert near.shape == far.shape == (40, 56, 3) and not np.array_equal(near, far)
    assert cell == 8


def test_a_run_is_finished_when_its_last_evaluation_reaches_the_budget_and_its_report_is_written(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()

    def finished(**budget):
        return training.Training(tmp_path / "a.png", run.path, 1, **budget).is_finished()

    assert not finished(steps=6)
    run.write("config.json", config.to_json(small_run.changed(steps=7)))
    run.write("metrics.jsonl", '{"step": 6, "seconds": 90.0}\n')
    assert not finished(steps=6)
    run.write("report.md", "done")
    assert finished(steps=6) and finished(minutes=1.5)
    assert not finished(steps=7) and not finished(minutes=1.6)
    assert not finished()  # the run's own budget is 7 steps


@pytest.mark.parametrize(
    "budget, flags",
    [({}, []), ({"steps": 9}, ["--steps=9", "--minutes=0"]), ({"minutes": 2.5}, ["--steps=0", "--minutes=2.5"])],
)
def test_a_run_is_trained_with_no_settings_but_picture_folder_seed_and_budget(tmp_path, budget, flags):
    job = training.Training(tmp_path / "a.png", tmp_path / "a-3", 3, **budget)
    program, *given = job.command()[1:]
    assert program.endswith("train.py")
    assert given == [f"--images={tmp_path / 'a.png'}", f"--run={tmp_path / 'a-3'}", "--seed=3", *flags]


def test_the_order_of_a_sheet_depends_on_seed_and_name_and_keeps_every_kind():
    kinds = ["quilting", "result", "source"]
    orders = {(name, seed): blind_sheet.letters(name, seed, kinds) for name in ("mud", "ivy") for seed in range(8)}
    assert all(sorted(letters.values()) == kinds and list(letters) == ["A", "B", "C"] for letters in orders.values())
    for name in ("mud", "ivy"):
        assert len({tuple(orders[name, seed].values()) for seed in range(8)}) > 2
    assert any(orders["mud", seed] != orders["ivy", seed] for seed in range(8))
    assert orders["mud", 3] == blind_sheet.letters("mud", 3, kinds)


def test_a_sheet_shows_the_pictures_in_the_order_of_its_key():
    pictures = {kind: np.full((20, 30, 3), value, np.uint8) for kind, value in (("x", 10), ("y", 90), ("z", 200))}
    page = blind_sheet.page(pictures, {"A": "z", "B": "x", "C": "y"})
    row = page[-12]
    places = [int(np.flatnonzero((row == value).all(axis=-1))[0]) for value in (200, 10, 90)]
    assert places == sorted(places)


def test_the_metrics_of_a_photograph_are_those_of_its_references_and_of_its_runs(tmp_path):
    small_run.picture(tmp_path / "noise.png", 144)
    run = trained(tmp_path / "noise", tmp_path / "noise.png")  # as the row of random-phase noise is called
    features = VggFeatures(write_h5(tmp_path / "vgg.h5"))
    found = measuring.measure(tmp_path / "noise.png", [run], features)
    record, own = found.record, found.record["runs"]["noise"]
    assert record["pixels"] == record["window"] == [144, 144] and own["steps"] == 6
    assert "pool3_precision" in record["halves"] and "pool3_recall" in record["quilting"] and "cell_pattern" in own
    assert own["mean_colour_error"] > record["noise"]["mean_colour_error"]
    assert own["window_repetition"] == np.mean([artefacts.repetition(window) for window in found.windows["noise"]])
    assert found.source.shape == found.quilted.shape == (144, 144, 3)


def test_photographs_whose_halves_are_too_small_are_left_out(tmp_path):
    small_run.picture(tmp_path / "b.png", 100)
    with pytest.raises(ValueError, match="100x100 pixels are fewer than 128"):
        measuring.measure(tmp_path / "b.png", [], None)


RECORD = {
    "name": "mud",
    "halves": {"pool3_precision": 0.8, "pool3_recall": 0.5},
    "source": {"edge_coherence": 0.5, "window_repetition": 0.4},
}
METRICS = {
    "pool3_precision": 0.6,
    "pool3_recall": 0.45,
    "mean_colour_error": 1.5,
    "cell_pattern": 3.0,
    "chance_pattern": 2.0,
    "edge_coherence": 0.4,
    "window_repetition": 0.5,
    "steps": 900,
}


def test_metrics_are_divided_by_those_of_the_halves_of_the_source_and_of_chance():
    assert summary.relative(METRICS, RECORD) == pytest.approx(
        {
            "precision": 0.75,
            "recall": 0.9,
            "mean_colour_error": 1.5,
            "pattern": 1.5,
            "edge_coherence": 0.8,
            "repetition": 1.25,
        }
    )
    without = {name: value for name, value in METRICS.items() if not name.startswith(("pool3", "cell"))}
    assert set(summary.relative(without, RECORD)) == {"mean_colour_error", "edge_coherence", "repetition"}


def test_the_worst_is_lowest_highest_or_farthest_from_one_as_a_ratio():
    assert [summary.worst([0.6, 1.0, 1.5], best) for best in ("high", "low", "one")] == [0.6, 1.5, 0.6]
    assert summary.worst([0.8, 1.5], "one") == 1.5


def test_targets_are_compared_with_medians_and_with_the_worst_photograph():
    rows = {
        name: dict.fromkeys(summary.COLUMNS, ()) | {"precision": values, "mean_colour_error": [colour]}
        for name, values, colour in (("a", [0.5, 0.9, 1.0], 1.0), ("b", [0.7], 2.5), ("c", [1.1], 0.5))
    }
    lines = [target.line(rows) for target in summary.TARGETS]
    assert lines[0].endswith("at least 0.9: 0.90, met")  # medians .9, .7, 1.1
    assert lines[1].endswith("not measured")
    assert lines[2].endswith("at least 0.6: 0.70, met")
    assert lines[4].endswith("at most 2: 2.50, **not met**")


def test_the_report_has_a_line_for_each_photograph_then_median_and_worst():
    records = [
        RECORD | {"name": name, "quilting": METRICS, "runs": {f"{name}-1": METRICS | {"mean_colour_error": colour}}}
        for name, colour in (("mud", 1.0), ("ivy", 2.0), ("sand", 4.0))
    ]
    lines = summary.of_records(records).splitlines()
    assert lines[0].startswith("3 photographs, 3 runs.")
    assert "| ivy | 900 | 0.75 | 0.90 | 2.00 | 1.50 | 0.80 | 1.25 |" in lines
    assert "| **median** | | **0.75** | **0.90** | **2.00** | **1.50** | **0.80** | **1.25** |" in lines
    assert "| **worst** | | **0.75** | **0.90** | **4.00** | **1.50** | **0.80** | **1.25** |" in lines


def test_photographs_are_chosen_by_name_and_a_mistake_is_one_line(tmp_path, capsys):
    for name in ("a.png", "b.png", "c.png", "c.jpg"):
        (tmp_path / name).touch()
    assert [path.stem for path in photographs.choose(tmp_path, ["a", "b"], ["b"])] == ["a"]
    for arguments, words in (
        (["--only=d"], "no picture is named 'd'"),
        ([], "'c' is the name of two pictures"),
        (["--only=a", "--skip=a"], "no pictures"),
    ):
        code = photographs.main([f"--folder={tmp_path}", f"--out={tmp_path / 'out'}", *arguments])
        said = capsys.readouterr().err
        assert code == 2 and words in said and said.count("\n") == 1
