"""A result: which floor and which diversity a sample has, and how it reads."""

import json
import math

import numpy as np
import pytest

from tests.support.small_run import picture
from tf_psgan.data import images
from tf_psgan.evaluation import evaluator, texture_metrics
from tf_psgan.evaluation.evaluator import Evaluator, Sources
from tf_psgan.evaluation.results import Result, result

SIDE = 64
FIGURES = {"periodic": 1.0, "peak_offset_pixels": 0.5, "peak_height": 0.91, "autocorrelation_distance": 0.05}
FIGURES |= {"log_spectrum": 1.5, "sliced_wasserstein": 0.125, "colour": 0.01, "diversity": math.nan}
FLOOR = {**FIGURES, "log_spectrum": 0.25, "diversity": 0.9}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two textures, of 8 and of 12 pixels."""
    folder = tmp_path_factory.mktemp("sources")
    paths = [picture(folder / f"{period}.png", pixels=128, period=period) for period in (8, 12)]
    return {path: images.decode(folder / path) for path in paths}


def judge_of(pictures):
    return Evaluator(Sources(tuple(pictures), tuple(pictures.values())))


def corners(source):
    return [source[:SIDE, :SIDE], source[-SIDE:, -SIDE:]]


def test_of_several_textures_each_sample_has_its_own_sources_floor_and_diversity(pictures):
    (fine, fine_picture), (coarse, coarse_picture) = pictures.items()
    samples = [*corners(fine_picture), coarse_picture[:SIDE, :SIDE]]
    found = result(judge_of(pictures), samples, several=True)
    assert [name for name, _ in found.samples] == [fine, fine, coarse]
    assert {name: count for name, (count, _, _) in found.by_source.items()} == {fine: 2, coarse: 1}
    floors = {name: evaluator.floor_of([source], SIDE) for name, source in pictures.items()}
    for name in ("log_spectrum", "sliced_wasserstein", "colour"):
        assert found.by_source[fine][2][name] == floors[fine][name]
        assert found.floor[name] == pytest.approx((2 * floors[fine][name] + floors[coarse][name]) / 3)
        assert found.values[name] == pytest.approx(np.mean([figures[name] for _, figures in found.samples]))
    assert found.values["diversity"] == texture_metrics.diversity(samples[:2], [fine_picture])  # a lone sample has none
    assert found.values["covered"] == 2


def test_one_texture_is_held_against_all_its_sources(pictures):
    samples, sources = corners(pictures[next(iter(pictures))]), list(pictures.values())
    found = result(judge_of(pictures), samples, several=False)
    assert found.values == texture_metrics.compare(samples, sources) and found.floor == evaluator.floor_of(
        sources, SIDE
    )
    assert [name for name, _ in found.samples] == ["", ""] and found.by_source == {}


def test_the_table_is_aligned_and_has_value_floor_ideal_and_meaning():
    text = Result(("a.png",), [("", FIGURES)], FIGURES, FLOOR, {}).to_text()
    assert text.splitlines()[:4] == [
        "floor: what windows of one half of the source score against the other half",
        "",
        "measure                   value  floor  ideal  what it says",
        "peak_offset_pixels        0.500  0.500  0      " + evaluator.MEASURES["peak_offset_pixels"][0],
    ]
    assert "log_spectrum              1.500  0.250  0      distance" in text
    assert "diversity                   n/a  0.900  1      how" in text
    assert "covered" not in text and "No period" not in text and text.count("\n\n") == 1


def test_a_second_table_tells_the_sources_apart():
    values = FIGURES | {"covered": 1.0}
    text = Result(("a.png", "b.png"), [("a.png", FIGURES)], values, FLOOR, {"a.png": (1, FIGURES, {})}).to_text()
    assert "covered                   1 of 2    n/a  all    sources" in text
    assert text.splitlines()[-3:] == [
        "source, floor in brackets  samples  peak off, px  peak height     spectrum      patches  diversity",
        "a.png                            1   0.500 (n/a)  0.910 (n/a)  1.500 (n/a)  0.125 (n/a)  n/a (n/a)",
        "b.png                            0",
    ]


def test_a_source_without_a_period_is_said_to_have_none():
    figures = FIGURES | {"periodic": 0.0, "peak_offset_pixels": math.nan}
    text = Result(("a.png",), [("", figures)], figures, {}, {}).to_text()
    assert "No period that stands out" in text and "peak_offset_pixels          n/a    n/a  0 " in text


def test_json_has_finite_numbers_or_null():
    found = Result(("a.png",), [("a.png", FIGURES)], FIGURES, FLOOR, {"a.png": (1, FIGURES, FLOOR)})
    read = json.loads(json.dumps(found.to_dict([{"seed": 3}]), allow_nan=False))
    assert read["samples"] == [{"seed": 3, "nearest": "a.png", **evaluator.finite(FIGURES)}]
    assert read["means"]["diversity"] is None and read["floor"]["diversity"] == 0.9
    assert read["by_source"][0]["samples"] == 1 and read["sources"] == ["a.png"]
