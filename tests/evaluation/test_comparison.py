"""The table of metrics that no loss uses: its rows, its references, and which pictures come out ahead."""

import numpy as np
import pytest

from tests.support.small_vgg import write_h5
from tests.support.synthetic_textures import lattice, noise
from tf_psgan.evaluation import artefacts, comparison, vgg_features
from tf_psgan.evaluation.lattice import lattice as measured_lattice
from tf_psgan.signal_processing import central_crop

SOURCE = lattice(1, side=192, period=24)[:, :160]


def shuffled(picture):
    return np.random.default_rng(1).permutation(picture.reshape(-1, 3)).reshape(picture.shape)


def test_shuffled_pixels_are_further_from_the_source_than_quilting():
    table = comparison.table([SOURCE], {"shuffled": [shuffled(SOURCE)]}, cell=16)
    assert list(table) == ["source", "shuffled", "halves", "quilting", "noise"]
    own = table["source"]["edge_coherence"]
    assert abs(table["quilting"]["edge_coherence"] - own) < abs(table["shuffled"]["edge_coherence"] - own)
    assert table["shuffled"]["mean_colour_error"] == table["shuffled"]["colour_error"] == 0
    assert table["shuffled"]["cell_pattern"] < 2 * table["shuffled"]["chance_pattern"]


def test_every_row_is_measured_in_windows_of_one_size():
    small = lattice(2, side=96, period=24)
    own, source = comparison.without_weights([small], [SOURCE])
    assert own["repetition"] == artefacts.repetition(small)
    corners = [SOURCE[:96, :96], SOURCE[96:, :96]]  # the windows of 96 pixels that fit into 192 x 160
    assert source["repetition"] == pytest.approx(np.mean([artefacts.repetition(corner) for corner in corners]))


def test_the_source_has_no_colour_error_and_its_own_cell_pattern():
    _, source = comparison.without_weights([noise(96, 1)], [SOURCE], cell=16)
    assert source["mean_colour_error"] == source["colour_error"] == 0
    own = measured_lattice([SOURCE])
    assert len(own) == 2
    assert source["cell_pattern"] == artefacts.cell_pattern(SOURCE[np.newaxis], 16, own)[0]


def test_every_source_that_is_large_enough_is_halved():
    wide, small = noise(128, 1), noise(126, 2)
    first, second = comparison.halves([wide, small])
    np.testing.assert_array_equal(np.concatenate([first[0], second[0]]), wide)
    assert len(first) == len(second) == 1
    assert comparison.halves([small]) is None and "halves" not in comparison.table([small], {})


def test_a_layer_has_precision_recall_and_distance_of_equally_many_vectors(tmp_path, monkeypatch):
    counts = []
    monkeypatch.setattr(comparison.neighbours, "frechet", lambda a, b: counts.append((len(a), len(b))) or 0.0)
    features = vgg_features.VggFeatures(write_h5(tmp_path / "vgg.h5"))
    table = comparison.table([SOURCE], {"same": [SOURCE], "part": [central_crop(SOURCE, 96)]}, features=features)
    assert table["same"]["pool3_precision"] == table["same"]["pool3_recall"] == 1
    assert "pool3_precision" not in table["source"]
    # Windows of 96 pixels have 6 x 6 positions of pool4, 1 of which is left out at each border.
    assert counts[-1] == (16, 16) and len(set(counts)) == 3


def test_the_f_score_is_the_harmonic_mean():
    assert comparison.f_score(0.5, 1.0) == pytest.approx(2 / 3)
    assert comparison.f_score(0.0, 0.0) == 0 and comparison.f_score(0.9, 0.0) == 0


@pytest.mark.parametrize("sources", [[SOURCE], [noise(96, 2)] * 5], ids=["halved", "many"])
def test_progress_is_counted_to_its_end(sources):
    calls, made = [], {"samples": [noise(96, 1)], "other": [noise(96, 3)]}
    comparison.table(sources, made, done=lambda: calls.append(1))
    assert len(calls) == comparison.parts(sources, made, None)
