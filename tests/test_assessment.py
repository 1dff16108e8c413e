"""What is judged and by what: windows of a run's own plane or given pictures, a run's own sources or given ones."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.support.small_run import changed, picture, save_generator
from tf_psgan import assessment
from tf_psgan.assessment import Case, assess
from tf_psgan.data import images, manifest
from tf_psgan.evaluation.evaluator import Evaluator, Sources
from tf_psgan.runs.run_folder import RunFolder, load_plane


def made_run(path, source, **settings):
    """A run with a checkpoint of step 3, two samples of 64 pixels."""
    folder, config = RunFolder(path), changed(**settings)
    with folder.locked():
        folder.write_config(config)
    folder.write("manifest.json", manifest.to_json(manifest.scan([str(source)])))
    save_generator(folder, step=3, model=config.model)
    return str(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return picture(tmp_path_factory.mktemp("sources") / "a.png", pixels=128)


@pytest.fixture(scope="module")
def run(tmp_path_factory, source):
    return made_run(tmp_path_factory.mktemp("runs") / "small", source)


@pytest.fixture
def figures(tmp_path):
    """Judges a case; the figures of its JSON file and its table."""

    def judged(**case):
        file = tmp_path / "figures.json"
        table = assess(Case(dtype="float32", json=str(file), **case))
        return json.loads(file.read_text()), table

    return judged


def refused(words, **case):
    with pytest.raises(ValueError, match=words) as error:
        assess(Case(dtype="float32", **case))
    assert "\n" not in str(error.value)


def test_a_run_is_judged_by_windows_of_its_plane_and_its_own_sources(run, source, figures, tmp_path):
    sheet = tmp_path / "sheet.png"
    found, table = figures(run=run, sheet=str(sheet))
    plane = load_plane(run, "float32")
    windows = [plane.window(64, 64, seed=i) for i in range(2)]
    evaluator = Evaluator(Sources((source,), (images.decode(tmp_path / source),)))
    means = evaluator.measure(windows, several=False)
    assert found["means"] == {name: pytest.approx(value) for name, value in means.items()}
    assert (found["run"], found["step"], found["dtype"], found["sources"]) == (run, 3, "float32", [source])
    assert [(row["seed"], row["texture"], row["nearest"]) for row in found["samples"]] == [(0, 0, None), (1, 0, None)]
    assert found["versions"]["numpy"] == np.__version__
    np.testing.assert_array_equal(images.decode(sheet), evaluator.sheet(windows))
    title = f"small at step 3, float32: 2 samples of 64x64 pixels\nagainst {source}\nfloor: "
    assert table.startswith(title) and f"colour {means['colour']:.3f}" in " ".join(table.split())


def test_a_model_of_several_textures_shows_those_that_are_asked_for(tmp_path, source, figures):
    run = made_run(tmp_path / "run", source, global_channels=4)
    found, table = figures(run=run, pixels=70, seed=9)
    assert [(row["seed"], row["texture"]) for row in found["samples"]] == [(9, 0), (10, 1)]
    RunFolder(tmp_path / "run").write_texture("moss", [0.5, -1.0, 0.0, 1.0], {"step": 3})
    found, table = figures(run=run, pixels=70, texture=["-7", "3", "moss"])
    assert [(row["seed"], row["texture"]) for row in found["samples"]] == [(0, -7), (1, 3), (2, "moss")]
    assert "3 samples of 70x70 pixels" in table
    found, _ = figures(run=run, samples=3, texture=["5", "6"])
    assert [row["texture"] for row in found["samples"]] == [5, 6, 5]
    refused("no such name", run=run, texture=["no such name"])


def test_pictures_that_moved_away_are_named_with_the_remedy_and_others_serve(tmp_path, source, figures):
    moved = picture(tmp_path / "b.png", pixels=80)
    run = made_run(tmp_path / "run", moved)
    (tmp_path / "b.png").unlink()
    refused(r"b\.png: gone since the scan .*; put it back or say --sources=PICTURE_OR_FOLDER\.", run=run)
    picture(tmp_path / "b.png", pixels=81)
    refused(r"b\.png: changed since the scan; put it back or say --sources=", run=run)
    assert figures(run=run, sources=[source], samples=1)[0]["sources"] == [source]


def test_the_same_picture_in_another_file_has_no_distance(tmp_path, source, figures):
    grey = images.decode(tmp_path / source)[..., 0]
    Image.fromarray(grey).convert("RGB").save(tmp_path / "eight.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    turned = Image.fromarray(np.rot90(grey)).convert("RGB")
    turned.getexif()[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    names = [str(tmp_path / name) for name in ("eight.png", "sixteen.png", "turned.png")]
    found, table = figures(images=names, sources=names[:1])
    assert table.startswith("3 pictures of 128x128 pixels\nagainst ")
    for row, name in zip(found["samples"], names, strict=True):
        assert row["picture"] == name and row["autocorrelation_distance"] == row["colour"] == row["log_spectrum"] == 0


def test_of_larger_pictures_the_middle_is_judged(source, figures, monkeypatch):
    assert figures(images=[source], sources=[source], pixels=70)[0]["samples"][0]["pixels"] == [70, 70]
    monkeypatch.setattr(assessment, "SOURCE_PIXELS", 90)
    assert figures(images=[source], sources=[source])[0]["samples"][0]["pixels"] == [90, 90]


def test_pictures_go_to_the_nearest_of_several_sources(tmp_path, source, figures):
    other = picture(tmp_path / "fine.png", pixels=128, period=7)
    found, table = figures(images=[other, source, other], sources=[source, other])
    assert [row["nearest"] for row in found["samples"]] == [other, source]  # a picture named twice counts once
    assert found["means"]["covered"] == 2
    assert "2 sources, each sample against the one that it is most like" in table and "2 of 2" in table


def test_what_cannot_be_used_is_skipped_aloud(tmp_path, source, figures, logged, monkeypatch):
    picture(tmp_path / "small.png", pixels=63)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    monkeypatch.setattr(assessment, "MOST_SHOWN", 1)
    monkeypatch.setattr(assessment, "MOST_SOURCES", 0)
    picture(tmp_path / "z.png")
    figures(images=[str(tmp_path), source], sources=[source], sheet=str(tmp_path / "s.png"))
    lines = logged().splitlines()
    assert lines[0] == "sources: the first 0 of 1 pictures are held against."
    assert "broken.png: not a picture" in lines[1] and lines[1].startswith("skipped: ")
    assert lines[2].endswith("small.png: 63x63 pixels are too few to evaluate; give 64x64 or more.")
    assert lines[3].endswith("s.png: shows the first 1 of 2 samples.") and len(lines) == 4


@pytest.mark.parametrize(
    "case, words",
    [
        ({"images": ["a.png"]}, "sources: missing; say --sources="),
        ({"images": ["a.png"], "sources": ["b.png"], "seed": 0}, "judged as they are; leave these flags out"),
        ({"samples": 0}, "samples: 0 is nothing to evaluate"),
        ({"pixels": 63}, "pixels: 63 are too few to evaluate; give 64 or more"),
        ({"json": "a.txt"}, r"a\.txt: is to be JSON"),
        ({"json": "no/a.json"}, "the folder no is missing; make it or correct --json"),
        ({"sheet": "a.gif"}, "cannot write the suffix '.gif'"),
        ({"sheet": "no/a.png"}, "the folder no is missing; make it or correct --sheet"),
        ({}, r"no run here \(no config.json\)"),
    ],
)
def test_a_mistake_is_found_before_anything_is_read(tmp_path, case, words):
    refused(words, **({} if "images" in case else {"run": str(tmp_path)}) | case)


def test_pictures_that_cannot_be_judged_are_refused_by_the_flag_that_named_them(tmp_path, run, source):
    small = picture(tmp_path / "small.png", pixels=63)
    refused(r"--sources: .*small\.png: 63x63 pixels are too few", images=[source], sources=[small])
    refused("--images: .* None of the 1 others can", images=[small, picture(tmp_path / "b.png", 20)], sources=[source])
    refused("no such file or folder; correct --sources", run=run, sources=["nowhere.png"])
    (tmp_path / "empty").mkdir()
    refused("--images: no pictures found", images=[str(tmp_path / "empty")], sources=[source])
    (tmp_path / "f.json").mkdir()
    refused(r"f\.json: is a folder; correct --json", run=run, json=str(tmp_path / "f.json"))


def test_more_pixels_than_memory_are_refused(run):
    refused("samples, pixels: 1000000 of 64x64 pixels are more than", run=run, samples=1_000_000)
    refused("seed: 9223372036854775808 is outside", run=run, seed=2**63)


def test_nothing_is_written_when_the_judging_fails(tmp_path, run, source):
    outs = {"json": str(tmp_path / "a.json"), "sheet": str(tmp_path / "a.png")}
    refused("no such file", run=run, sources=["nowhere.png"], **outs)
    assert list(tmp_path.iterdir()) == []
