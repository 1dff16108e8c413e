"""Colours of photographs arrive in sRGB; expected values are computed from the definitions of the colour spaces."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.data.test_images import encoded, png
from tf_psgan.data import boxes, colour, images

PATCHES = np.array(
    [[[200, 40, 30], [30, 180, 60], [20, 40, 200], [128, 128, 128], [250, 240, 10], [9, 20, 14]]], np.uint8
)
ADOBE = ((0.3127, 0.3290), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.3127, 0.3290), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
SRGB = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def xyz(points):
    """The matrix from linear RGB to XYZ of primaries with the white D65."""
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in points)
    matrix = np.stack(primaries, axis=1)
    return matrix * np.linalg.solve(matrix, white)


def to_srgb(pixels, points, exponent=None):
    """The definition: to linear light, to the other primaries, and sRGB's curve."""
    values = pixels / 255.0
    linear = (
        values**exponent if exponent else np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    )
    linear = np.clip(linear @ np.linalg.solve(xyz(SRGB), xyz(points)).T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def icc(points, exponent, space=b"RGB ") -> bytes:
    """A profile of a matrix and a power curve (ICC.1:2001-04), with the white adapted to D50."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50, d65 = np.array([0.9642, 1.0, 0.8249]), xyz(SRGB).sum(axis=1)
    adapt = np.linalg.solve(bradford, np.diag(bradford @ d50 / (bradford @ d65)) @ bradford)
    numbers = lambda values: b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(exponent * 256))
    tags = [
        (b"wtpt", numbers(d50)),
        (b"desc", b"desc\0\0\0\0\0\0\0\2x\0" + bytes(78)),
        (b"cprt", b"text\0\0\0\0x\0\0\0"),
    ]
    if space == b"RGB ":
        columns = (adapt @ xyz(points)).T
        tags += [(name + b"XYZ", numbers(column)) for name, column in zip((b"r", b"g", b"b"), columns, strict=True)]
        tags += [(name + b"TRC", curve) for name in (b"r", b"g", b"b")]
    else:
        tags += [(b"kTRC", curve)]
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags:
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    size = struct.pack(">I", at + len(body))
    header = size + bytes(4) + b"\2\x20\0\0mntr" + space + b"XYZ " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    header += bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in d50)) + bytes(48)
    return header + table + body


def with_chunks(chunks: dict[bytes, bytes], pixels=PATCHES) -> bytes:
    data = encoded(Image.fromarray(pixels))
    added = b""
    for name, body in chunks.items():
        added += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return data[:33] + added + data[33:]  # behind IHDR


def chromaticities(points) -> bytes:
    return struct.pack(">8I", *(round(v * 100000) for point in points for v in point))


def difference(data, expected) -> float:
    return float(np.abs(images.decode(data) - expected).max())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("points, exponent", [(ADOBE, 2.199), (DISPLAY_P3, 2.2)])
def test_a_profile_is_converted_to_srgb(kind, points, exponent):
    flat = np.full((16, 16, 3), [200, 60, 70], np.uint8)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100}}
    if kind == "JPEG2000":
        plain = encoded(Image.fromarray(flat), kind)
        box = b"colr\2\0\0" + icc(points, exponent)
        at = plain.index(b"colr") - 4
        old = struct.unpack(">I", plain[at : at + 4])[0]
        grown = 4 + len(box) - old
        header = plain.index(b"jp2h") - 4
        size = struct.unpack(">I", plain[header : header + 4])[0] + grown
        data = plain[:header] + struct.pack(">I", size) + plain[header + 4 : at] + struct.pack(">I", 4 + len(box)) + box
        data += plain[at + old :]
    else:
        data = encoded(Image.fromarray(flat), kind, icc_profile=icc(points, exponent), **options.get(kind, {}))
    expected = to_srgb(flat, points, exponent)
    assert np.abs(expected - flat).max() > 6
    assert difference(data, expected) < 3.5  # lossy formats, and a gamut that is cut


def test_a_profile_is_converted_exactly_where_nothing_is_lossy():
    assert (
        difference(encoded(Image.fromarray(PATCHES), icc_profile=icc(ADOBE, 2.199)), to_srgb(PATCHES, ADOBE, 2.199))
        < 1.5
    )


def test_pixels_of_srgb_pictures_stay_as_they_are_stored():
    ramps = np.arange(256 * 3, dtype=np.uint32).reshape(1, 256, 3).astype(np.uint8)
    lcms = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (lcms, colour.srgb_profile()):
        np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(ramps), icc_profile=profile)), ramps)
    for chunks in ({b"sRGB": b"\0"}, {b"gAMA": struct.pack(">I", 45455)}, {b"cICP": bytes([1, 13, 0, 1])}):
        np.testing.assert_array_equal(images.decode(with_chunks(chunks, ramps)), ramps)


def test_a_damaged_profile_and_one_of_another_kind_of_picture_are_ignored_as_by_browsers():
    grey = icc(SRGB, 1.0, b"GRAY")
    for profile in (b"nonsense", icc(ADOBE, 2.2)[:200], grey):
        np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(PATCHES), icc_profile=profile)), PATCHES)


def test_the_profile_of_a_grey_picture_is_used_at_8_and_at_16_bits_and_with_alpha():
    ramp = np.arange(0, 256, 5, dtype=np.uint8)[np.newaxis]
    expected = to_srgb(np.repeat(ramp[..., np.newaxis], 3, -1), SRGB, 1.8)
    profile = icc(SRGB, 1.8, b"GRAY")
    assert difference(encoded(Image.fromarray(ramp), icc_profile=profile), expected) < 1.5
    assert (
        difference(encoded(Image.fromarray(ramp.astype(np.uint16) * 257), "TIFF", icc_profile=profile), expected) < 1.5
    )
    opaque = Image.merge("LA", [Image.fromarray(ramp), Image.new("L", (ramp.shape[1], 1), 255)])
    assert difference(encoded(opaque, icc_profile=profile), expected) < 1.5
    rgb = icc(SRGB, 1.8)  # as in many grey JPEG files
    assert difference(encoded(Image.fromarray(ramp), icc_profile=rgb), expected) < 1.5


def test_transparency_is_composited_behind_the_conversion():
    pixels = np.array([[[200, 40, 30, 255], [200, 40, 30, 0], [200, 40, 30, 128]]], np.uint8)
    whole = to_srgb(pixels[..., :3], ADOBE, 2.199)
    alpha = pixels[..., 3:] / 255
    expected = whole * alpha + 255 * (1 - alpha)
    assert difference(encoded(Image.fromarray(pixels), icc_profile=icc(ADOBE, 2.199)), expected) < 1.5


def test_a_palette_with_a_profile_is_converted():
    picture = Image.fromarray(PATCHES).quantize(8, dither=Image.Dither.NONE)
    expected = to_srgb(np.asarray(picture.convert("RGB")), ADOBE, 2.199)
    assert difference(encoded(picture, icc_profile=icc(ADOBE, 2.199)), expected) < 1.5


def test_lab_is_converted():
    lab = Image.merge(
        "LAB", [Image.new("L", (4, 4), value) for value in (136, 208, 195)]
    )  # sRGB's red: L 53, a 80, b 67
    assert np.abs(images.decode(encoded(lab, "TIFF"))[0, 0].astype(int) - [255, 0, 0]).max() <= 8


@pytest.mark.parametrize(
    "chunks, points, exponent",
    [
        ({b"gAMA": struct.pack(">I", 100000)}, SRGB, 1.0),
        ({b"gAMA": struct.pack(">I", 55556)}, SRGB, 1.8),
        ({b"cHRM": chromaticities(DISPLAY_P3)}, DISPLAY_P3, None),
        ({b"gAMA": struct.pack(">I", 55556), b"cHRM": chromaticities(ADOBE)}, ADOBE, 1.8),
        ({b"cICP": bytes([12, 13, 0, 1])}, DISPLAY_P3, None),
        ({b"cICP": bytes([1, 8, 0, 1]), b"sRGB": b"\0"}, SRGB, 1.0),
        ({b"sRGB": b"\0", b"gAMA": struct.pack(">I", 100000)}, SRGB, None),
    ],
)
def test_png_chunks_count_in_the_order_of_the_specification(chunks, points, exponent):
    assert difference(with_chunks(chunks), to_srgb(PATCHES, points, exponent)) < 1.5


@pytest.mark.parametrize(
    "points, reason",
    [((9, 16, 0, 1), r"high dynamic range \(PQ\)"), ((9, 18, 0, 1), "HLG"), ((1, 13, 0, 0), "narrow range")],
)
def test_a_colour_space_without_a_known_white_is_an_error(points, reason):
    with pytest.raises(ValueError, match=reason):
        images.decode(with_chunks({b"cICP": bytes(points)}))


def test_code_points_of_an_avif_are_converted():
    flat = np.full((16, 16, 3), [200, 60, 70], np.uint8)
    data = bytearray(encoded(Image.fromarray(flat), "AVIF", quality=100))
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", 12, 13)
    assert boxes.colour_box(io.BytesIO(data))[4:8] == struct.pack(">HH", 12, 13)
    assert difference(bytes(data), to_srgb(flat, DISPLAY_P3)) < 3.5


def test_16_bits_of_linear_light_are_an_error_and_8_bits_are_read():
    ramp = np.arange(0, 65536, 257, dtype=np.uint16)[np.newaxis]
    linear = icc(SRGB, 1.0, b"GRAY")
    with pytest.raises(ValueError, match="16-bit values of linear light, of which only 8 bits are read"):
        images.decode(encoded(Image.fromarray(ramp), icc_profile=linear))
    rows = b"\0" + struct.pack(">6H", 300, 0, 65535, 1, 2, 3)
    chunk = struct.pack(">I", 4) + b"gAMA" + struct.pack(">I", 100000)
    rgb = png(2, 1, 16, 2, rows)
    with pytest.raises(ValueError, match="16-bit values of linear light"):
        images.decode(rgb[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + rgb[33:])
    assert images.decode(encoded(Image.fromarray((ramp >> 8).astype(np.uint8)), icc_profile=linear))[0, 1, 0] == 13


def test_labels_keep_their_values():
    np.testing.assert_array_equal(
        images.decode(encoded(Image.fromarray(PATCHES), icc_profile=icc(ADOBE, 2.2)), managed=False), PATCHES
    )


def test_tables_of_a_profile_are_not_replaced_by_a_coarse_grid():
    # A table whose values alternate: between its points the optimised grid of Little CMS is off by more than 100.
    size = 40
    steps = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1)
    table = np.where(steps % 2, 60000, 5000).astype(">u2")
    ramp = struct.pack(">HH", 0, 65535)
    lut = b"mft2\0\0\0\0" + bytes([3, 3, size, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += struct.pack(">HH", 2, 2) + ramp * 3 + table.tobytes() + ramp * 3
    plain = icc(SRGB, 1.0)
    count = struct.unpack(">I", plain[128:132])[0]
    moved = b""
    for i in range(count):
        name, offset, length = struct.unpack(">4sII", plain[132 + 12 * i : 144 + 12 * i])
        moved += struct.pack(">4sII", name, offset + 12, length)
    end = len(plain) + 12
    data = plain[:128] + struct.pack(">I", count + 1) + moved + struct.pack(">4sII", b"A2B0", end, len(lut))
    profile = struct.pack(">I", end + len(lut)) + (data + plain[132 + 12 * count :] + lut)[4:]
    found = colour._of_profile(profile, False)
    assert found
    sample = colour._sample("RGB")
    exact = colour._transform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), "RGB", ImageCms.Flags.NOOPTIMIZE)(sample)
    np.testing.assert_array_equal(np.asarray(found.apply(sample)), np.asarray(exact))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_written_pictures_say_srgb(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    images.write(path, np.zeros((4, 4, 3), np.uint8), {"seed": "1"})
    with Image.open(path) as file:
        assert file.info.get("srgb") == 0 or file.info["icc_profile"] == colour.srgb_profile()
