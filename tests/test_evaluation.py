"""What a model is judged by while it trains: its previews, its nearest sources, its wave lengths."""

import dataclasses
import math

import numpy as np
import pytest
import tiny
from small_run import CONFIG, picture

from tf_psgan import evaluation, images, manifest
from tf_psgan.evaluation import Evaluator, Sources, wave_lengths
from tf_psgan.run_folder import RunFolder

SIDE = 64


@pytest.fixture
def evaluator(tmp_path):
    """An evaluator over so many sources, grey at 10, 20, ..., and so many samples."""

    def make(sources, samples, pixels=200):
        found = tuple(np.full((pixels, pixels, 3), 10 * (i + 1), np.uint8) for i in range(sources))
        training = dataclasses.replace(CONFIG.training, samples=samples, sample_pixels=SIDE)
        return Evaluator(Sources(tuple(f"{i}.png" for i in range(sources)), found), training, RunFolder(tmp_path))

    return make


def samples(count):
    return [np.full((SIDE, SIDE, 3), 200 + i, np.uint8) for i in range(count)]


def test_a_preview_shows_one_source_as_high_as_all_its_samples(evaluator):
    page = evaluator(1, 8).page(samples(8))
    height = 2 * SIDE + 4
    assert page.shape == (height, height + 24 + 4 * SIDE + 3 * 4, 3)
    assert (page[:, :height] == 10).all() and (page[:, height : height + 24] == 255).all()
    assert page[0, height + 24, 0] == 200 and page[-1, -1, 0] == 207


@pytest.mark.parametrize("count, columns", [(2, 1), (3, 2), (8, 4), (20, 4)])
def test_a_preview_shows_several_sources_in_as_many_rows_as_samples(evaluator, count, columns):
    page = evaluator(count, 8).page(samples(8))
    left = columns * SIDE + (columns - 1) * 4
    assert page.shape == (2 * SIDE + 4, left + 24 + 4 * SIDE + 3 * 4, 3)
    shown = {int(page[row, col, 0]) for row in (0, SIDE + 4) for col in range(0, left, SIDE + 4)} - {255}
    assert shown == {10 * (i + 1) for i in range(min(count, 8))}


def test_samples_of_one_texture_are_held_against_all_sources(tmp_path):
    paths = [picture(tmp_path / f"{period}.png", period=period) for period in (8, 12)]
    sources = Sources.read(manifest.check(manifest.scan(paths), 32))
    training = dataclasses.replace(CONFIG.training, sample_pixels=SIDE)
    judge = Evaluator(sources, training, RunFolder(tmp_path / "run"))
    shown = [sources.pictures[1][:SIDE, :SIDE], sources.pictures[1][-SIDE:, -SIDE:]]
    assert "covered" not in judge.measure(shown, several=False)
    several = judge.measure(shown, several=True)
    assert several["covered"] == 1  # both samples are of the second source
    assert several["log_spectrum"] < judge.measure(shown, several=False)["log_spectrum"]
    assert judge.measure([sources.pictures[0][:SIDE, :SIDE], shown[0]], several=True)["covered"] == 2


def test_sources_are_the_middles_of_the_first_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "SOURCE_PIXELS", 70)
    monkeypatch.setattr(evaluation, "MOST_SOURCES", 2)
    paths = [picture(tmp_path / f"{i}.png", pixels=80) for i in range(3)]
    sources = Sources.read(manifest.check(manifest.scan(paths), 32))
    assert sources.names == tuple(paths[:2])
    np.testing.assert_array_equal(sources.pictures[0], images.decode(tmp_path / "0.png")[5:75, 5:75])


def test_wave_lengths_are_pixels_longest_first():
    network = tiny.generator(waves=3)  # a cell is 8 pixels
    network.wave_start.assign([[0.0, math.pi / 2], [0.6, 0.8], [0.0, 0.0]])
    still, *others = wave_lengths(network)
    assert still > 1e9 and others == pytest.approx([16 * math.pi, 32.0])
