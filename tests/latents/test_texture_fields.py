import numpy as np
import pytest

from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_fields

SIDE = 8


def weights(field, rows, cols):
    """Weight of each texture, 0 where a field does not name it."""
    found = {}
    for texture, weight in field.weights(np.asarray(rows), np.asarray(cols), SIDE):
        assert weight.dtype == np.float32 and weight.shape == (len(rows), len(cols))
        found[texture] = found.get(texture, 0) + weight
    return found


def painting(labels, border=16, wrap=(False, False), **extent):
    extent = {"top": 0, "left": 0, "height": 80, "width": 80} | extent
    return texture_fields.Painting(np.asarray(labels), ("a", "b", "c"), border, wrap=wrap, **extent)


FIELDS = [
    texture_fields.Uniform(3),
    texture_fields.Mix((("a", 0.25), ("b", 0.75))),
    texture_fields.Morph((("a", "b"), ("c", "d")), -30, 5, 90, 64),
    texture_fields.Morph((("a", "b", "c"),), 0, 0, 80, 80),
    painting([[0, 1], [2, 0]]),
    painting([[0, 1, 2]], wrap=(True, True)),
    painting(np.arange(80 * 80).reshape(80, 80) % 3, border=5),
]


@pytest.mark.parametrize("field", FIELDS)
def test_weights_sum_to_one_at_every_cell(field):
    found = weights(field, range(-7, 20), range(-3, 15))
    np.testing.assert_allclose(sum(found.values()), 1, atol=1e-6)
    assert set(found) <= set(field.textures)
    assert all(weight.min() >= 0 for weight in found.values())


@pytest.mark.parametrize("field", FIELDS)
def test_weights_do_not_depend_on_the_window(field):
    whole = weights(field, range(-7, 20), range(-3, 15))
    part = weights(field, [4, -7, 12], [14, 0])
    for texture, weight in part.items():
        np.testing.assert_array_equal(weight, whole[texture][np.ix_([11, 0, 19], [17, 3])])


def test_textures_with_weight_zero_are_omitted():
    assert texture_fields.Mix(((1, 0.0), (2, 1.0))).textures == (2,)
    assert list(weights(texture_fields.Mix(((1, 0.0), (2, 1.0))), [0], [0])) == [2]
    assert list(weights(texture_fields.Morph(((1, 2, 3),), 0, 0, 80, 800), [0], [2, 3])) == [1, 2]


def test_a_morph_is_bilinear_between_its_knots():
    # Three knots over 80 pixels: the middle of cell 2 is pixel 20, halfway from the first to the second.
    found = weights(texture_fields.Morph((("a", "b", "c"),), 0, 0, 80, 80), [0], [-5, 2, 5, 99])
    np.testing.assert_allclose(found["a"][0], [1, 0.5, 0, 0])
    np.testing.assert_allclose(found["b"][0], [0, 0.5, 0.9, 0], atol=1e-6)
    np.testing.assert_allclose(found["c"][0], [0, 0, 0.1, 1], atol=1e-6)
    corners = weights(texture_fields.Morph(((1, 2), (3, 4)), 0, 0, 80, 80), [2], [7])  # pixel 20 down, 60 right
    assert {k: float(v[0, 0]) for k, v in corners.items()} == {1: 0.1875, 2: 0.5625, 3: 0.0625, 4: 0.1875}


def test_a_morph_has_a_single_texture_at_and_beyond_each_corner():
    found = weights(texture_fields.Morph(((1, 2), (3, 4)), 0, 0, 80, 80), [-9, 50], [-9, 50])
    for i, texture in enumerate((1, 2, 3, 4)):
        assert found[texture][i // 2, i % 2] == 1


def test_cells_outside_the_border_have_a_single_texture():
    # The border of 16 pixels lies over pixel 40, cells 4 and 5: cell 3's square ends at pixel 36, cell 6's begins at
    # 44.
    found = weights(painting([[0, 1]]), [0, 9], range(10))
    np.testing.assert_array_equal(found["a"], [[1, 1, 1, 1, 0.75, 0.25, 0, 0, 0, 0]] * 2)
    np.testing.assert_array_equal(found["b"], [[0, 0, 0, 0, 0.25, 0.75, 1, 1, 1, 1]] * 2)


def test_a_wider_border_blends_more_cells():
    at = [4]
    narrow, wide = (weights(painting([[0, 1]], border), at, [1])["a"][0, 0] for border in (8, 64))
    assert narrow == 1 and 0.5 < wide < 1


def test_a_border_of_0_pixels_blends_one_cell():
    labels = np.zeros((80, 80), int)
    labels[:, 42:] = 1  # a quarter of cell 5 is the left texture's
    found = weights(painting(labels, border=0), [0], range(10))
    np.testing.assert_array_equal(found["a"][0], [1, 1, 1, 1, 1, 0.25, 0, 0, 0, 0])


def test_a_map_is_scaled_to_the_picture_and_extended_beyond_its_edges():
    field = painting([[0, 1]], top=-1000, left=800, height=16, width=800)
    found = weights(field, [-500, 500], [0, 100, 124, 176, 900])
    np.testing.assert_array_equal(found["a"][0], [1, 1, 1, 0, 0])


def test_a_map_wraps_on_a_torus():
    found = weights(painting([[0, 1]], wrap=(True, True)), [3], [0, 9])
    np.testing.assert_array_equal(found["a"][0], [0.75, 0.25])
    np.testing.assert_array_equal(weights(painting([[0, 1]]), [3], [0, 9])["a"][0], [1, 0])


def test_a_quilt_cycles_through_its_textures():
    labels, palette = texture_fields.quilt([5, "rust"], 2, 3)
    assert [[palette[label] for label in row] for row in labels] == [[5, "rust", 5], ["rust", 5, "rust"]]


def test_equal_textures_of_different_types_compare_equal():
    vector = np.array([0.5, -1.0], np.float32)
    assert texture_fields.Uniform(vector) == texture_fields.Uniform([0.5, -1.0]) == texture_fields.Uniform((0.5, -1))
    field = texture_fields.Morph([[np.int8(3), vector], ["rust", 2]], np.int32(-5), np.uint8(0), 9, np.int64(2))
    same = texture_fields.Morph(((3, (0.5, -1.0)), ("rust", 2)), -5, 0, 9, 2)
    assert field == same and hash(field) == hash(same)
    assert texture_fields.quilt([np.int64(4)], 1, 1)[1] == (4,)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"height": 0}, "height: 0 is outside 1"),
        ({"width": -3}, "width: -3 is outside 1"),
        ({"border": -1}, "border: -1 is outside 0"),
    ],
)
def test_an_extent_or_border_out_of_range_is_an_error(wrong, words):
    with pytest.raises(SettingError, match=words):
        painting([[0, 1]], **wrong)
