"""The folder scan: which files count, which result they get, and when a run must not start."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from tf_psgan.data import manifest


def paint(path, height=8, width=8, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path, "PNG")
    return path


def names(scanned, root):
    return [os.path.relpath(entry.path, root) for entry in scanned.entries]


def test_a_folder_is_searched_sorted_and_without_hidden_or_other_files(tmp_path):
    for name in ("b.png", "a.PNG", "sub/d.jpg", "sub/deep/c.tif", ".hidden.png", ".git/x.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    expected = ["a.PNG", "b.png", "sub/d.jpg", "sub/deep/c.tif"]
    assert names(manifest.scan([str(tmp_path)]), tmp_path) == expected


def test_a_named_file_counts_whatever_its_name(tmp_path):
    path = paint(tmp_path / ".picture")
    (entry,) = manifest.scan([str(path)]).usable
    assert (entry.height, entry.width, entry.bytes) == (8, 8, path.stat().st_size)


def test_a_file_met_twice_counts_once(tmp_path):
    a, b = paint(tmp_path / "a.png"), tmp_path / "b.png"
    b.symlink_to(a)
    scanned = manifest.scan([str(a), str(tmp_path), str(b), str(tmp_path / ".." / tmp_path.name)])
    assert names(scanned, tmp_path) == ["a.png"]


def test_loops_of_links_end(tmp_path):
    paint(tmp_path / "one" / "a.png")
    (tmp_path / "one" / "up").symlink_to(tmp_path)
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert names(manifest.scan([str(tmp_path)]), tmp_path) == ["one/a.png"]


@pytest.mark.parametrize("source", ["", "nowhere", "nowhere/*.png"])
def test_a_missing_source_is_named(source):
    with pytest.raises(ValueError, match=r"no such file or folder; (?:correct the path|name the folder)") as caught:
        manifest.scan([source])
    assert repr(source) in str(caught.value)


def test_damage_inside_a_picture_is_found_and_named(tmp_path):
    path = paint(tmp_path / "bad.png", 64, 64)
    path.write_bytes(path.read_bytes()[:-40])
    (entry,) = manifest.scan([str(tmp_path)]).skipped
    assert "bad.png" in entry.reason and "\n" not in entry.reason and entry.height == 0


def test_pipes_and_dead_links_do_not_stop_the_scan(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere")
    paint(tmp_path / "c.png")
    scanned = manifest.scan([str(tmp_path)])
    reasons = [entry.reason.removeprefix(entry.path) for entry in scanned.entries]
    assert reasons == [": not a regular file.", ": cannot be read (No such file or directory).", ""]


@pytest.mark.parametrize(
    "total, bad, starts", [(10, 1, True), (10, 2, False), (9, 1, False), (1, 1, False), (3, 0, True)]
)
def test_at_most_one_picture_in_ten_may_be_bad(total, bad, starts):
    good = [manifest.Entry(f"{i}.png", 1, "aa", 8, 8) for i in range(total - bad)]
    scanned = manifest.Manifest((*good, *[manifest.Entry("x.png", reason="x.png: damaged.")] * bad))
    if starts:
        assert len(manifest.check(scanned, 8).usable) == total - bad
    else:
        with pytest.raises(ValueError, match=rf"{bad} of {total} pictures cannot be used.*(?s:.)*x.png: damaged"):
            manifest.check(scanned, 8)


def test_an_empty_folder_says_what_would_count(tmp_path):
    with pytest.raises(ValueError, match=r"no pictures found; .*\.png"):
        manifest.check(manifest.scan([str(tmp_path)]), 8)


def test_a_picture_smaller_than_the_crop_is_skipped_until_crops_shrink():
    entries = [manifest.Entry(f"{i}.png", 1, "aa", 300, 300) for i in range(9)]
    scanned = manifest.Manifest((*entries, manifest.Entry("small.png", 1, "bb", 100, 200)))
    checked = manifest.check(scanned, 160)
    assert [entry.reason for entry in checked.skipped] == [
        "small.png: 100x200 pixels, but a crop needs 160; "
        "remove or enlarge the picture, or choose smaller crops (crop_cells, downsampling)."
    ]
    assert manifest.check(checked, 100) == scanned


def test_the_reasons_listed_are_few():
    bad = tuple(manifest.Entry(f"{i}.png", reason=f"{i}.png: damaged.") for i in range(7))
    with pytest.raises(ValueError, match=r"4.png: damaged.\n  and 2 more.$"):
        manifest.check(manifest.Manifest(bad), 8)


def test_json_goes_both_ways(tmp_path):
    paint(tmp_path / "ä.png")
    (tmp_path / "bad.png").write_bytes(b"")
    scanned = manifest.scan([str(tmp_path)])
    assert manifest.from_json(manifest.to_json(scanned)) == scanned


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pictures": [{"path": 3}]}', '{"pictures": [{"name": "a"}]}'])
def test_json_of_anything_else_is_an_error(text):
    with pytest.raises(ValueError, match="not a list of pictures"):
        manifest.from_json(text)


def test_a_moved_folder_is_no_difference_but_a_changed_picture_is(tmp_path):
    paint(tmp_path / "old" / "a.png")
    paint(tmp_path / "old" / "b.png", value=3)
    before = manifest.scan([str(tmp_path / "old")])
    (tmp_path / "old").rename(tmp_path / "new")
    assert manifest.difference(before, manifest.scan([str(tmp_path / "new")])) == ""
    (tmp_path / "new").rename(tmp_path / "old")
    paint(tmp_path / "old" / "b.png", value=4)
    assert manifest.difference(before, manifest.scan([str(tmp_path / "old")])).endswith(
        "b.png: another picture than before"
    )
    (tmp_path / "old" / "b.png").unlink()
    after = manifest.scan([str(tmp_path / "old")])
    assert manifest.difference(before, after).endswith("b.png: no longer among the pictures")
    assert manifest.difference(after, before).endswith("b.png: not among the pictures before")
    assert "another order" in manifest.difference(before, manifest.Manifest(before.entries[::-1]))


def test_a_file_that_changed_or_vanished_is_an_error(tmp_path):
    path = paint(tmp_path / "a.png", value=5)
    (entry,) = manifest.scan([str(path)]).entries
    assert (manifest.read(entry) == 5).all()
    with pytest.raises(ValueError, match=r"a.png: changed since the scan"):
        manifest.read(dataclasses.replace(entry, sha256="0"))
    path.unlink()
    with pytest.raises(ValueError, match=r"a.png: gone since the scan \(No such file"):
        manifest.read(entry)


@pytest.mark.parametrize("name", ["späne ½.png", "煉瓦.png", os.fsdecode(b"\xff\xfe.png")])
def test_names_that_are_not_ascii_or_not_utf_8_are_read_and_survive_json(tmp_path, name):
    paint(tmp_path / name)
    scanned = manifest.scan([str(tmp_path)])
    (entry,) = manifest.from_json(manifest.to_json(scanned)).usable
    assert os.path.basename(entry.path) == name
    assert manifest.read(entry).shape == (8, 8, 3)


def test_a_damaged_picture_with_a_name_that_is_not_utf_8_is_skipped_with_its_reason(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"no picture")
    (entry,) = manifest.scan([str(tmp_path)]).skipped
    assert "not a picture" in entry.reason and "\n" not in entry.reason
