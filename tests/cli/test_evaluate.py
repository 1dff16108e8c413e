"""`evaluate.py` as a user runs it: the table comes last, the files are written, a mistake is one line."""

import json

import pytest

from tests.support.commands import call, fail
from tests.support.small_run import CONFIG, picture, save_generator
from tf_psgan.data import images, manifest
from tf_psgan.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a checkpoint and its own picture."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "small")
    with folder.locked():
        folder.write_config(CONFIG)
    folder.write("manifest.json", manifest.to_json(manifest.scan([picture(folder.path / "a.png", pixels=128)])))
    save_generator(folder)
    return folder.path


def test_a_run_is_evaluated_and_only_the_table_is_printed(run, tmp_path):
    files = [f"--json={tmp_path / 'a.json'}", f"--sheet={tmp_path / 'a.png'}"]
    out, err = call("evaluate.py", f"--run={run}", "--dtype=float32", "--seed=5", *files)
    assert err == "" and out.startswith("small at step 3, float32: 2 samples of 64x64 pixels\n")
    metrics = json.loads((tmp_path / "a.json").read_text())
    value, floor = (metrics[kind]["diversity"] for kind in ("means", "floor"))
    assert out.splitlines()[-1].split()[:4] == ["diversity", f"{value:.3f}", f"{floor:.3f}", "1"]
    assert [row["seed"] for row in metrics["samples"]] == [5, 6]
    # The source, as high as one row of samples, the gap and two samples.
    assert images.decode(tmp_path / "a.png").shape == (64, 64 + 24 + 64 + 4 + 64, 3)


def test_pictures_are_evaluated_without_a_run(run, tmp_path):
    picture(tmp_path / "small.png", pixels=20)
    out, err = call("evaluate.py", f"--images={run / 'a.png'},{tmp_path}", f"--sources={run / 'a.png'}")
    assert "small.png: 20x20 pixels are too few to evaluate" in err and err.count("\n") == 1
    assert (
        out.startswith("1 picture of 128x128 pixels\n")
        and "- These metrics find nothing wrong." in out
        and "colour                    0.000" in out
    )


def test_a_missing_source_is_an_error_of_one_line(run):
    assert "'nowhere.png': no such file or folder; correct the path (change --sources)." in fail(
        "evaluate.py", f"--run={run}", "--sources=nowhere.png"
    )
