"""A folder of runs: names that stay, what counts as complete, and the page."""

import dataclasses
import os

import numpy as np
import pytest

from tests.support.small_run import changed, picture, save_generator
from tf_psgan.data import images, manifest
from tf_psgan.errors import RunError
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import collection
from tf_psgan.training.collection import Item

ROW = {"step": 6, "seconds": 90.0, "samples": 2, "sample_pixels": 64, "log_spectrum": 0.25, "peak_height": None}


@pytest.fixture
def pictures(tmp_path):
    """A folder of four pictures of different content and awkward names."""
    names = ("a.png", "sub/a.jpg.png", "Käse, [1] ünd.png", "index.png")
    for i, name in enumerate(names):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(path, period=12 + i)
    return tmp_path / "pictures"


def scan(folder):
    return manifest.scan([str(folder)])


def begun(folder, entry, row=ROW, **settings):
    """A run of one picture, with a checkpoint, an evaluation and a report."""
    run = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run.write_config(changed(**settings))
    run.write("manifest.json", manifest.to_json(manifest.Manifest((entry,))))
    save_generator(run)
    run.add_metrics(row)
    run.write("report.md", "# report\n")
    return run


def names(runs, found):
    return {os.path.basename(item.entry.path): item.name for item in collection.items(runs, found)}


def test_runs_have_the_names_of_their_pictures(pictures, tmp_path):
    picture(pictures / "sub" / "a.png", period=30)
    found = names(tmp_path / "runs", scan(pictures))
    assert found == {"Käse, [1] ünd.png": "Käse_1_ünd", "a.png": "a_2", "index.png": "index_2", "a.jpg.png": "a.jpg"}
    all_names = [item.name for item in collection.items(tmp_path / "runs", scan(pictures))]
    assert sorted(all_names) == ["Käse_1_ünd", "a", "a.jpg", "a_2", "index_2"]


def test_a_run_is_found_by_its_picture_s_content(pictures, tmp_path):
    runs, first = tmp_path / "runs", {entry.path: entry for entry in scan(pictures).entries}
    begun(runs / "a", first[str(pictures / "a.png")])
    (pictures / "0").mkdir()
    picture(pictures / "0" / "a.png", period=40)
    assert names(runs, scan(pictures / "0")) == {"a.png": "a_2"}
    os.rename(pictures / "a.png", pictures / "renamed.png")
    assert names(runs, scan(pictures))["renamed.png"] == "a"


def test_pictures_of_equal_content_have_one_run_and_unusable_ones_none(pictures, tmp_path, logged):
    (pictures / "b.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "broken.png").write_bytes(b"\x89PNG")
    found = names(tmp_path / "runs", scan(pictures))
    assert "b.png" not in found and found["broken.png"] == ""
    assert f"{pictures / 'b.png'}: the same picture as {pictures / 'a.png'}." in logged()


def test_a_run_whose_manifest_cannot_be_read_keeps_its_name(pictures, tmp_path):
    (entry, *_) = [entry for entry in scan(pictures).entries if entry.path.endswith("/a.png")]
    run = begun(tmp_path / "runs" / "a", entry)
    run.write("manifest.json", "{")
    assert names(tmp_path / "runs", scan(pictures))["a.png"] == "a"


@pytest.fixture
def complete(pictures, tmp_path):
    (entry, *_) = scan(pictures).entries
    return begun(tmp_path / "runs" / "one", entry)


def test_a_run_at_its_last_step_is_complete(complete):
    config = changed()
    assert collection.is_complete(complete, config, {"steps", "minutes"})
    assert not collection.is_complete(complete, changed(steps=7), {"steps", "minutes"})
    assert not collection.is_complete(RunFolder(complete.path.parent / "none"), config, {"steps"})


def test_a_run_at_its_last_minute_is_complete(complete):
    by_time = {"steps": 0, "minutes": 1.5}
    assert collection.is_complete(complete, changed(**by_time), by_time)
    assert not collection.is_complete(complete, changed(**by_time | {"minutes": 1.6}), by_time)


def test_the_run_s_own_minutes_count_where_none_are_given(pictures, tmp_path):
    run = begun(tmp_path / "runs" / "one", scan(pictures).entries[0], steps=0, minutes=1.0)
    assert collection.is_complete(run, changed(steps=0, minutes=30.0), set())


def test_a_run_without_a_report_of_its_last_evaluation_is_not_complete(complete):
    os.utime(complete.path / "report.md", ns=(0, 0))
    assert not collection.is_complete(complete, changed(), {"steps"})
    (complete.path / "report.md").unlink()
    assert not collection.is_complete(complete, changed(), {"steps"})


def test_a_run_of_other_settings_is_an_error(complete):
    with pytest.raises(RunError, match="other settings"):
        collection.is_complete(complete, changed(local_channels=4), {"local_channels"})


def test_the_page_shows_pictures_metrics_reports_and_what_failed(complete, pictures, tmp_path):
    entries = [dataclasses.replace(entry, path=f"a|{i}<b>.png") for i, entry in enumerate(scan(pictures).entries[:2])]
    sheet = np.zeros((384, 800, 3), np.uint8)
    images.write_png(complete.path / "report-samples.png", sheet)
    shown = [Item("one", entries[0]), Item("", entries[1])]
    collection.write_page(tmp_path / "runs", shown, {entries[1].path: "failed: not\na | picture"})
    rows = (tmp_path / "runs" / "index.md").read_text(encoding="utf-8").splitlines()[-2:]
    one = r"| a\|0\<b\>.png | ![one](index/one.jpg) | 6, 1.5 |  |  | 0.250 |  | [one](one/report.md) |"
    assert rows == [one, r"| a\|1\<b\>.png |  |  |  |  |  |  | failed: not a \| picture |"]
    assert images.decode(tmp_path / "runs" / "index" / "one.jpg").shape == (192, 400, 3)


def test_a_damaged_run_is_a_row_without_results(complete, tmp_path):
    (complete.path / "metrics.jsonl").write_text("{}x\n")
    collection.write_page(tmp_path / "runs", [Item("one", manifest.Entry("one.png"))], {"one.png": "failed: damaged"})
    assert "| one.png |  |  |  |  |  |  | failed: damaged |" in (tmp_path / "runs" / "index.md").read_text()
