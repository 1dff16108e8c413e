"""The methods that PSGAN is compared with, and the score they are ranked by: their laws on small pictures."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.methods.period_score import multiples, period_score

ROOT = Path(__file__).resolve().parents[2]
PERIODS = np.array([[12.0, 6.0], [0.0, 16.0]])
SOURCE, MADE = 96, 192


def dots(pixels, seed, slip=0.0, bend=0.0):
    """Dots of random brightness on the lattice PERIODS; rows slip by `slip` pixels at random, columns bend."""
    random = np.random.default_rng(seed)
    rows, cols = np.mgrid[:pixels, :pixels].astype(float)
    light = np.zeros((pixels, pixels))
    for i in range(-1, pixels // 12 + 2):
        shift = slip * random.uniform(-1, 1)
        for j in range(-i // 2 - 2, pixels // 16 + 2):
            row = 12 * i
            col = 6 * i + 16 * j + shift + bend * (row / pixels) ** 2
            light += random.uniform(0.6, 1) * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 12)
    return np.clip(np.repeat(light[..., np.newaxis], 3, -1) * 200 + 20, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def source():
    return dots(SOURCE, 1)


def score(picture, source, periods=PERIODS):
    return period_score(picture, source, periods).score


def test_one_exact_lattice_scores_one_whatever_its_elements(source):
    assert 0.9 < score(dots(MADE, 2), source) < 1.05


def test_the_more_rows_slip_the_less_is_scored(source):
    exact, little, much = (score(dots(MADE, 2, slip=slip), source) for slip in (0, 2, 8))
    assert exact > little + 0.05 > much + 0.15 and much < 0.4


def test_a_lattice_that_bends_by_half_a_period_is_not_one_lattice(source):
    # No step in it is visible: from row to row it is off by a pixel at most.
    assert score(dots(MADE, 2, bend=24), source) < 0.6 * score(dots(MADE, 2), source)


def test_noise_scores_nothing(source):
    noise = np.random.default_rng(0).integers(0, 256, (MADE, MADE, 3)).astype(np.uint8)
    assert abs(score(noise, source)) < 0.1


def test_a_faint_lattice_is_not_a_whole_one(source):
    noise = np.random.default_rng(0).normal(0, 60, (MADE, MADE, 3))
    faint = np.clip(0.3 * dots(MADE, 2) + 80 + noise, 0, 255).astype(np.uint8)
    assert score(faint, source) < 0.5


def test_there_is_no_score_without_a_lattice_or_beyond_the_source(source):
    assert np.isnan(score(dots(MADE, 2), source, np.zeros((0, 2))))
    assert np.isnan(score(dots(SOURCE + 8, 2), source))


def test_multiples_are_all_lattice_lags_of_a_length_once():
    found = multiples(np.array([[3.0, 0.0], [0.0, 4.0]]), 4.5, 6.5) @ [[3, 0], [0, 4]]
    assert sorted(map(tuple, found.tolist())) == [(3, -4), (3, 4), (6, 0)]


def in_torch(script, *arguments):
    """Runs a script in a process of its own: PyTorch and TensorFlow do not get on in one."""
    if not importlib.util.find_spec("torch"):
        pytest.skip("needs PyTorch (the bench extra)")
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_gram_matrix_and_its_gradient_are_the_formula_s():
    in_torch("""
import torch
from benchmarks.quality.methods.vgg import Gram
x = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
weights = torch.randn(3, 3)
flat = x.flatten(2)
plain = (flat @ flat.transpose(1, 2)) / 20
assert torch.allclose(Gram.apply(x), plain.float())
(a,) = torch.autograd.grad((Gram.apply(x) * weights).sum(), x)
(b,) = torch.autograd.grad((plain * weights).sum(), x)
assert torch.allclose(a, b, atol=1e-5)
""")
