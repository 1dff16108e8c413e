"""A result: the floor and the diversity of each sample, as text and as JSON."""

import json
import math

import numpy as np
import pytest

from tests.support.small_run import picture
from tf_psgan.data import images
from tf_psgan.evaluation import evaluator, texture_metrics
from tf_psgan.evaluation.diversity import diversity
from tf_psgan.evaluation.evaluator import Evaluator, Sources
from tf_psgan.evaluation.results import Result, evaluate_samples

SIDE = 64
METRICS = {"periodic": 1.0, "peak_offset_pixels": 0.5, "peak_height": 0.91, "autocorrelation_distance": 0.05}
METRICS |= {"log_spectrum": 1.5, "sliced_wasserstein": 0.125, "colour": 0.01, "diversity": math.nan}
FLOOR = {**METRICS, "log_spectrum": 0.25, "diversity": 0.9}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two textures, of 8 and of 12 pixels."""
    folder = tmp_path_factory.mktemp("sources")
    paths = [picture(folder / f"{period}.png", pixels=128, period=period) for period in (8, 12)]
    return {path: images.decode(folder / path) for path in paths}


def evaluator_of(pictures):
    return Evaluator(Sources(tuple(pictures), tuple(pictures.values())))


def corners(source):
    return [source[:SIDE, :SIDE], source[-SIDE:, -SIDE:]]


def test_of_several_textures_each_sample_has_its_own_sources_floor_and_diversity(pictures):
    (fine, fine_picture), (coarse, coarse_picture) = pictures.items()
    samples = [*corners(fine_picture), coarse_picture[:SIDE, :SIDE]]
    found = evaluate_samples(evaluator_of(pictures), samples, several=True)
    assert [name for name, _ in found.samples] == [fine, fine, coarse]
    assert {name: count for name, (count, _, _) in found.by_source.items()} == {fine: 2, coarse: 1}
    floors = {name: evaluator.metric_floor([source], SIDE) for name, source in pictures.items()}
    for name in ("log_spectrum", "sliced_wasserstein", "colour"):
        assert found.by_source[fine][2][name] == floors[fine][name]
        assert found.floor[name] == pytest.approx((2 * floors[fine][name] + floors[coarse][name]) / 3)
        assert found.metrics[name] == pytest.approx(np.mean([metrics[name] for _, metrics in found.samples]))
    assert found.metrics["diversity"] == diversity(samples[:2], [fine_picture])  # a lone sample has none
    assert found.metrics["covered"] == 2


def test_samples_of_one_texture_are_compared_with_all_its_sources(pictures):
    samples, sources = corners(pictures[next(iter(pictures))]), list(pictures.values())
    found = evaluate_samples(evaluator_of(pictures), samples, several=False)
    assert found.metrics == texture_metrics.compare(samples, sources) and found.floor == evaluator.metric_floor(
        sources, SIDE
    )
    assert [name for name, _ in found.samples] == ["", ""] and found.by_source == {}


def test_the_table_is_aligned_and_has_value_floor_ideal_and_meaning():
    text = Result(("a.png",), [("", METRICS)], METRICS, FLOOR, {}).to_text()
    assert text.splitlines()[:4] == [
        "floor: the metrics of windows of one half of the source against the other half",
        "",
        "metric                    value  floor  ideal  meaning",
        "peak_offset_pixels        0.500  0.500  0      " + evaluator.METRICS["peak_offset_pixels"][0],
    ]
    assert "log_spectrum              1.500  0.250  0      distance" in text
    assert "diversity                   n/a  0.900  1      how" in text
    assert "covered" not in text and "no clear period" not in text and text.count("\n\n") == 1


def test_a_second_table_lists_the_sources():
    values = METRICS | {"covered": 1.0}
    text = Result(("a.png", "b.png"), [("a.png", METRICS)], values, FLOOR, {"a.png": (1, METRICS, {})}).to_text()
    assert "covered                   1 of 2    n/a  all    sources" in text
    assert text.splitlines()[-3:] == [
        "source, floor in brackets  samples  peak off, px  peak height     spectrum      patches  diversity",
        "a.png                            1   0.500 (n/a)  0.910 (n/a)  1.500 (n/a)  0.125 (n/a)  n/a (n/a)",
        "b.png                            0",
    ]


def test_the_text_says_that_a_source_has_no_period():
    metrics = METRICS | {"periodic": 0.0, "peak_offset_pixels": math.nan}
    text = Result(("a.png",), [("", metrics)], metrics, {}, {}).to_text()
    assert "no clear period" in text and "peak_offset_pixels          n/a    n/a  0 " in text


def test_json_has_finite_numbers_or_null():
    found = Result(("a.png",), [("a.png", METRICS)], METRICS, FLOOR, {"a.png": (1, METRICS, FLOOR)})
    read = json.loads(json.dumps(found.to_dict([{"seed": 3}]), allow_nan=False))
    assert read["samples"] == [{"seed": 3, "nearest": "a.png", **evaluator.finite(METRICS)}]
    assert read["means"]["diversity"] is None and read["floor"]["diversity"] == 0.9
    assert read["by_source"][0]["samples"] == 1 and read["sources"] == ["a.png"]
