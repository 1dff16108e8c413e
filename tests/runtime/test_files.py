"""Atomic writing: whatever fails, the old content stays, nothing is left over, and the error names the user's path."""

import errno
import os
import subprocess
import sys

import pytest

from tf_psgan.runtime import files


def failing(code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture
def synced(monkeypatch):
    """The paths that were brought to the disk, in order."""
    paths = []

    def fsync(handle):
        paths.append(os.readlink(f"/proc/self/fd/{handle}"))

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


@pytest.mark.parametrize(
    "content, stored", [("ü\n", b"\xc3\xbc\n"), (b"\0\xff", b"\0\xff"), (memoryview(b"ab"), b"ab")]
)
def test_text_and_bytes_are_written_as_they_are(tmp_path, content, stored):
    file = tmp_path / "a"
    files.write(file, content)
    assert file.read_bytes() == stored
    assert list(tmp_path.iterdir()) == [file]


def test_a_name_of_255_bytes_and_names_that_are_not_ascii_or_not_utf_8(tmp_path):
    for name in ("a" * 255, "\u00fc" * 127, "\U0001f9f1" * 63, os.fsdecode(b"\xff" * 255)):
        files.write(tmp_path / name, "x")
        assert [entry.name for entry in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_the_file_and_then_its_folder_are_synced(tmp_path, synced):
    files.write(tmp_path / "a", "x")
    temporary, folder = synced
    hidden = os.path.dirname(temporary)
    assert hidden.endswith(files.TEMPORARY) and os.path.dirname(hidden) == folder == str(tmp_path)


def test_a_folder_is_synced_from_the_inside_out(tmp_path, synced):
    with files.replacing(tmp_path / "a") as temporary:
        (temporary / "b").mkdir(parents=True)
        (temporary / "b" / "c").write_text("x")
    inside = [path.partition(files.TEMPORARY)[2] for path in synced[:-1]]
    assert inside == ["/content/b/c", "/content/b", "/content"]
    assert synced[-1] == str(tmp_path)
    assert (tmp_path / "a" / "b" / "c").read_text() == "x"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_of_the_system_names_the_path_and_leaves_the_old_file(tmp_path, monkeypatch, call):
    file = tmp_path / "a"
    file.write_text("old")
    monkeypatch.setattr(os, call, failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left on device") as error:
        files.write(file, "new")
    assert error.value.filename == str(file)
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_a_missing_folder_is_an_error_about_the_path(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        files.write(tmp_path / "no" / "a", "x")
    assert error.value.filename == str(tmp_path / "no" / "a")


def test_an_error_of_the_body_passes_unchanged_and_its_folder_is_removed(tmp_path):
    with pytest.raises(OSError, match="elsewhere") as error, files.replacing(tmp_path / "a") as temporary:
        temporary.mkdir()
        (temporary / "b").write_text("x")
        raise OSError(errno.EIO, "elsewhere", "other")
    assert error.value.filename == "other"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_does_not_replace_one_with_content(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with pytest.raises(OSError) as error, files.replacing(tmp_path / "a") as temporary:
        temporary.mkdir()
    assert error.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old"]


@pytest.mark.parametrize("code, fails", [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch, code, fails):
    fsync = os.fsync

    def only_files(handle):
        if os.path.isdir(os.readlink(f"/proc/self/fd/{handle}")):
            failing(code)()
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    if fails:
        with pytest.raises(OSError):
            files.write(tmp_path / "a", "x")
    else:
        files.write(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"


def test_without_folder_descriptors_files_are_synced_and_folders_are_not(tmp_path, monkeypatch, synced):
    """As on Windows, which opens no folder, and syncs only files opened for writing."""
    monkeypatch.delattr(os, "O_DIRECTORY")
    opened = os.open

    def no_folder(path, flags, *args):
        assert not os.path.isdir(path) and flags & os.O_RDWR
        return opened(path, flags, *args)

    monkeypatch.setattr(os, "open", no_folder)
    files.write(tmp_path / "a", "x")
    assert len(synced) == 1 and (tmp_path / "a").read_text() == "x"


def test_without_fdatasync_an_open_file_is_synced_whole(tmp_path, monkeypatch, synced):
    monkeypatch.delattr(os, "fdatasync")
    with (tmp_path / "a").open("w") as stream:
        files.sync_data(stream.fileno())
    assert synced == [str(tmp_path / "a")]


WRITER = """
import sys
from pathlib import Path
from tf_psgan.runtime import files
with files.replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half of it")
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_the_next_write_removes_what_a_killed_one_left_and_not_what_a_living_one_makes(tmp_path):
    out = tmp_path / "a[0].webp"
    killed, living = (
        subprocess.Popen([sys.executable, "-c", WRITER, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    )
    try:
        for process in (killed, living):
            assert process.stdout.readline() == b"begun\n"
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.iterdir())) == 2
        files.write(tmp_path / "a[0].web", "another name")
        assert len(list(tmp_path.iterdir())) == 3
        files.write(out, "whole")
        assert len(list(tmp_path.iterdir())) == 3  # the two files, and what the living process makes
    finally:
        living.communicate()
        killed.communicate()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a[0].webp": "half of it",
        "a[0].web": "another name",
    }


def test_without_locks_nothing_is_taken_for_left(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "lock_descriptor", failing(errno.ENOLCK))
    with files.replacing(tmp_path / "a") as first:
        first.write_text("first")
        files.write(tmp_path / "a", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "first"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    stay = {tmp_path / name for name in ("a.tmp", ".lock", "config.json")}
    for path in stay:
        path.touch()
    (tmp_path / ".a.0123.tmp").touch()
    (tmp_path / ".b.0123.tmp" / "c").mkdir(parents=True)
    files.remove_temporaries(tmp_path)
    assert set(tmp_path.iterdir()) == stay


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_the_path_whoever_reports_it(tmp_path, code):
    """The system, without a path or with a temporary one, and TensorFlow, whose errors are no OSError."""
    reason, path = os.strerror(code), tmp_path / "a"
    for raised in (OSError(code, reason), RuntimeError(f"{path}; {reason}"), OSError(code, reason, f"{path}.tmp/b")):
        with pytest.raises(OSError, match=reason) as error, files.naming(path, tmp_path / "a.tmp"):
            raise raised
        assert (error.value.errno, error.value.filename) == (code, str(path))
    with pytest.raises(RuntimeError, match="else"), files.naming(path):
        raise RuntimeError("something else")
