"""What is evaluated and compared: windows of a run's plane or given pictures, a run's own sources or given ones."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.support.small_run import changed, picture, save_generator
from tests.support.small_vgg import write_h5
from tf_psgan import assessment
from tf_psgan.assessment import evaluate
from tf_psgan.data import images, manifest
from tf_psgan.errors import InputError
from tf_psgan.evaluation import comparison
from tf_psgan.evaluation.evaluator import Evaluator, Sources
from tf_psgan.loading import load_plane
from tf_psgan.runs import outputs
from tf_psgan.runs.run_folder import RunFolder


def made_run(path, source, **settings):
    """A run with a checkpoint of step 3, two samples of 64 pixels."""
    folder, config = RunFolder(path), changed(**settings)
    with folder.locked():
        folder.write_config(config)
    folder.write("manifest.json", manifest.to_json(manifest.scan([str(source)])))
    save_generator(folder, step=3, model=config.model)
    return str(path)


NAMED = ("run", "model", "images")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return picture(tmp_path_factory.mktemp("sources") / "a.png", pixels=128)


@pytest.fixture(scope="module")
def run(tmp_path_factory, source):
    return made_run(tmp_path_factory.mktemp("runs") / "small", source)


@pytest.fixture
def evaluated(tmp_path):
    """Evaluates; what the JSON file holds, and the table."""

    def run(**arguments):
        file = tmp_path / "metrics.json"
        found = evaluate(dtype="float32", json_file=file, **arguments)
        written = json.loads(file.read_text())
        assert written == json.loads(json.dumps(found.to_dict()))
        return written, found.to_text()

    return run


def fails(words, *settings, **arguments):
    """Checks the error, and the settings that it says to change."""
    with pytest.raises(InputError, match=words) as error:
        evaluate(dtype="float32", **arguments)
    assert "\n" not in str(error.value) and error.value.settings == settings


def test_a_run_is_evaluated_by_windows_of_its_plane_against_its_own_sources(run, source, evaluated, tmp_path):
    sheet = tmp_path / "sheet.png"
    found, table = evaluated(run_folder=run, sheet_file=sheet)
    plane = load_plane(run, "float32")
    windows = [plane.window(64, 64, seed=i) for i in range(2)]
    evaluator = Evaluator(Sources((source,), (images.decode(tmp_path / source),)))
    means = evaluator.measure(windows, several=False)
    assert found["means"] == {name: pytest.approx(value) for name, value in means.items()}
    assert (found["run"], found["step"], found["dtype"], found["sources"]) == (run, 3, "float32", [source])
    assert [(row["seed"], row["texture"], row["nearest"]) for row in found["samples"]] == [(0, 0, None), (1, 0, None)]
    assert found["versions"]["numpy"] == np.__version__
    np.testing.assert_array_equal(images.decode(sheet), evaluator.sheet(windows))
    title = f"small at step 3, float32: 2 samples of 64x64 pixels\ncompared with {source}\n\nfindings\n- 3 steps: far"
    assert table.startswith(title) and f"colour {means['colour']:.3f}" in " ".join(table.split())


def test_the_textures_of_a_model_of_several_are_those_given(tmp_path, source, evaluated):
    run = made_run(tmp_path / "run", source, global_channels=4)
    found, table = evaluated(run_folder=run, pixels=70, seed=9)
    assert [(row["seed"], row["texture"]) for row in found["samples"]] == [(9, 0), (10, 1)]
    RunFolder(tmp_path / "run").write_texture("moss", [0.5, -1.0, 0.0, 1.0], {"step": 3})
    found, table = evaluated(run_folder=run, pixels=70, textures=[-7, 3, "moss"])
    assert [(row["seed"], row["texture"]) for row in found["samples"]] == [(0, -7), (1, 3), (2, "moss")]
    assert "3 samples of 70x70 pixels" in table
    found, _ = evaluated(run_folder=run, samples=3, textures=[5, 6])
    assert [row["texture"] for row in found["samples"]] == [5, 6, 5]
    fails("no such name", "texture", run_folder=run, textures=["no such name"])


def test_learned_pictures_that_are_gone_are_named_and_others_can_be_given(tmp_path, source, evaluated):
    moved = picture(tmp_path / "b.png", pixels=80)
    run = made_run(tmp_path / "run", moved)
    (tmp_path / "b.png").unlink()
    fails(r"b\.png: .*; put it back, or give other sources\.", "sources", run_folder=run)
    picture(tmp_path / "b.png", pixels=81)
    fails(r"b\.png: changed since the scan; put it back, or give", "sources", run_folder=run)
    assert evaluated(run_folder=run, sources=[source], samples=1)[0]["sources"] == [source]


def test_the_same_picture_in_another_file_has_no_distance(tmp_path, source, evaluated):
    grey = images.decode(tmp_path / source)[..., 0]
    Image.fromarray(grey).convert("RGB").save(tmp_path / "eight.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    turned = Image.fromarray(np.rot90(grey)).convert("RGB")
    turned.getexif()[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    names = [str(tmp_path / name) for name in ("eight.png", "sixteen.png", "turned.png")]
    found, table = evaluated(images=names, sources=names[:1])
    assert table.startswith("3 pictures of 128x128 pixels\ncompared with ")
    for row, name in zip(found["samples"], names, strict=True):
        assert row["picture"] == name and row["autocorrelation_distance"] == row["colour"] == row["log_spectrum"] == 0


def test_of_larger_pictures_the_centre_is_evaluated(source, evaluated, monkeypatch):
    assert evaluated(images=[source], sources=[source], pixels=70)[0]["samples"][0]["pixels"] == [70, 70]
    monkeypatch.setattr(assessment, "SOURCE_PIXELS", 90)
    assert evaluated(images=[source], sources=[source])[0]["samples"][0]["pixels"] == [90, 90]


def test_pictures_are_compared_with_the_nearest_of_several_sources(tmp_path, source, evaluated):
    other = picture(tmp_path / "fine.png", pixels=128, period=7)
    found, table = evaluated(images=[other, source, other], sources=[source, other])
    assert [row["nearest"] for row in found["samples"]] == [other, source]  # a picture named twice counts once
    assert found["means"]["covered"] == 2
    assert "2 sources, each sample with its nearest one" in table and "2 of 2" in table


def test_pictures_that_cannot_be_used_are_skipped_and_logged(tmp_path, source, evaluated, logged, monkeypatch):
    picture(tmp_path / "small.png", pixels=63)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    monkeypatch.setattr(assessment, "MOST_SHOWN", 1)
    monkeypatch.setattr(assessment, "MAX_SOURCES", 0)
    picture(tmp_path / "z.png")
    evaluated(images=[str(tmp_path), source], sources=[source], sheet_file=tmp_path / "s.png")
    lines = logged().splitlines()
    assert lines[0] == "sources: only the first 0 of 1 pictures are used."
    assert "broken.png: not a picture" in lines[1] and lines[1].startswith("skipped: ")
    assert lines[2].endswith("small.png: 63x63 pixels are too few to evaluate; give 64x64 or more.")
    assert lines[3].endswith("s.png: shows the first 1 of 2 samples.") and len(lines) == 4


@pytest.mark.parametrize(
    "arguments, words, settings",
    [
        ({"run_folder": None}, "run, model, images: none or several are given; give one of them", NAMED),
        ({"images": ["a.png"]}, "run, model, images: none or several are given", NAMED),
        ({"model": "honeycomb"}, "run, model, images: none or several are given", NAMED),
        ({"run_folder": None, "model": "honeycomb"}, "sources: missing; give pictures or folders", ("sources",)),
        ({"run_folder": None, "model": "moss"}, "moss: is no ready-made model", ("model",)),
        ({"run_folder": None, "model": "honeycomb", "detail": "none"}, "detail: .* has its own", ("detail",)),
        ({"run_folder": None, "images": ["a.png"]}, "sources: missing; give pictures or folders", ("sources",)),
        (
            {"run_folder": None, "images": ["a.png"], "sources": ["b.png"], "seed": 0},
            "given pictures are evaluated as they are; leave these out",
            ("samples", "seed", "texture"),
        ),
        ({"samples": 0}, "samples: 0 is below 1; choose 1 or more", ("samples",)),
        ({"pixels": 63}, "pixels: 63 is below 64; choose 64 or more", ("pixels",)),
        ({"json_file": "a.txt"}, r"a\.txt: the metrics are JSON; let the name end in \.json", ("json",)),
        ({"json_file": "no/a.json"}, "the folder no is missing; make it", ("json",)),
        ({"sheet_file": "no/a.png"}, "the folder no is missing; make it", ("sheet",)),
    ],
)
def test_a_wrong_argument_is_found_before_anything_is_read(tmp_path, arguments, words, settings):
    fails(words, *settings, **{"run_folder": tmp_path} | arguments)


def test_a_folder_without_a_run_and_a_sheet_of_another_kind_are_errors(tmp_path):
    with pytest.raises(ValueError, match=r"no run here \(no config.json\)"):
        evaluate(tmp_path)
    with pytest.raises(ValueError, match=r"cannot write the suffix '\.gif'"):
        evaluate(tmp_path, sheet_file="a.gif")


def test_pictures_that_cannot_be_evaluated_are_errors_of_the_argument_that_named_them(tmp_path, run, source):
    small = picture(tmp_path / "small.png", pixels=63)
    fails(r"sources: .*small\.png: 63x63 pixels are too few", "sources", images=[source], sources=[small])
    both = [small, picture(tmp_path / "b.png", 20)]
    with pytest.raises(InputError, match="images: none of 2 pictures can be used:") as error:
        evaluate(images=both, sources=[source])
    assert [line.partition(": ")[0].strip() for line in str(error.value).splitlines()[1:]] == [
        str(file) for file in both
    ]
    (tmp_path / "empty").mkdir()
    fails("images: no pictures found", "images", images=[str(tmp_path / "empty")], sources=[source])
    (tmp_path / "f.json").mkdir()
    fails(r"f\.json: is a folder; give the name of a file", "json", run_folder=run, json_file=tmp_path / "f.json")


@pytest.mark.parametrize("argument", ["sheet_file", "json_file"])
def test_no_input_and_no_file_of_the_run_is_replaced(tmp_path, run, source, argument):
    """Neither a picture that is evaluated or compared with, by any link, nor the run's own files."""
    name = "sheet" if argument == "sheet_file" else "json"
    link = tmp_path / ("a.png" if name == "sheet" else "a.json")
    link.symlink_to(source)
    before = images.decode(link)
    fails("is the input .*; choose another name", name, images=[source], sources=[source], **{argument: link})
    fails("is the input .*; choose another name", name, run_folder=run, **{argument: link})
    own = f"{run}/{'report-samples.png' if name == 'sheet' else 'config.json'}"
    fails("belongs to the run", name, run_folder=run, **{argument: own})
    np.testing.assert_array_equal(images.decode(link), before)


def test_too_many_pixels_and_seeds_out_of_range_are_errors(run):
    words = "samples, pixels: 1000000 of 64x64 pixels are more than"
    fails(words, "samples", "pixels", run_folder=run, samples=1_000_000)
    fails("seed: 9223372036854775808 is outside", "seed", run_folder=run, seed=2**63)


@pytest.mark.parametrize("given", ["run", "images"])
def test_a_disk_or_a_format_without_room_is_found_before_anything_is_computed(
    given, tmp_path, run, source, monkeypatch
):
    monkeypatch.setattr(assessment, "restore_generator", None)
    monkeypatch.setattr(assessment, "Evaluator", None)
    what = {"run_folder": run} if given == "run" else {"images": [source], "sources": [source]}
    monkeypatch.setitem(outputs.PICTURES, ".webp", outputs.Format(60, 1.0))
    settings = "sheet", "pixels", "samples"
    fails(
        "64x.* but the sides of .webp files have at most 60",
        *settings,
        sheet_file=tmp_path / "a.webp",
        pixels=64,
        **what,
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    fails(r"a\.png: takes about 0.* MB, and 0.0 MB are free", *settings, sheet_file=tmp_path / "a.png", **what)
    fails(r"a\.json: takes about 0.* MB, and 0.0 MB are free", "json", json_file=tmp_path / "a.json", **what)


def test_nothing_is_written_when_the_evaluation_fails(tmp_path, run):
    with pytest.raises(ValueError, match="no such file"):
        evaluate(run, sources=["nowhere.png"], json_file=tmp_path / "a.json", sheet_file=tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_findings_and_metrics_that_no_loss_uses_are_in_text_and_json(run, source, evaluated):
    found, table = evaluated(run_folder=run)
    assert found["findings"][0].startswith("3 steps: far from done") and list(found["unseen"]) == ["source", "samples"]
    assert {"edge_coherence", "cell_pattern", "chance_pattern"} <= found["unseen"]["samples"].keys()
    assert "\nmetrics that no loss uses\nmetric" in table
    found, table = evaluated(images=[source], sources=[source])
    assert found["findings"] == [] and "- These metrics find nothing wrong." in table
    assert "cell_pattern" not in found["unseen"]["samples"]  # of pictures no cell is known


def test_references_are_other_windows_halves_quilting_and_noise(run, source, evaluated, tmp_path):
    found, _ = evaluated(run_folder=run, references=True)
    assert list(found["unseen"]) == ["source", "samples", "other windows", "halves", "quilting", "noise"]
    plane = load_plane(run, "float32")
    far = [plane.window(64, 64, top=2**20, left=2**20, seed=i) for i in range(2)]
    own, _ = comparison.without_weights(far, [images.decode(tmp_path / source)], cell=8)
    assert found["unseen"]["other windows"] == {name: pytest.approx(value) for name, value in own.items()}
    assert list(evaluated(images=[source], sources=[source], references=True)[0]["unseen"])[1:3] == [
        "samples",
        "halves",
    ]


def test_weights_of_vgg_add_metrics_and_references(run, source, evaluated, tmp_path):
    found, table = evaluated(images=[source], sources=[source], vgg=write_h5(tmp_path / "vgg.h5"))
    assert found["unseen"]["samples"]["pool3_precision"] == 1 and "pool4_frechet" in found["unseen"]["quilting"]
    assert "pool2_recall" in table
    fails(r"missing\.h5: no VGG-19 weights", "vgg", run_folder=run, vgg=tmp_path / "missing.h5")


def test_a_sample_of_one_of_several_textures_is_compared_with_its_nearest_source(tmp_path, source, evaluated):
    other = picture(tmp_path / "fine.png", pixels=128, period=7)
    found, _ = evaluated(images=[other], sources=[source, other])
    assert found["unseen"]["samples"] == found["unseen"]["source"] and found["findings"] == []
