"""The image cache: bounded memory, and a buffer that follows from the pictures, the seed and the step."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support.numbered import numbered
from tf_psgan.data import crops, image_cache, manifest
from tf_psgan.data.image_cache import ImageCache
from tf_psgan.errors import PictureError
from tf_psgan.latents import noise
from tf_psgan.signal_processing import downsampled

SIDE = 4


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
        made.append(ImageCache(*args, **kwargs))
        return made[-1]

    yield _make
    for cache in made:
        cache.close()


def test_pictures_that_fit_are_loaded_once(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=1 << 20, cache_refresh_steps=2)
    packed = cache.at(0)
    assert cache.at(10**9) is packed
    assert packed.heights.numpy().tolist() == [entry.height for entry in many.entries]
    for i, (start, height, width) in enumerate(zip(*(t.numpy() for t in packed[1:]), strict=True)):
        picture = packed.pixels[start : start + height * width].numpy().reshape(height, width, 3)
        np.testing.assert_array_equal(picture, numbered(i, height, width))


def test_reduced_pictures_are_packed(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=1 << 20, cache_refresh_steps=2, downsampling=2)
    packed = cache.at(0)
    assert packed.heights.numpy().tolist() == [entry.height // 2 for entry in many.entries]
    start, height, width = (int(part[3]) for part in packed[1:])
    found = packed.pixels[start : start + height * width].numpy().reshape(height, width, 3)
    np.testing.assert_array_equal(found, downsampled(numbered(3, 13, 27), 2))
    with pytest.raises(PictureError, match="a crop needs 12"):
        make(many, 6, seed=1, cache_bytes=1 << 20, cache_refresh_steps=2, downsampling=2)


def test_a_buffer_stays_within_half_of_the_cache_and_holds_true_regions(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=6000, cache_refresh_steps=1)
    for step in range(12):
        packed = cache.at(step)
        assert 1500 <= tf.size(packed.pixels) <= 3000
        assert min(packed.heights) >= SIDE and min(packed.widths) >= SIDE
        cut = crops.crops(packed, step, 8, SIDE).numpy().astype(int)
        np.testing.assert_array_equal(cut - cut[:, :1, :1], np.broadcast_to(numbered(0, SIDE, SIDE), cut.shape))


def test_over_many_refreshes_every_picture_comes_about_equally_often(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=6000, cache_refresh_steps=1)
    counts = np.bincount([r.picture for refresh in range(300) for r in cache.regions(refresh)], minlength=20)
    assert counts.min() > 0.75 * counts.mean() and counts.max() < 1.3 * counts.mean()


def test_over_many_refreshes_every_pixel_of_a_huge_picture_comes(tmp_path, make):
    cache = make(scan(tmp_path, [(24, 60)]), SIDE, seed=1, cache_bytes=3000, cache_refresh_steps=1)
    seen = np.zeros((24, 60), int)
    for refresh in range(60):
        (region,) = cache.regions(refresh)
        assert region.height * region.width <= 500
        assert region.height > SIDE and region.width > SIDE
        seen[region.top : region.top + region.height, region.left : region.left + region.width] += 1
    assert seen.min() >= 3  # a corner's chance is 0.13 per refresh; offsets drawn inside only would make it 0.004


def test_a_resumed_run_cuts_the_same_crops(many, make):
    def run(first, last):
        cache = make(many, SIDE, seed=9, cache_bytes=6000, cache_refresh_steps=3)
        return [crops.crops(cache.at(step), noise.fold(9, step), 2, SIDE).numpy() for step in range(first, last)]

    whole = run(0, 14)
    for first in (1, 7, 12):
        np.testing.assert_array_equal(run(first, 14), whole[first:])


def test_refreshes_differ_and_follow_the_seed(many, make):
    one, two = (make(many, SIDE, seed=seed, cache_bytes=6000, cache_refresh_steps=1) for seed in (1, 2))
    assert one.regions(0) == one.regions(0) != one.regions(1)
    assert one.regions(0) != two.regions(0)


def test_steps_may_go_back_after_a_roll_back(many, make):
    cache = make(many, SIDE, seed=1, cache_bytes=6000, cache_refresh_steps=2)
    before = cache.at(5).pixels.numpy()
    cache.at(9)
    np.testing.assert_array_equal(cache.at(4).pixels, before)


def test_a_failure_in_the_background_is_raised_at_its_refresh(tmp_path, make):
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


def test_a_cache_without_room_for_two_crops_is_an_error(many, make):
    with pytest.raises(ValueError, match="no room for two crops of 10x10 pixels; choose a larger cache"):
        make(many, 10, seed=1, cache_bytes=599, cache_refresh_steps=1)
    make(many, 10, seed=1, cache_bytes=600, cache_refresh_steps=1).at(0)


def test_pictures_smaller_than_a_crop_are_an_error(many, make):
    with pytest.raises(ValueError, match="choose smaller crops"):
        make(many, 25, seed=1, cache_bytes=1 << 20, cache_refresh_steps=1)


@pytest.mark.parametrize("height, width", [(400, 4), (4, 400), (50, 50), (7, 90)])
def test_a_region_keeps_the_shape_within_the_room(height, width):
    for pixels in (16, 17, 63, 250, 10**6):
        rows, cols = image_cache._extent(height, width, pixels, SIDE)
        assert SIDE <= rows <= height and SIDE <= cols <= width and rows * cols <= pixels
    assert (rows, cols) == (height, width)
