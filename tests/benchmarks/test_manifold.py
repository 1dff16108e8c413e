"""The report on many textures: evenness and detour of known paths, and that a run can be evaluated."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_run import changed, picture
from tf_psgan.runtime import device
from tf_psgan.training.training_loop import train

FILE = Path(__file__).parents[2] / "benchmarks" / "quality" / "manifold.py"


@pytest.fixture(scope="module")
def manifold():
    spec = importlib.util.spec_from_file_location("manifold_report", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flat(value):
    """A picture of one grey with the same grain each time."""
    grain = np.random.default_rng(0).normal(0, 4, (128, 128, 3))
    return np.clip(value + grain, 0, 255).astype(np.uint8)


def test_equal_steps_one_way_are_even_and_straight(manifold):
    evenness, detour = manifold._steps([flat(value) for value in (60, 80, 100, 120, 140)])
    assert evenness == pytest.approx(1.0, abs=0.1) and detour == pytest.approx(1.0, abs=0.1)


def test_one_jump_is_as_uneven_as_there_are_steps(manifold):
    evenness, detour = manifold._steps([flat(value) for value in (60, 60, 60, 140, 140)])
    assert evenness == pytest.approx(4.0) and detour == pytest.approx(1.0)


def test_there_and_back_again_is_a_detour(manifold):
    assert manifold._steps([flat(value) for value in (60, 140, 70)])[1] > 5


@pytest.mark.parametrize("conditioning", ["class", "none"])
def test_a_run_is_evaluated_source_by_source(manifold, tmp_path, monkeypatch, conditioning):
    monkeypatch.setattr(device, "set_threads", lambda asked: 1)  # other tests have started TensorFlow
    pictures = tuple(picture(tmp_path / f"{name}.png", 160, period) for name, period in (("a", 12), ("b", 24)))
    few = {"steps": 2, "r1": 0.0, "spectral_loss_weight": 0.0}  # tracing more losses takes seconds
    run = train(changed(images=pictures, global_channels=4, conditioning=conditioning, **few), tmp_path / "run")
    report = manifold.Manifold(run, 3, 128)
    metrics = report.metrics() | manifold.morph_metrics(report.morphs(1, 2))
    assert [row["source"] for row in metrics["sources"]] == ["a", "b"] and metrics["random"] == 3
    assert sum(row["nearest_of"] for row in metrics["sources"]) == 3
    assert set(report.textures) <= ({0, 1} if conditioning == "class" else {1, 2, 3})
    text = manifold.to_markdown(metrics)
    assert "mean distance" in text and "1 of 2 steps" in text
