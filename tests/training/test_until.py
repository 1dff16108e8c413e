"""When the metrics of a run count as no longer improving."""

import math

import pytest

from tf_psgan.training.until import LEAST_IMPROVEMENT, METRICS, WINDOW, has_settled


def rows(*values):
    """Evaluations in which every distance is a value."""
    return [dict.fromkeys(METRICS, value) for value in values]


def test_a_constant_run_has_settled_after_two_windows():
    assert not has_settled(rows(*[0.3] * (2 * WINDOW - 1)))
    assert has_settled(rows(*[0.3] * (2 * WINDOW)))


def test_a_run_that_improves_by_more_than_the_least_improvement_has_not_settled():
    for factor, expected in ((1.1, False), (0.9, True)):
        after = 0.3 * math.exp(-factor * LEAST_IMPROVEMENT)
        assert has_settled(rows(*[0.3] * WINDOW, *[after] * WINDOW)) is expected


def test_a_run_that_gets_worse_has_settled():
    assert has_settled(rows(*[0.3] * WINDOW, *[0.5] * WINDOW))


def test_only_the_last_two_windows_count():
    assert has_settled(rows(*[9.0] * 50, *[0.3] * (2 * WINDOW)))


def test_the_distances_are_weighed_by_their_ratios():
    # One of four distances falls to a half: their geometric mean falls by ln 2 / 4 = 0.17.
    before, after = dict.fromkeys(METRICS, 0.3), dict.fromkeys(METRICS, 0.3) | {"colour": 0.15}
    assert math.log(2) / 4 > LEAST_IMPROVEMENT
    assert not has_settled([before] * WINDOW + [after] * WINDOW)


@pytest.mark.parametrize("missing", [None, "absent"])
def test_a_metric_that_is_undefined_is_left_out(missing):
    undefined = {} if missing == "absent" else {"colour": None}
    row = {name: 0.3 for name in METRICS if name != "colour"} | undefined
    assert has_settled([row] * (2 * WINDOW))
    assert not has_settled([{}] * (2 * WINDOW))  # nothing is known
