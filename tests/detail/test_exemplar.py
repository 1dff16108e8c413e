import dataclasses

import numpy as np
import pytest

from tests.support import synthetic_textures
from tf_psgan.detail import exemplar, mean_cell
from tf_psgan.detail.exemplar import OUTSIDE, Exemplar, FormatError
from tf_psgan.detail.features import COMPONENTS, PEAK, box_means, local_means
from tf_psgan.errors import PictureError


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((40, 70), (65, 33))]


@pytest.fixture(scope="module")
def built(pictures):
    return Exemplar.build(pictures, 3)


def test_box_means_round_the_mean_of_each_square_of_pixels():
    picture = np.array([[[0], [1], [2]], [[3], [4], [6]]], np.uint8)
    # (0 + 1 + 3 + 4) / 4 = 2; (1 + 2 + 4 + 6) / 4 = 3.25
    np.testing.assert_array_equal(box_means(picture, 2), [[[2], [3]]])
    np.testing.assert_array_equal(box_means(picture, 1), picture)


def test_the_photographs_can_be_read_back(built, pictures):
    for found, picture in zip(built.pictures, pictures, strict=True):
        np.testing.assert_array_equal(found, picture)


def test_a_level_has_the_colours_of_boxes_at_its_grid(built, pictures):
    level = built.levels[2]
    assert (level.pixels, level.grid, level.stride) == (4, 2, 2)
    table = level.colours.reshape(-1, level.width, 3)
    np.testing.assert_array_equal(table[3, 5], box_means(pictures[0], 4)[6, 10])
    second = built.places[1][0] // 2
    np.testing.assert_array_equal(table[second + 3, 5], box_means(pictures[1], 4)[6, 10])


def test_the_colours_of_synthesised_levels_are_relative_to_the_local_mean(built, pictures):
    level = built.levels[1]
    mean = built.local_means.reshape(-1, built.levels[0].width, 3)[6, 10] / 16
    expected = box_means(pictures[0], 2)[6, 10] - np.floor(mean + 0.5)
    np.testing.assert_array_equal(level.colours.reshape(-1, level.width, 3)[6, 10], expected)


def test_local_means_are_gaussian_and_of_the_pixels_inside():
    rows = np.arange(60)
    picture = np.repeat(np.repeat(2 * rows[:, np.newaxis, np.newaxis], 50, axis=1), 3, axis=2).astype(np.uint8)
    found = local_means(picture, 4.0) / 16
    np.testing.assert_allclose(found[20:40], picture[20:40], atol=1 / 16)  # a ramp is its own mean
    weights = np.exp(-((rows / 4.0) ** 2) / 2)
    np.testing.assert_allclose(found[0, 7], np.average(2 * rows, weights=weights), atol=1 / 16)


def test_features_are_the_filters_responses_to_neighbourhoods_inside_a_photograph(built, pictures):
    level = built.levels[1]
    features = level.features.reshape(-1, level.width, COMPONENTS)
    means = box_means(pictures[0], 2)
    means = means - (built.local_means.reshape(-1, built.levels[0].width, 3)[:39, :69] + 8) // 16
    block = means[3:12:2, 5:14:2]  # 5 x 5 pixels of two, the middle one at (7, 9)
    expected = np.floor((block.reshape(-1).astype(int) @ level.filters.astype(int) - level.centre) / level.scale)
    np.testing.assert_array_equal(features[7, 9], np.clip(expected, -PEAK, PEAK))
    assert (features[3, 9] == OUTSIDE).all()
    assert (features[4, 4] != OUTSIDE).all()


def test_positions_that_continue_a_copy_stay_inside_the_table(built):
    for level in built.levels:
        inside = np.flatnonzero(level.features[:, 0] != OUTSIDE)
        step = level.stride * (level.width + 1)
        assert inside.min() >= step
        assert inside.max() + step < len(level.features)


def test_a_finer_map_starts_inside(built):
    synthesised = built.levels[:-1]
    for coarse, fine in zip(synthesised[1:], synthesised[:-1], strict=True):
        inside = np.flatnonzero(coarse.features[:, 0] != OUTSIDE)
        ratio = coarse.grid // fine.grid
        first = inside // coarse.width * ratio * fine.width + inside % coarse.width * ratio
        for row in range(2):
            for col in range(2):
                children = first + fine.stride * (row * fine.width + col)
                assert (fine.features[children, 0] != OUTSIDE).all()


def test_the_guides_table_gives_it_the_photographs_histograms(built, pictures):
    random = np.random.default_rng(1)
    guide = random.integers(100, 140, (80, 80, 3)).astype(np.uint8)
    table = built.with_guide(guide).guide_table
    assert (np.diff(table.astype(int), axis=1) >= 0).all()
    for i in range(3):
        found = table[i][box_means(guide, 4)[..., i]].ravel()
        wanted = np.concatenate([box_means(picture, 4)[..., i].ravel() for picture in pictures])
        for share in (10, 50, 90):
            assert abs(np.percentile(found, share) - np.percentile(wanted, share)) < 8


def test_similar_positions_are_apart_and_nearer_than_most():
    level = Exemplar.build([synthetic_textures.blobs(3)], 4).levels[2]
    inside = np.flatnonzero(level.features[:, 0] != OUTSIDE)
    similar = level.similar[inside]
    assert similar.shape[1] == exemplar.SIMILAR
    apart = np.maximum(
        np.abs(similar // level.width - inside[:, np.newaxis] // level.width),
        np.abs(similar % level.width - inside[:, np.newaxis] % level.width),
    )
    assert apart.min() >= 2 * level.stride
    features = level.features.astype(float)
    found = np.linalg.norm(features[similar[:, 0]] - features[inside], axis=1)
    random = np.linalg.norm(features[np.random.default_rng(0).permutation(inside)] - features[inside], axis=1)
    assert np.median(found) < 0.6 * np.median(random)


def test_distances_are_exact_in_float32():
    assert COMPONENTS * (2 * PEAK) ** 2 < 2**24
    assert 25 * 3 * 255 * 127 < 2**24  # a filter's response


def test_the_guide_chooses_at_a_resolution_of_its_own(pictures):
    for resolutions, pixels in ((2, [1, 2]), (3, [1, 2, 4])):
        built = Exemplar.build(pictures, resolutions)
        assert [level.pixels for level in built.levels] == pixels and built.resolutions == resolutions
    large = Exemplar.build([synthetic_textures.blobs(3, 128)], 5)
    assert [level.pixels for level in large.levels] == [1, 2, 4, 16] and large.resolutions == 5
    # Of photographs that the generator learned reduced by 2, at one resolution more.
    larger = Exemplar.build([synthetic_textures.blobs(3, 256)], 6)
    assert [level.pixels for level in larger.levels] == [1, 2, 4, 8, 32]


def striped(height, width, bend=0.0):
    """Crossing waves of 12 x 16 pixels."""
    rows, cols = np.mgrid[:height, :width]
    down = bend * np.sin(2 * np.pi * cols / width)
    light = 128 + 60 * np.cos(2 * np.pi * (rows + down) / 12) + 50 * np.sin(2 * np.pi * cols / 16)
    return np.repeat(np.round(light).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def test_photographs_that_nearly_repeat_are_rectified_and_shifted():
    """The phases of all shifted photographs belong to one lattice."""
    found = Exemplar.build([striped(96, 120, 2.0), striped(90, 100)], 3, np.array([[12.0, 0.0], [0.0, 16.0]]))
    np.testing.assert_allclose(found.waves, [[1 / 12, 0.0], [0.0, 1 / 16]])
    assert len(found.places) == len(found.ahead) == 8
    responses = []
    for picture, ahead in zip(found.pictures, found.ahead, strict=True):
        turns = mean_cell.turns(picture.shape[:2], found.waves) + ahead
        light = picture[..., :1] - picture.mean()
        responses.append((light * np.exp(-2j * np.pi * turns)).mean(axis=(0, 1)))
    assert not found.unusual.any()
    assert np.abs(responses).min() > 22  # of 30 and 25: rows and columns are straight
    assert np.abs(np.angle(responses / responses[0])).max() < 0.1


def test_what_is_unusual_is_marked_in_the_photograph_that_has_it():
    random = np.random.default_rng(0)
    clean, flawed = (
        np.clip(striped(120, 160) + random.normal(0, 8, (120, 160, 3)), 0, 255).astype(np.uint8) for _ in "ab"
    )
    flawed[50:62, 70:86] = 128
    found = Exemplar.build([clean, flawed], 3, np.array([[12.0, 0.0], [0.0, 16.0]]))
    marked = found.unusual.reshape(-1, found.levels[0].width)
    shares = [marked[top : top + height, :width].mean() for top, height, width in found.places]
    assert len(shares) == 8 and max(shares[:4]) < 0.02 < min(shares[4:])
    top = found.places[4, 0]
    assert marked[top + 50 : top + 60, 72:84].mean() > 0.8


def test_a_photograph_without_room_for_a_cell_and_two_blocks_stays_as_it_is():
    given = striped(96, 120, 2.0)
    assert not len(Exemplar.build([given], 3, np.array([[96.0, 0.0], [0.0, 16.0]])).waves)


def test_large_photographs_are_rectified_and_not_shifted(monkeypatch):
    monkeypatch.setattr(exemplar, "SHIFTED_PIXELS", 10_000)
    found = Exemplar.build([striped(96, 120, 2.0)], 3, np.array([[12.0, 0.0], [0.0, 16.0]]))
    assert len(found.waves) == 2 and len(found.places) == 1


def test_a_photograph_that_would_be_too_small_when_rectified_stays_as_it_is():
    given = striped(32, 120, 2.0)
    found = Exemplar.build([given], 3, np.array([[12.0, 0.0], [0.0, 16.0]]))
    assert not len(found.waves)
    np.testing.assert_array_equal(found.pictures[0], given)


def test_photographs_stay_as_they_are_where_one_of_them_does_not_repeat(pictures):
    given = [striped(96, 120, 2.0), *pictures]
    found = Exemplar.build(given, 3, np.array([[12.0, 0.0], [0.0, 16.0]]))
    assert not len(found.waves) and len(found.pictures) == len(given)
    for picture, expected in zip(found.pictures, given, strict=True):
        np.testing.assert_array_equal(picture, expected)


def test_an_exemplar_survives_its_bytes(built):
    waves = np.array([[0.1, 0.0], [0.0, 0.1]])
    with_waves = dataclasses.replace(built, waves=waves, wave_offsets=np.array([1 << 62, 5]))
    again = Exemplar.from_bytes(with_waves.to_bytes())
    for name in ("places", "local_means", "waves", "ahead", "unusual", "guide_table", "colour_shift", "wave_offsets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(with_waves, name))
    for level, other in zip(again.levels, with_waves.levels, strict=True):
        for field in dataclasses.fields(level):
            value, expected = getattr(level, field.name), getattr(other, field.name)
            assert type(value) is type(expected)
            np.testing.assert_array_equal(value, expected)


def test_the_exemplar_of_another_version_is_told_from_damage(built, monkeypatch):
    monkeypatch.setattr(exemplar, "FORMAT", exemplar.FORMAT - 1)
    older = built.to_bytes()
    monkeypatch.undo()
    with pytest.raises(FormatError, match="another version"):
        Exemplar.from_bytes(older)


@pytest.mark.parametrize(
    "part, name, change",
    [
        (1, "similar", lambda array: array + len(array)),
        (2, "starts", lambda array: -1 - array),
        (2, "features", lambda array: array[:-1]),
        (0, "width", lambda width: width + 1),
        (0, "grid", lambda grid: grid - 1),
        (None, "places", lambda array: array + np.array([[0, 9, 0]])),
        (None, "places", lambda array: array - [[1, 0, 0]]),
        (None, "local_means", lambda array: array[1:]),
        (None, "guide_table", lambda array: array[:2]),
        (1, "colours", lambda array: array.astype(np.float32)),
        (1, "filters", lambda array: array.astype("<U5")),
        (None, "colour_shift", lambda array: array + 0.5),
        (None, "waves", lambda array: np.full((2, 2), np.nan)),
        (None, "waves", lambda array: np.zeros((1, 3))),
        (None, "waves", lambda array: np.full((2, 2), 0.1)),
        (None, "waves", lambda array: np.diag([1e5, 1e5])),
        (None, "waves", lambda array: np.diag([0.5, 1e-8])),
        (None, "ahead", lambda array: array[1:]),
        (None, "ahead", lambda array: array + np.nan),
        (None, "unusual", lambda array: array[1:]),
        (None, "wave_offsets", lambda array: np.zeros(2, np.int64)),
    ],
)
def test_an_exemplar_that_does_not_fit_together_is_refused(built, part, name, change):
    if part is None:
        damaged = dataclasses.replace(built, **{name: change(getattr(built, name))})
    else:
        level = dataclasses.replace(built.levels[part], **{name: change(getattr(built.levels[part], name))})
        damaged = dataclasses.replace(built, levels=(*built.levels[:part], level, *built.levels[part + 1 :]))
    with pytest.raises(ValueError, match=r"of an exemplar|zero"):
        Exemplar.from_bytes(damaged.to_bytes())


def test_a_photograph_without_room_for_the_coarsest_level_is_refused(pictures):
    assert exemplar.most_resolutions(pictures) == 3  # 33 pixels: eight of 4, and not of 8
    with pytest.raises(PictureError, match=r"40x70 pixels are too few for the detail stage; use pictures of 64x64"):
        Exemplar.build(pictures, 4)
