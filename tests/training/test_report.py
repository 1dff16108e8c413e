"""The report: pictures of the right samples, metrics of the right rows, and what it says about them."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.support.small_run import CONFIG, changed
from tf_psgan.data import images, manifest
from tf_psgan.data.manifest import Entry, Manifest
from tf_psgan.evaluation.evaluator import SOURCE_GAP, Sources
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import report

SIDE = 64
STRIPES = np.indices((128, 128)).sum(axis=0) // 8 % 2 * 200
SOURCES = Sources(("a.png",), (np.stack([STRIPES] * 3, axis=-1).astype(np.uint8),))


def row(step, **changes):
    metrics = {"peak_offset_pixels": 0.5, "peak_height": 0.91, "autocorrelation_distance": 0.05, "log_spectrum": 1.5}
    metrics |= {"sliced_wasserstein": 0.125, "colour": 0.01, "diversity": 0.75, "periodic": 1.0}
    counters = {"step": step, "seconds": step / 2, "skipped": 3, "rollbacks": 1, "steps_per_second": 2.5}
    sizes = {"samples": 2, "sample_pixels": SIDE, "wave_lengths_pixels": [12.25, 11.75]}
    return counters | sizes | metrics | changes


def sample(grey):
    return np.full((SIDE, SIDE, 3), grey, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """A run of six evaluations; the first sample of each is as grey as its step."""
    found = RunFolder(tmp_path / "bees")
    with found.locked():
        found.write_config(CONFIG)
    entries = (Entry("a.png", 10, "hash", 128, 128), Entry("b.png", 10, "hash", 8, 8, "b.png: 8x8 pixels"))
    found.write("manifest.json", manifest.to_json(Manifest(entries)))
    found.write_conditions({"threads": 1, "gpus": [], "instructions": ["avx2", "amx"]})
    found.previews.mkdir()
    for step in range(20, 140, 20):
        found.add_metrics(row(step, peak_height=step / 200))
        samples = images.sheet([sample(step), sample(255)], columns=4)
        images.write_png(found.preview(step), images.sheet([sample(0), samples], columns=2, gap=SOURCE_GAP))
    return found


def written(folder, config=CONFIG, failure=""):
    report.write(folder, config, SOURCES, failure)
    return (folder.path / "report.md").read_text(encoding="utf-8")


def test_every_linked_file_exists(folder):
    links = re.findall(r"\]\(([^)]+)\)", written(folder))
    assert {"report-samples.png", "report-progress.png", "config.json", "manifest.json"} <= {*links}
    made_by_the_loop = {"metrics.jsonl", "logs"}
    assert [link for link in links if link not in made_by_the_loop and not (folder.path / link).exists()] == []


def test_source_and_newest_samples_are_shown_together(folder):
    text = written(folder)
    assert "120 steps in 1.0 min. Left: the source. Right: samples of 64x64 pixels with seeds 0 to 1" in text
    np.testing.assert_array_equal(images.decode(folder.path / "report-samples.png"), images.decode(folder.preview(120)))


def test_the_strip_shows_the_first_sample_of_each_preview_in_order(folder):
    text = written(folder)
    assert "The first sample after 20, 40, 60, 80, 100, 120 steps:" in text
    with Image.open(folder.path / "report-progress.png") as strip:
        assert strip.size == (6 * SIDE + 5 * 4, SIDE)
        middle = np.asarray(strip)[SIDE // 2, SIDE // 2 :: SIDE + 4, 0]
    assert middle.tolist() == [20, 40, 60, 80, 100, 120]


def test_metrics_have_first_and_last_values_and_a_meaning(folder):
    text = written(folder)
    assert "| `peak_height` | 0.100 | 0.600 | 1 | how high that peak is" in text
    assert "| [60](previews/step-00000060.png) | 30 s | 0.500 | 0.300 | 1.500 | 0.125 |" in text
    assert "covered" not in text and "no significant period" not in text


def test_findings_name_what_is_wrong_with_the_last_samples_and_the_training(folder):
    folder.add_metrics(row(140, discriminator_loss=0.04))
    images.write_png(folder.preview(140), images.decode(folder.preview(120)))
    found = written(folder).partition("## Findings\n\n")[2].partition("\n\n")[0].splitlines()
    assert found[0] == "- 140 steps: far from done. Photographs need some thousand steps."
    assert found[1].startswith("- The discriminator has won (loss 0.04;")
    # The stripes have a mean of 100; one sample is grey 120 and one is white.
    assert "- The mean colour is 88 of 255 off." in found and any("Edges are less coherent" in line for line in found)


def test_pictures_with_the_detail_stage_come_first_and_are_what_is_measured(folder):
    report.write(folder, CONFIG, SOURCES, detailed=report.Detailed([SOURCES.pictures[0]], SOURCES, 16))
    text = (folder.path / "report.md").read_text(encoding="utf-8")
    assert text.index("report-detail.png") < text.index("report-samples.png")
    found = text.partition("## Findings\n\n")[2].partition("\n\n")[0]
    assert found == "- These metrics find nothing wrong."


def test_findings_of_several_textures_or_without_samples_compare_nothing_with_the_sources(folder):
    two = Sources(("a.png", "b.png"), SOURCES.pictures * 2)
    report.write(folder, changed(global_channels=4), two)
    text = (folder.path / "report.md").read_text(encoding="utf-8")
    assert "- 120 steps: far from done" in text and "mean colour is" not in text
    folder.preview(120).unlink()
    assert "- 120 steps: far from done" in written(folder) and "mean colour is" not in written(folder)


def test_a_source_without_a_period_is_reported(folder):
    folder.add_metrics(row(140, periodic=0.0, peak_offset_pixels=None, peak_height=None))
    text = written(folder)
    assert "The source has no significant period" in text and "| `peak_height` |" not in text


def test_learned_periods_are_listed_with_the_sources_own(folder):
    # The stripes of STRIPES repeat after 16 pixels along a row: the wave across them is 16 / sqrt(2) long.
    folder.add_metrics(row(140, wave_lengths_pixels=[2e9, 11.3]))
    text = written(folder, changed(waves=1))
    found = re.search(r"first: \*\*(.*)\*\*\. At the first evaluation: (.*?)\. In the source.*: (.*?)\. Tr", text)
    assert found[1] == "none (zero wave number), 11.3" and found[2] == "12.2, 11.8"
    assert float(found[3]) == pytest.approx(16 / np.sqrt(2), rel=0.03)
    assert "Learned periods" not in written(folder, changed(waves=0))
    assert "spectrum: fewer than the model has waves." in written(folder, changed(waves=256, wave_init="paper"))


def test_speed_skipped_steps_pictures_settings_and_conditions_are_reported(folder):
    folder.write_conditions(folder.read_conditions() | {"changes": ["step 40: threads was 2 and is 1"]})
    text = written(folder)
    assert "Speed: 2.5 steps per second; 2.0 including previews" in text
    assert "Skipped steps (losses or gradients were not finite): 3. Roll-backs: 1." in text
    assert "Pictures: 1 of 2 files" in text and "  - skipped: b.png: 8x8 pixels" in text
    assert "`filters=8,4`" in text and "learning_rate" not in text and "--" not in text.replace("---", "")
    assert "Changed during the run: step 40: threads was 2 and is 1." in text
    assert "| gpus | none |" in text and "| instructions | avx2, amx |" in text and "| changes |" not in text


def test_a_failed_run_says_so_first(folder):
    assert written(folder, failure="gradients were not finite.").startswith(
        "# bees\n\n**The run failed.** gradients were not finite.\n"
    )


def test_a_run_without_samples_shows_its_source(folder):
    folder.metrics.unlink()
    text = written(folder, failure="gradients were not finite.")
    assert "There are no samples yet." in text and "Speed" not in text
    np.testing.assert_array_equal(images.decode(folder.path / "report-source.png"), SOURCES.pictures[0])


def test_a_preview_that_was_removed_is_left_out(folder):
    folder.preview(60).unlink()
    assert "The first sample after 20, 40, 80, 100, 120 steps:" in written(folder)
