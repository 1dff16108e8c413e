"""Crops: a pure function of the pictures, the seed and the step, in bounded memory."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_psgan.data import crops, manifest
from tf_psgan.latents import noise

SIDE = 4


def numbered(index: int, height: int, width: int) -> np.ndarray:
    """A picture whose pixels say where they are: (picture, row, column)."""
    rows, cols = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return np.stack([np.full_like(rows, index), rows, cols], axis=-1).astype(np.uint8)


def shelf_of(*pictures: np.ndarray) -> crops.PackedImages:
    areas = [p.shape[0] * p.shape[1] for p in pictures]
    pixels = tf.constant(np.concatenate([p.reshape(-1, 3) for p in pictures]))
    starts = tf.constant(np.cumsum([0, *areas[:-1]]), tf.int64)
    return crops.PackedImages(pixels, starts, *(tf.constant([p.shape[k] for p in pictures], tf.int64) for k in (0, 1)))


def scan(folder, sizes) -> manifest.Manifest:
    folder.mkdir(exist_ok=True)
    for i, (height, width) in enumerate(sizes):
        Image.fromarray(numbered(i, height, width)).save(folder / f"{i:03d}.png")
    return manifest.scan([str(folder)])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return scan(tmp_path_factory.mktemp("many"), [(10 + i, 30 - i) for i in range(20)])


@pytest.fixture
def make():
    """ImageCache whose worker is stopped after the test."""
    made = []

    def _make(*args, **kwargs):
        made.append(crops.ImageCache(*args, **kwargs))
        return made[-1]

    yield _make
    for cache in made:
        cache.close()


def test_a_crop_is_a_window_of_one_picture():
    pictures = [numbered(0, 5, 9), numbered(1, 4, 4), numbered(2, 7, 6)]
    for crop in crops.crops(shelf_of(*pictures), 3, 50, SIDE).numpy():
        index, top, left = crop[0, 0]
        np.testing.assert_array_equal(crop, pictures[index][top : top + SIDE, left : left + SIDE])


def test_every_place_of_every_picture_is_drawn_alike():
    cut = crops.crops(shelf_of(numbered(0, 5, 6), numbered(1, 4, 4)), 1, 7000, SIDE).numpy()
    places, counts = np.unique(cut[:, 0, 0], axis=0, return_counts=True)
    # Half of the crops show picture 1, which has one place; picture 0 has 2 x 3.
    assert places.tolist() == [[0, r, c] for r in (0, 1) for c in (0, 1, 2)] + [[1, 0, 0]]
    assert abs(counts[-1] - 3500) < 200 and np.abs(counts[:-1] - 3500 / 6).max() < 100
    corners = cut[cut[:, 0, 0, 0] == 0][:, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(-1, 3)
    assert {(0, 0, 0), (0, 0, 5), (0, 4, 0), (0, 4, 5)} <= set(map(tuple, corners.tolist()))


def test_a_key_cuts_the_same_crops_in_a_graph_and_another_key_others():
    packed = shelf_of(numbered(0, 40, 40))

    @tf.function(input_signature=[crops.PACKED_IMAGES_SPEC, tf.TensorSpec([], tf.int64)])
    def graph(packed, key):
        return crops.crops(packed, key, 8, SIDE)

    np.testing.assert_array_equal(graph(packed, noise.fold(1, 2)), crops.crops(packed, noise.fold(1, 2), 8, SIDE))
    assert (graph(packed, noise.fold(1, 2)) != graph(packed, noise.fold(1, 3))).numpy().any()


def test_pictures_that_fit_are_loaded_once_and_stay(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=1 << 20, cache_refresh_steps=2)
    packed = cache.at(0)
    assert cache.at(10**9) is packed
    assert packed.heights.numpy().tolist() == [entry.height for entry in many.entries]
    for i, (start, height, width) in enumerate(zip(*(t.numpy() for t in packed[1:]), strict=True)):
        picture = packed.pixels[start : start + height * width].numpy().reshape(height, width, 3)
        np.testing.assert_array_equal(picture, numbered(i, height, width))


def test_a_turn_stays_within_half_of_the_cache_and_shows_true_regions(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=6000, cache_refresh_steps=1)
    for step in range(12):
        packed = cache.at(step)
        assert 1500 <= tf.size(packed.pixels) <= 3000
        assert min(packed.heights) >= SIDE and min(packed.widths) >= SIDE
        cut = crops.crops(packed, step, 8, SIDE).numpy().astype(int)
        np.testing.assert_array_equal(cut - cut[:, :1, :1], np.broadcast_to(numbered(0, SIDE, SIDE), cut.shape))


def test_over_the_turns_every_picture_comes_about_equally_often(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=6000, cache_refresh_steps=1)
    counts = np.bincount([p.picture for turn in range(300) for p in cache.pieces(turn)], minlength=20)
    assert counts.min() > 0.75 * counts.mean() and counts.max() < 1.3 * counts.mean()


def test_over_the_turns_every_pixel_of_a_huge_picture_comes(tmp_path, make):
    cache = make(scan(tmp_path, [(24, 60)]), SIDE, seed=1, cache_bytes=3000, cache_refresh_steps=1)
    seen = np.zeros((24, 60), int)
    for turn in range(60):
        (piece,) = cache.pieces(turn)
        assert piece.height * piece.width <= 500
        assert piece.height > SIDE and piece.width > SIDE
        seen[piece.top : piece.top + piece.height, piece.left : piece.left + piece.width] += 1
    assert seen.min() >= 3  # a corner's chance is 0.13 a turn; places drawn inside only would make it 0.004


def test_a_resumed_run_cuts_the_same_crops(many, make):
    def run(first, last):
        cache = make(many, SIDE, seed=9, cache_bytes=6000, cache_refresh_steps=3)
        return [crops.crops(cache.at(step), noise.fold(9, step), 2, SIDE).numpy() for step in range(first, last)]

    whole = run(0, 14)
    for first in (1, 7, 12):
        np.testing.assert_array_equal(run(first, 14), whole[first:])


def test_turns_differ_and_follow_the_seed(many, make):
    one, two = (make(many, SIDE, seed=seed, cache_bytes=6000, cache_refresh_steps=1) for seed in (1, 2))
    assert one.pieces(0) == one.pieces(0) != one.pieces(1)
    assert one.pieces(0) != two.pieces(0)


def test_steps_may_go_back_after_a_roll_back(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=6000, cache_refresh_steps=2)
    before = cache.at(5).pixels.numpy()
    cache.at(9)
    np.testing.assert_array_equal(cache.at(4).pixels, before)


def test_a_failure_in_the_background_surfaces_at_its_turn(tmp_path, make):
    pictures = scan(tmp_path, [(20, 20)] * 4)
    cache = make(pictures, SIDE, seed=1, cache_bytes=3000, cache_refresh_steps=10)
    cache.at(0)
    for path in tmp_path.iterdir():
        path.unlink()
    cache.at(9)
    with pytest.raises(ValueError, match=r"\.png: gone since the scan"):
        for step in range(10, 40):
            cache.at(step)


def test_a_picture_changed_since_the_scan_is_named(tmp_path, make):
    pictures = scan(tmp_path, [(20, 20)])
    Image.fromarray(numbered(7, 20, 20)).save(tmp_path / "000.png")
    with pytest.raises(ValueError, match=r"000\.png: changed since the scan"):
        make(pictures, SIDE, seed=1, cache_bytes=3000, cache_refresh_steps=1).at(0)


def test_a_cache_without_room_for_a_crop_is_refused(many, make):
    with pytest.raises(ValueError, match="raise --cache_megabytes"):
        make(many, 10, seed=1, cache_bytes=599, cache_refresh_steps=1)
    make(many, 10, seed=1, cache_bytes=600, cache_refresh_steps=1).at(0)


def test_pictures_below_the_crop_are_refused(many, make):
    with pytest.raises(ValueError, match="lower --crop_cells"):
        make(many, 25, seed=1, cache_bytes=1 << 20, cache_refresh_steps=1)


@pytest.mark.parametrize("height, width", [(400, 4), (4, 400), (50, 50), (7, 90)])
def test_a_region_keeps_the_shape_within_the_room(height, width):
    for pixels in (16, 17, 63, 250, 10**6):
        rows, cols = crops._region(height, width, pixels, SIDE)
        assert SIDE <= rows <= height and SIDE <= cols <= width and rows * cols <= pixels
    assert (rows, cols) == (height, width)
