"""The evaluator: its sources, the nearest one of each sample, the contact sheet, and the floor of a texture."""

import math

import numpy as np
import pytest

from tests.support.small_run import picture
from tf_psgan.data import images, manifest
from tf_psgan.evaluation import evaluator, texture_metrics
from tf_psgan.evaluation.evaluator import Evaluator, Sources, metric_floor
from tf_psgan.procedural import catalogue

SIDE = 64


def grey(value, rows=SIDE, cols=SIDE):
    return np.full((rows, cols, 3), value, np.uint8)


def evaluator_of(sources, pixels=200):
    """Over so many sources, grey at 10, 20, ..."""
    names = tuple(f"{i}.png" for i in range(sources))
    return Evaluator(Sources(names, tuple(grey(10 * (i + 1), pixels, pixels) for i in range(sources))))


def samples(count):
    return [grey(200 + i) for i in range(count)]


def test_a_sheet_shows_one_source_as_high_as_all_its_samples():
    page = evaluator_of(1).sheet(samples(8))
    height = 2 * SIDE + 4
    assert page.shape == (height, height + 24 + 4 * SIDE + 3 * 4, 3)
    assert (page[:, :height] == 10).all() and (page[:, height : height + 24] == 255).all()
    assert page[0, height + 24, 0] == 200 and page[-1, -1, 0] == 207


@pytest.mark.parametrize("sources, count", [(1, 8), (3, 8), (1, 2), (2, 5)])
def test_the_samples_of_a_sheet_are_found_again(sources, count):
    page = evaluator_of(sources).sheet(samples(count))
    shown, extents = evaluator_of(sources).sources.pictures, [sample.shape[:2] for sample in samples(count)]
    assert evaluator.sheet_extent(shown, extents) == page.shape[:2]
    np.testing.assert_array_equal(evaluator.sheet_samples(page, count, SIDE), samples(count))


@pytest.mark.parametrize("count, columns", [(2, 1), (3, 2), (8, 4), (20, 4)])
def test_a_sheet_shows_several_sources_in_as_many_rows_as_samples(count, columns):
    page = evaluator_of(count).sheet(samples(8))
    left = columns * SIDE + (columns - 1) * 4
    assert page.shape == (2 * SIDE + 4, left + 24 + 4 * SIDE + 3 * 4, 3)
    shown = {int(page[row, col, 0]) for row in (0, SIDE + 4) for col in range(0, left, SIDE + 4)} - {255}
    assert shown == {10 * (i + 1) for i in range(min(count, 8))}


def test_samples_of_several_textures_are_compared_with_their_nearest_source(tmp_path):
    paths = [picture(tmp_path / f"{period}.png", period=period) for period in (8, 12)]
    sources = Sources.read(manifest.check(manifest.scan(paths), 32))
    found = Evaluator(sources)
    shown = [sources.pictures[1][:SIDE, :SIDE], sources.pictures[1][-SIDE:, -SIDE:]]
    assert "covered" not in found.measure(shown, several=False)
    several = found.measure(shown, several=True)
    assert several["covered"] == 1  # both samples are of the second source
    assert several["log_spectrum"] < found.measure(shown, several=False)["log_spectrum"]
    assert [name for name, _ in found.measure_each([sources.pictures[0][:SIDE, :SIDE], shown[0]])] == paths


def test_sources_are_central_crops_of_the_first_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluator, "SOURCE_PIXELS", 70)
    monkeypatch.setattr(evaluator, "MAX_SOURCES", 2)
    paths = [picture(tmp_path / f"{i}.png", pixels=80) for i in range(3)]
    sources = Sources.read(manifest.check(manifest.scan(paths), 32))
    assert sources.names == tuple(paths[:2])
    np.testing.assert_array_equal(sources.pictures[0], images.decode(tmp_path / "0.png")[5:75, 5:75])


def test_a_mean_leaves_out_undefined_metrics():
    found = evaluator.means([{"a": 1.0, "b": math.nan}, {"a": 2.0, "b": math.nan}, {"a": math.nan, "b": math.nan}])
    assert found["a"] == 1.5 and math.isnan(found["b"])
    assert evaluator.finite(found) == {"a": 1.5, "b": None}
    assert evaluator.means([]) == {}


@pytest.mark.parametrize(
    "pictures, difference",
    [
        # Left and right differ by 20, top and bottom by none.
        ([np.concatenate([grey(10, 128, 64), grey(30, 128, 64)], axis=1)], 10),
        # Too narrow for a left and a right half: only top and bottom count.
        ([np.concatenate([grey(10, 64, 127), grey(30, 64, 127)], axis=0)], 20),
        # Several pictures of one texture: every other one against the others.
        ([grey(10), grey(30), grey(10), grey(30)], 20),
    ],
)
def test_a_floor_is_how_far_the_halves_of_a_texture_are_apart(pictures, difference):
    assert metric_floor(pictures, SIDE)["colour"] == pytest.approx(difference / 255)


def test_a_picture_too_small_for_two_halves_has_no_floor():
    assert metric_floor([grey(10, 127, 127)], SIDE) == {}


def test_a_floor_is_about_what_other_windows_of_the_texture_score():
    source = catalogue.make("honeycomb", 1, 256, 256)
    made = [catalogue.make("honeycomb", seed, 96, 96) for seed in range(2, 8)]
    true, floor = texture_metrics.compare(made, [source]), metric_floor([source], 96)
    for name in ("peak_offset_pixels", "autocorrelation_distance", "log_spectrum", "sliced_wasserstein"):
        assert 0.5 < floor[name] / true[name] < 2, (name, floor[name], true[name])
    assert floor["peak_height"] == pytest.approx(1, abs=0.2) and floor["diversity"] == pytest.approx(1, abs=0.5)
