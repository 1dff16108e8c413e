import numpy as np
import pytest

from tf_psgan.errors import SettingError
from tf_psgan.latents.scene import Scene


def test_cell_indices_wrap_on_a_torus_axis_only():
    rows, cols = Scene(rows=5).wrapped(-2, -2, 9)
    np.testing.assert_array_equal(rows, [3, 4, 0, 1, 2, 3, 4, 0, 1])
    np.testing.assert_array_equal(cols, np.arange(-2, 7))


def test_zones_mark_the_strips_along_edges_and_exclude_the_corners():
    tile = Scene(rows=6, cols=5, edges=(0, 0, 0, 0)).zones(-2, -2, 10)
    np.testing.assert_array_equal(
        tile[:, :9],  # the tile is rows 2 to 7, columns 2 to 6 of what is shown
        [
            [1, 1, 1, 1, 2, 1, 1, 1, 1],
            [1, 1, 1, 1, 2, 1, 1, 1, 1],
            [1, 1, 1, 1, 2, 1, 1, 1, 1],
            [1, 1, 1, 1, 2, 1, 1, 1, 1],
            [5, 5, 5, 5, 0, 3, 3, 3, 3],
            [5, 5, 5, 5, 0, 3, 3, 3, 3],
            [1, 1, 1, 1, 4, 1, 1, 1, 1],
            [1, 1, 1, 1, 4, 1, 1, 1, 1],
            [1, 1, 1, 1, 4, 1, 1, 1, 1],
            [1, 1, 1, 1, 4, 1, 1, 1, 1],
        ],
    )


@pytest.mark.parametrize(
    "change, words",
    [
        ({"seed": 2**63}, "seed: 9223372036854775808 is outside"),
        ({"seed": -(2**63) - 1}, "seed: -9223372036854775809 is outside"),
        ({"rows": -1}, "rows: -1 is outside 0"),
        ({"cols": 2**40 + 1}, "cols: 1099511627777 is outside 0"),
        ({"time": 1.0}, r"time: 1.0 is not in \[0, 1\)"),
        ({"time": float("nan")}, r"time: nan is not in \[0, 1\)"),
        ({"amount": 1.5}, r"amount: 1.5 is not in \[0, 1\]"),
        ({"rows": 4, "cols": 9, "edges": (0, 0, 0, 0)}, "4x9 cells has no room for shared edges; give at least 5x5"),
        ({"rows": 9, "edges": (0, 0, 0, 0)}, "9x0 cells has no room"),
        ({"rows": 9, "cols": 9, "edges": (0, 0, -1, 0)}, "edges: -1 is outside 0"),
        ({"rows": 9, "cols": 9, "edges": (0, 0)}, "edges: 2 colours; give four"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(change, words):
    with pytest.raises(SettingError, match=words):
        Scene(**change)


@pytest.mark.parametrize("change", [{"seed": 1.0}, {"rows": "5"}, {"rows": 9, "cols": 9, "edges": (0, 0, 0.5, 0)}])
def test_a_value_that_is_not_an_integer_is_a_type_error(change):
    with pytest.raises(TypeError, match="is not an integer"):
        Scene(**change)


def test_numpy_integers_become_python_integers():
    scene = Scene(np.int64(-3), rows=np.uint8(250), cols=np.int32(7), edges=np.array([0, 1, 1, 0]))
    same = Scene(-3, rows=250, cols=7, edges=(0, 1, 1, 0))
    assert scene == same and hash(scene) == hash(same)
    values = (scene.seed, scene.rows, scene.cols, *scene.edges)
    assert all(type(value) is int for value in values)
