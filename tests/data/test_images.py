"""Pictures decoded as they look: every number here is worked by hand."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_psgan.data import images


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, depth: int, colours: int, rows: bytes, transparent: bytes = b"") -> bytes:
    """A PNG made by hand: colour type 0 is grey, 2 RGB."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    hidden = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + header + hidden + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_formats_give_back_every_value(kind):
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14
    np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(picture), kind)), picture)


def test_a_16_bit_ramp_is_scaled_and_rounded():
    ramp = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    expected = np.array([0, 0, 1, 1, 128, 255], np.uint8)
    by_hand = png(6, 1, 16, 0, b"\0" + ramp.astype(">u2").tobytes())
    pgm = b"P5 6 1 65535\n" + ramp.astype(">u2").tobytes()
    for data in (by_hand, pgm, encoded(Image.fromarray(ramp), "TIFF")):
        picture = images.decode(data)
        assert picture.dtype == np.uint8 and picture.shape == (1, 6, 3)
        np.testing.assert_array_equal(picture[0], np.stack([expected] * 3, axis=-1))


def test_16_bit_colours_keep_their_high_byte():
    rows = b"\0" + struct.pack(">3H", 0x1234, 0xFFFF, 0x00FF)
    np.testing.assert_array_equal(images.decode(png(1, 1, 16, 2, rows)), [[[0x12, 0xFF, 0x00]]])


def test_a_transparent_16_bit_grey_becomes_background():
    rows = b"\0" + struct.pack(">2H", 300, 25700)
    data = png(2, 1, 16, 0, rows, transparent=struct.pack(">H", 300))
    np.testing.assert_array_equal(images.decode(data), [[[255, 255, 255], [100, 100, 100]]])


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bits_per_channel_are_an_error(dtype):
    data = encoded(Image.fromarray(np.ones((2, 2), dtype)), "TIFF")
    with pytest.raises(ValueError, match=r"numbers of 32 bits.*save it again"):
        images.decode(data)


@pytest.mark.parametrize(
    "orientation, expected",
    [
        (1, [[1, 2, 3], [4, 5, 6]]),
        (2, [[3, 2, 1], [6, 5, 4]]),
        (3, [[6, 5, 4], [3, 2, 1]]),
        (4, [[4, 5, 6], [1, 2, 3]]),
        (5, [[1, 4], [2, 5], [3, 6]]),
        (6, [[4, 1], [5, 2], [6, 3]]),
        (7, [[6, 3], [5, 2], [4, 1]]),
        (8, [[3, 6], [2, 5], [1, 4]]),
    ],
)
def test_exif_orientation_turns_the_picture_upright(orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    grey = encoded(Image.fromarray(stored), exif=exif)
    deep = encoded(Image.fromarray(stored.astype(np.uint16) * 257), exif=exif)
    np.testing.assert_array_equal(images.decode(grey)[..., 0], expected)
    np.testing.assert_array_equal(images.decode(deep)[..., 2], expected)


def test_the_colour_under_alpha_is_not_shown():
    pixels = np.array([[[200, 0, 0, 0], [200, 0, 0, 255], [0, 0, 0, 51]]], np.uint8)
    expected = [[[255, 255, 255], [200, 0, 0], [204, 204, 204]]]  # 255 * (1 - 51 / 255) = 204
    np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(pixels))), expected)


def test_grey_with_alpha_lies_over_the_background():
    picture = Image.frombytes("LA", (2, 1), bytes([10, 0, 10, 255]))
    np.testing.assert_array_equal(images.decode(encoded(picture)), [[[255] * 3, [10] * 3]])


def test_opaque_alpha_changes_nothing():
    pixels = np.arange(4 * 4 * 4, dtype=np.uint8).reshape(4, 4, 4)
    pixels[..., 3] = 255
    np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(pixels))), pixels[..., :3])


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_becomes_background(kind):
    picture = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    picture.putpalette([9, 8, 7, 30, 60, 90, 255, 0, 0])
    data = encoded(picture, kind, transparency=0)
    np.testing.assert_array_equal(images.decode(data), [[[255, 255, 255], [30, 60, 90], [255, 0, 0]]])


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(images.decode(data)[0, 0], [255, 0, 0])


@pytest.mark.parametrize(
    "ink, colour", [((0, 0, 0, 0), [255] * 3), ((0, 0, 0, 255), [0] * 3), ((255, 0, 0, 0), [0, 255, 255])]
)
def test_cmyk_is_ink_on_white(ink, colour):
    assert images.decode(encoded(Image.new("CMYK", (4, 4), ink), "TIFF"))[1, 2].tolist() == colour


def test_one_bit_is_black_and_white():
    assert images.decode(encoded(Image.frombytes("1", (2, 1), b"\x80")))[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_truncated_picture_is_one_line_that_names_the_file(kind, tmp_path):
    noisy = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "half"
    data = encoded(Image.fromarray(noisy), kind)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half: .*save it again") as caught:
        images.decode(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"<html>", b"%PDF-1.7"])
def test_other_files_are_an_error(data):
    with pytest.raises(ValueError, match="not a picture, or none of PNG, JPEG"):
        images.decode(data)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        images.decode(tmp_path / "gone.png")


def test_a_decompression_bomb_is_an_error_before_decoding():
    with pytest.raises(ValueError, match="30000x60000 pixels are more than 400000000; cut it"):
        images.decode(png(60000, 30000, 8, 2, b""))


@pytest.mark.filterwarnings("error")
def test_the_limit_is_ours_and_not_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow would warn from 11 pixels and fail from 21
    data = encoded(Image.new("L", (8, 8)))
    assert images.decode(data, limit_pixels=64).shape == (8, 8, 3)
    with pytest.raises(ValueError, match="8x8 pixels are more than 63"):
        images.decode(data, limit_pixels=63)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_every_byte_survives_the_way_to_unit_and_back_in_a_graph():
    values = tf.range(256)
    there = tf.function(images.to_unit)(tf.cast(values, tf.uint8))
    assert there.dtype == tf.float32 and there[0] == -1.0 and there[255] == 1.0
    np.testing.assert_array_equal(tf.function(images.to_bytes)(there), np.arange(256))


def test_to_bytes_rounds_half_to_even_and_clips():
    for dtype in (tf.float32, tf.bfloat16):
        unit = tf.constant([-9.0, -1.0, 0.0, 1.0, 9.0], dtype)  # 0.0 lies at 127.5
        assert images.to_bytes(unit).numpy().tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("suffix, worst", [(".png", 0), (".PNG", 0), (".jpg", 12), (".webp", 30)])
def test_a_written_picture_reads_back_with_its_text(suffix, worst, tmp_path):
    ramp = np.linspace(0, 255, 16).astype(np.uint8)
    picture = np.stack([np.tile(ramp, (16, 1))] * 3, axis=-1)
    path = tmp_path / f"ramp{suffix}"
    images.write(path, picture, {"seed": "7", "words": "größer"})
    assert np.abs(images.decode(path).astype(int) - picture).max() <= worst
    with Image.open(path) as file:
        description = file.getexif().get(0x010E, "")
        assert file.info.get("seed") == "7" or '"seed": "7"' in description
        assert file.info.get("words") == "größer" or "gr\\u00f6" in description
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["a.gif", "a"])
def test_an_unknown_suffix_is_an_error_with_the_known_ones(name, tmp_path):
    with pytest.raises(ValueError, match=r"use one of \.png, \.jpg"):
        images.write(tmp_path / name, np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(ValueError, match=r"let it end in \.png"):
        images.write_png(tmp_path / name, np.zeros((1, 1, 3), np.uint8))


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    images.write_png(path, np.full((2, 2, 3), 9, np.uint8))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        images.write_png(path, np.zeros((2, 2, 3), np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (images.decode(path) == 9).all()


def test_a_picture_too_wide_for_jpeg_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"wide.jpg: .*use .png"):
        images.write(tmp_path / "wide.jpg", np.zeros((1, 70000, 3), np.uint8))


def test_a_sheet_gives_each_column_and_row_its_widest_picture():
    pictures = [np.full((h, w, 3), i, np.uint8) for i, (h, w) in enumerate([(1, 2), (2, 1), (1, 1)])]
    page = images.sheet(pictures, columns=2, gap=1)
    w = 255
    assert page[..., 0].tolist() == [[0, 0, w, 1], [w, w, w, 1], [w, w, w, w], [2, w, w, w]]
    np.testing.assert_array_equal(images.sheet(pictures[:1], columns=4), pictures[0])
