import numpy as np
import pytest

from tests.support.synthetic_textures import lattice
from tf_psgan.evaluation.autocorrelation import autocorrelation


def test_lag_zero_is_one_and_lags_mirror_each_other():
    table = autocorrelation(lattice(0), reach=60, shading=24)
    assert table.shape == (121, 121)
    assert table[60, 60] == pytest.approx(1) and np.all(table <= 1 + 1e-9)
    np.testing.assert_allclose(table, table[::-1, ::-1], atol=1e-9)


def test_a_flat_picture_has_no_autocorrelation_elsewhere():
    table = autocorrelation(np.full((80, 80, 3), 99, np.uint8), reach=20, shading=10)
    assert np.abs(table).sum() == pytest.approx(0, abs=1e-6)
