import numpy as np
import pytest

from tests.support.synthetic_textures import lattice, paint
from tf_psgan.evaluation.diversity import diversity


def test_new_windows_are_as_diverse_as_the_source():
    assert diversity([lattice(i, shift=5 * i) for i in range(1, 7)], [lattice(0, side=384)]) == pytest.approx(
        1, abs=0.2
    )


def test_a_shifted_lattice_is_no_diversity():
    rows, cols = np.meshgrid(*[2 * np.pi / 24 * np.arange(192)] * 2, indexing="ij")
    light = np.cos(rows) + np.cos(cols)
    collapsed = [paint(np.roll(light, (7 * i, 5 * i), (0, 1)), (150, 110, 60)) for i in range(5)]
    assert diversity(collapsed, [lattice(0, side=384)]) < 0.2
    assert diversity([lattice(1)] * 4, [lattice(0, side=384)]) == pytest.approx(0, abs=1e-6)


def test_a_single_sample_has_no_diversity():
    assert np.isnan(diversity([lattice(1)], [lattice(0)]))
