import numpy as np
import pytest

from tf_psgan.latents.scene import Scene


def test_cells_come_back_on_a_torus_and_go_on_on_a_plane():
    rows, cols = Scene(rows=5).wrapped(-2, -2, 9)
    np.testing.assert_array_equal(rows, [3, 4, 0, 1, 2, 3, 4, 0, 1])
    np.testing.assert_array_equal(cols, np.arange(-2, 7))


def test_strips_along_edges_belong_to_the_edge_and_corners_to_nobody():
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
        ({"rows": -1}, "rows: -1 is outside 0"),
        ({"time": 1.0}, r"time, amount: 1.0, 0.0; give a time in \[0, 1\)"),
        ({"amount": 1.5}, "amount in"),
        ({"rows": 4, "cols": 9, "edges": (0, 0, 0, 0)}, "a tile of 4x9 cells has no room for them; give 5x5"),
        ({"rows": 9, "cols": 9, "edges": (0, 0, -1, 0)}, "are not four colours"),
        ({"rows": 9, "cols": 9, "edges": (0, 0)}, "are not four colours"),
    ],
)
def test_a_scene_that_cannot_be_is_named(change, words):
    with pytest.raises(ValueError, match=words):
        Scene(**change).check()
