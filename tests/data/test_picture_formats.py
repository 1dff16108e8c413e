"""Which files count as pictures, and what is said of those that are not read."""

import sys

import numpy as np
import pytest
from PIL import Image

from tests.data.test_images import encoded
from tf_psgan.data import images, manifest, picture_formats

GREY = Image.fromarray(np.full((8, 8, 3), 90, np.uint8))
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
UNREAD = {
    "a.psd": (b"8BPS\0\1", "Photoshop"),
    "a.exr": (b"\x76\x2f\x31\x01", "OpenEXR"),
    "a.hdr": (b"#?RADIANCE\n", "Radiance HDR"),
    "a.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    "a.svg": (b"<?xml version='1.0'?>\n<svg/>", "SVG"),
    "a.nef": (encoded(GREY, "TIFF"), "raw photograph"),
}


@pytest.mark.parametrize(
    "suffix, kind",
    [
        (".jfif", "JPEG"),
        (".jpe", "JPEG"),
        (".avif", "AVIF"),
        (".jp2", "JPEG2000"),
        (".j2k", "JPEG2000"),
        (".apng", "PNG"),
        (".dib", "DIB"),
        (".tga", "TGA"),
        ("", "PNG"),
        (".txt", "JPEG"),
    ],
)
def test_a_folder_drops_no_picture(suffix, kind, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(encoded(GREY, kind, **({"no_jp2": True} if suffix == ".j2k" else {})))
    (entry,) = manifest.scan([str(tmp_path)]).usable
    assert np.abs(manifest.read(entry).astype(int) - 90).max() <= 2


@pytest.mark.parametrize("name", UNREAD)
def test_a_folder_names_the_pictures_that_are_not_read(name, tmp_path):
    data, kind = UNREAD[name]
    (tmp_path / name).write_bytes(data)
    (entry,) = manifest.scan([str(tmp_path)]).skipped
    assert entry.reason.startswith(f"{tmp_path / name}: ") and f"{kind}, which is not read" in entry.reason


def test_other_files_in_a_folder_are_no_pictures(tmp_path):
    for name, content in {
        "notes.txt": b"P1 is the plan",
        "bmp": b"BM and more of that",
        "a.mp4": b"\0\0\0\x18ftypisom",
    }.items():
        (tmp_path / name).write_bytes(content)
    assert manifest.scan([str(tmp_path)]).entries == ()


def test_heic_under_another_name_is_named_as_heic(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "photo.jpg"
    path.write_bytes(HEIC)
    with pytest.raises(ValueError, match=r"photo\.jpg: HEIC, which needs the package pillow-heif \(pip install"):
        images.decode(path)


def test_heic_is_read_with_its_package(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / "photo.heic"
    path.write_bytes(encoded(GREY, "HEIF", quality=-1))
    assert np.abs(images.decode(path).astype(int) - 90).max() <= 2


def test_avif_without_its_decoder_says_so(monkeypatch):
    monkeypatch.setattr(picture_formats.features, "check", lambda _: False)
    with pytest.raises(ValueError, match="AVIF, which this installation of Pillow does not read"):
        images.decode(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(40))


def test_a_recognised_file_with_a_damaged_head_is_called_damaged():
    with pytest.raises(ValueError, match="a damaged PNG file"):
        images.decode(b"\x89PNG\r\n\x1a\n" + bytes(40))
