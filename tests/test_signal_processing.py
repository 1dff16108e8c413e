import numpy as np
import pytest

from tf_psgan import signal_processing


def test_luminance_of_white_is_one_and_green_weighs_most():
    colours = np.array([[[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]], np.uint8)
    np.testing.assert_allclose(signal_processing.luminance(colours), [[1, 0.299, 0.587, 0.114]], rtol=1e-6)


def test_a_hann_window_is_symmetric_at_half_pixels_and_periodic_at_whole_ones():
    np.testing.assert_allclose(
        signal_processing.hann(4),
        [0.5 - np.sqrt(0.125), 0.5 + np.sqrt(0.125)] * 1 + [0.5 + np.sqrt(0.125), 0.5 - np.sqrt(0.125)],
    )
    np.testing.assert_allclose(signal_processing.hann(4, offset=0.0), [0, 0.5, 1, 0.5], atol=1e-15)


@pytest.mark.parametrize(
    "cycles, ring",
    [(2.9, -1), (3.1, 0), (3 * 2**0.5 + 0.1, 1), (6.1, 2), (47.9, 7), (48.1, 8)],
)
def test_a_half_octave_is_a_factor_of_the_root_of_two(cycles, ring):
    found, _ = signal_processing.sectors(np.array(0.0), np.array(cycles / 128), 128)
    assert found == ring


@pytest.mark.parametrize("degrees, direction", [(0, 0), (29, 0), (31, 1), (90, 3), (179, 5), (180, 0), (-45, 4)])
def test_a_direction_is_30_degrees_and_opposite_frequencies_share_it(degrees, direction):
    row, col = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    for sign in (1, -1):
        assert signal_processing.sectors(sign * np.array(row), sign * np.array(col), 64)[1] == direction


def test_the_zero_frequency_is_below_every_half_octave():
    assert signal_processing.sectors(np.zeros(1), np.zeros(1), 32)[0] < 0


@pytest.mark.parametrize(
    "height, width, rows, cols",
    [(4, 2, slice(1, 5), slice(3, 5)), (3, None, slice(1, 4), slice(2, 5)), (9, 20, slice(None), slice(None))],
)
def test_a_central_crop_is_at_most_the_picture(height, width, rows, cols):
    picture = np.arange(6 * 8).reshape(6, 8)
    crop = signal_processing.central_crop(picture, height, width)
    np.testing.assert_array_equal(crop, picture[rows, cols])
    assert crop.flags.c_contiguous


def test_square_crops_lie_inside_row_by_row():
    pictures = [np.arange(5 * 7).reshape(5, 7), np.zeros((2, 9))]
    found = signal_processing.square_crops(pictures, 3, 2)
    assert [crop[0, 0] for crop in found] == [0, 2, 4, 14, 16, 18]
    assert all(crop.shape == (3, 3) for crop in found)


def test_a_downsampled_picture_has_the_rounded_means_of_its_blocks():
    picture = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3) ** 2
    found = signal_processing.downsampled(picture, 2)  # the last column is left out
    assert found.shape == (1, 2, 3) and found.dtype == np.uint8
    block = picture[:, 2:4, 1].astype(int).sum()
    assert found[0, 1, 1] == (block + 2) // 4
    assert signal_processing.downsampled(picture, 1) is picture
