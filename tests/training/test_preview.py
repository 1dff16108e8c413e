"""Previews: the samples of a model and its wave lengths."""

import dataclasses
import math

import numpy as np
import pytest

from tests.support import tiny
from tests.support.small_run import CONFIG
from tf_psgan.evaluation.evaluator import Sources
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training.preview import Preview, wave_lengths


def test_samples_are_windows_of_other_seeds_and_textures(tmp_path):
    training = dataclasses.replace(CONFIG.training, samples=3, sample_pixels=64)
    preview = Preview(Sources(("a.png",), (np.zeros((64, 64, 3), np.uint8),)), training, RunFolder(tmp_path))
    network = tiny.generator(global_channels=4)
    made, plane = preview.samples(network), TexturePlane(fold(network))
    expected = [plane.window(64, 64, seed=i, texture=i) for i in range(3)]
    np.testing.assert_array_equal(made, expected)
    assert not np.array_equal(made[0], made[1])


def test_wave_lengths_are_pixels_longest_first():
    network = tiny.generator(waves=3)  # a cell is 8 pixels
    network.shared_wave_numbers.assign([[0.0, math.pi / 2], [0.6, 0.8], [0.0, 0.0]])
    zero, *others = wave_lengths(network)
    assert zero > 1e9 and others == pytest.approx([16 * math.pi, 32.0])
