"""TIFF files come out as they are meant, or name what of their layout is not read."""

import io
import struct

import numpy as np
import pytest
import tifffile

from tf_psgan.data import images

ROWS, COLS = 20, 24


def ramps(channels: int, top: int, dtype) -> np.ndarray:
    rows, cols = np.mgrid[:ROWS, :COLS]
    planes = [(cols / COLS * 0.7 + rows / ROWS * 0.3) * (1 - 0.2 * i) for i in range(channels)]
    return np.round(np.stack(planes, -1) * top).astype(dtype)


def packed(pixels: np.ndarray, bits: int, photometric: int) -> bytes:
    """A TIFF of one channel whose values take less than 8 bits, or 12, made by hand."""
    digits = (pixels[..., np.newaxis].astype(int) >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(digits.reshape(len(pixels), -1).astype(np.uint8), axis=1).tobytes()
    tags = {256: COLS, 257: ROWS, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: ROWS, 279: len(rows)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + struct.pack("<H", len(tags)) + entries + bytes(4)


def tiff(pixels: np.ndarray, bitspersample: int = 0, **options) -> bytes:
    if bitspersample:
        return packed(pixels, bitspersample, ["miniswhite", "minisblack"].index(options["photometric"]))
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize(
    "photometric, channels, dtype, options",
    [
        ("minisblack", 1, np.uint8, {}),
        ("minisblack", 1, np.uint16, {}),
        ("minisblack", 1, np.uint8, {"bitspersample": 4}),
        ("miniswhite", 1, np.uint8, {}),
        ("miniswhite", 1, np.uint8, {"bitspersample": 1}),
        ("rgb", 3, np.uint8, {}),
        ("rgb", 3, np.uint8, {"planarconfig": "separate"}),
        ("rgb", 3, np.uint16, {}),
        ("rgb", 3, np.uint16, {"planarconfig": "separate", "compression": "zlib"}),
    ],
)
def test_layouts_that_are_read_give_the_values_that_were_meant(photometric, channels, dtype, options, tile, order):
    bits = options.get("bitspersample", np.iinfo(dtype).bits)
    pixels = ramps(channels, 2**bits - 1, dtype)
    stored = pixels[..., 0] if channels == 1 else pixels
    stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else stored
    meant = pixels / (2**bits - 1) * 255
    meant = 255 - meant if photometric == "miniswhite" else meant
    data = tiff(stored, photometric=photometric, byteorder=order, tile=tile, **options)
    assert np.abs(images.decode(data) - meant).max() <= 1


@pytest.mark.parametrize(
    "photometric, channels, dtype, options, reason",
    [
        ("rgb", 3, np.uint16, {"planarconfig": "separate"}, "RGB with channels in planes of 16 bits"),
        ("minisblack", 1, np.uint16, {"bitspersample": 12}, "MinIsBlack with 12 bits"),
        ("miniswhite", 1, np.uint16, {}, "MinIsWhite with 16 bits"),
        ("minisblack", 1, np.int8, {}, "signed numbers of 8 bits"),
        ("minisblack", 1, np.int16, {}, "signed numbers of 16 bits"),
        ("minisblack", 1, np.float16, {}, "floating-point numbers of 16 bits"),
        ("minisblack", 1, np.float32, {}, "floating-point numbers of 32 bits"),
        ("minisblack", 1, np.uint32, {}, "MinIsBlack with 32 bits"),
        ("minisblack", 2, np.uint8, {"planarconfig": "contig"}, "2 channels, the second not alpha"),
        ("minisblack", 2, np.uint16, {"planarconfig": "contig"}, "2 channels of 16 bits"),
        ("rgb", 5, np.uint8, {}, "RGB with 5 channels of 8 bits"),
        ("cielab", 3, np.uint8, {"planarconfig": "separate"}, "CIELab with channels in planes"),
        ("separated", 4, np.uint16, {"planarconfig": "separate"}, "CMYK with channels in planes of 16 bits"),
        ("cfa", 1, np.uint16, {}, "raw sensor data"),
    ],
)
def test_other_layouts_are_errors_with_the_true_reason(photometric, channels, dtype, options, reason):
    top = 1 if np.dtype(dtype).kind == "f" else 2 ** options.get("bitspersample", np.iinfo(dtype).bits - 1) - 1
    pixels = ramps(channels, top, dtype)
    stored = pixels[..., 0] if channels == 1 else pixels
    stored = np.moveaxis(pixels, -1, 0) if options.get("planarconfig") == "separate" else stored
    with pytest.raises(ValueError, match=rf"picture: a TIFF of .*{reason}.*; save it again"):
        images.decode(tiff(stored, photometric=photometric, **options))


@pytest.mark.parametrize("photometric, channels", [("minisblack", 1), ("rgb", 3)])
def test_12_bits_stored_in_16_are_an_error_instead_of_black(photometric, channels):
    pixels = ramps(channels, 4095, np.uint16)
    with pytest.raises(ValueError, match="use 12 bits at most and would be nearly black"):
        images.decode(tiff(pixels[..., 0] if channels == 1 else pixels, photometric=photometric))


def test_a_big_tiff_is_read():
    pixels = ramps(3, 255, np.uint8)
    np.testing.assert_array_equal(images.decode(tiff(pixels, photometric="rgb", bigtiff=True)), pixels)
