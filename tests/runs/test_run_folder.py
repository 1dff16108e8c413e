"""The run folder: complete files, errors that name the damaged one, and one training process."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest

from tests.support.small_run import CONFIG, changed, save_generator
from tf_psgan.config import DataConfig, TrainingConfig
from tf_psgan.data import manifest
from tf_psgan.data.manifest import Entry, Manifest
from tf_psgan.errors import RunError
from tf_psgan.runs.run_folder import FREE, RunFolder
from tf_psgan.runtime import files

PICTURES = Manifest((Entry("a.png", 10, "hash", 96, 96),))


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path / "run")
    with found.locked():
        found.write_config(CONFIG)
        found.write("manifest.json", manifest.to_json(PICTURES))
        found.write_conditions({"threads": 1, "dtype": "float32"})
    return found


def test_settings_are_written_and_read(folder):
    assert folder.read_config() == CONFIG


def test_a_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"no run here \(no config.json\); train one first or choose another folder"):
        RunFolder(tmp_path).read_config()


@pytest.mark.parametrize(
    "setting", [{"waves": 5}, {"batch_size": 3}, {"learning_rate": 1e-3}, {"threads": 2}, {"seed": 9}]
)
def test_a_resume_with_another_setting_is_an_error_that_names_the_setting(folder, setting):
    ((name, value),) = setting.items()
    save_generator(folder)
    with pytest.raises(ValueError, match=rf"other settings \({name}: {value} here, .* there\); choose another run"):
        folder.write_config(changed(**setting))
    assert folder.read_config() == CONFIG


def test_a_run_that_failed_before_its_first_checkpoint_may_start_with_other_settings(folder):
    folder.write_config(changed(waves=5))
    assert folder.read_config() == changed(waves=5)


def test_a_run_whose_checkpoints_are_gone_does_not_start_over(folder):
    folder.add_metrics({"step": 40, "seconds": 9.0})
    for check in (lambda: folder.check_config(CONFIG), lambda: folder.check_manifest(PICTURES)):
        with pytest.raises(ValueError, match=r"no checkpoint is left of this run's 40 steps; put one back or choose"):
            check()


def test_how_long_and_how_often_may_change_and_the_pictures_may_move(folder):
    values = {f.name: f.default for kind in (DataConfig, TrainingConfig) for f in dataclasses.fields(kind)}
    texts = {"images": ("b.png",), "detail": "patches", "until": "settled"}
    other = changed(**{name: texts[name] if name in texts else values[name] + 1 for name in FREE})
    folder.write_config(other)
    assert folder.read_config() == other


@pytest.mark.parametrize(
    "name, read, remedy",
    [
        ("config.json", RunFolder.read_config, "restore it or choose another run"),
        ("manifest.json", RunFolder.read_manifest, "restore it or choose another run"),
        ("conditions.json", RunFolder.read_conditions, "delete it to resume"),
        ("metrics.jsonl", RunFolder.read_metrics, "delete that line or the file"),
    ],
)
@pytest.mark.parametrize("content", [b"{\n", b"[1]\n", b"\xff\xfe\n", b"\0\0\n", b"7\n", b"[" * 99999 + b"\n"])
def test_a_damaged_file_is_named_with_its_remedy(folder, name, read, remedy, content):
    (folder.path / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        read(folder)
    message = str(error.value)
    assert message.startswith(f"{folder.path / name}: cannot be used (") and remedy in message
    assert message.count("restore") <= 1 and len(message.splitlines()) == 1


@pytest.mark.parametrize("name, read", [("manifest.json", "read_manifest"), ("conditions.json", "read_conditions")])
def test_a_missing_file_is_named(folder, name, read):
    (folder.path / name).unlink()
    with pytest.raises(ValueError, match=f"{name}: cannot be read \\(No such file"):
        getattr(folder, read)()


def test_a_setting_out_of_range_in_the_file_is_named(folder):
    file = folder.path / "config.json"
    file.write_text(file.read_text().replace('"waves": 2', '"waves": -1'))
    with pytest.raises(ValueError, match=r"config.json: cannot be used \(waves: -1 is outside 0 .. 256"):
        folder.read_config()


def test_metrics_are_read_without_a_line_cut_off_by_a_kill(folder):
    rows = [{"step": 1, "seconds": 0.5}, {"step": 2, "seconds": 1}]
    for row in rows:
        folder.add_metrics(row)
    with folder.metrics.open("a") as stream:
        stream.write('{"step": 3, "sec')
    assert folder.read_metrics() == rows


def test_a_damaged_line_of_metrics_is_numbered(folder):
    folder.metrics.write_text('{"step": 1, "seconds": 0.5}\n{"step": "two", "seconds": 1}\n')
    with pytest.raises(ValueError, match="line 2 is not one of an evaluation"):
        folder.read_metrics()


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 1, "seconds": NaN}',
        '{"step": 1, "seconds": 1, "colour": Infinity}',
        '{"step": 1, "seconds": 1, "colour": "red"}',
        '{"step": 1.5, "seconds": 1}',
        '{"step": true, "seconds": 1}',
        '{"step": -1, "seconds": 1}',
        '{"seconds": 1}',
        '{"step": 1, "seconds": null}',
        '{"step": 1, "seconds": 1, "samples": 2.5}',
        '{"step": 1, "seconds": 1, "wave_lengths_pixels": [NaN]}',
        '{"step": 1, "seconds": 1, "wave_lengths_pixels": 7}',
    ],
)
def test_every_value_of_an_evaluation_is_checked_when_it_is_read(folder, line):
    folder.metrics.write_text(line + "\n")
    with pytest.raises(RunError, match="line 1 is not one of an evaluation"):
        folder.read_metrics()


def test_going_back_to_a_step_forgets_later_evaluations_and_previews(folder):
    folder.previews.mkdir()
    for step in (5, 10, 15):
        folder.add_metrics({"step": step, "seconds": step})
        folder.preview(step).write_text("picture")
    folder.forget_after(10)
    assert [row["step"] for row in folder.read_metrics()] == [5, 10]
    assert sorted(folder.previews.iterdir()) == [folder.preview(5), folder.preview(10)]


def test_a_write_that_fails_leaves_the_old_file(folder, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write("conditions.json", "{}")
    assert folder.read_conditions() == {"threads": 1, "dtype": "float32"}


def test_changed_conditions_are_returned_once_and_kept(folder):
    assert folder.note_conditions({"threads": 1, "dtype": "float32"}, 10) == []
    assert folder.note_conditions({"threads": 2, "dtype": "float32"}, 10) == ["step 10: threads was 1 and is 2"]
    assert folder.note_conditions({"threads": 2, "dtype": "float32"}, 20) == []
    assert folder.note_conditions({"threads": 1, "dtype": "float32"}, 30) == ["step 30: threads was 2 and is 1"]
    changes = ["step 10: threads was 1 and is 2", "step 30: threads was 2 and is 1"]
    assert folder.read_conditions() == {"threads": 1, "dtype": "float32", "changes": changes}


def test_other_pictures_are_an_error_once_there_is_a_checkpoint(folder):
    other = Manifest((Entry("a.png", 10, "other", 96, 96),))
    folder.check_manifest(other)
    save_generator(folder)
    folder.check_manifest(PICTURES)
    folder.check_manifest(Manifest((dataclasses.replace(PICTURES.entries[0], path="moved.png"),)))
    with pytest.raises(ValueError, match=r"a.png: another picture than before; put the pictures back"):
        folder.check_manifest(other)


@pytest.mark.parametrize("name", ["file", "file/run", "file/deep/run"])
def test_a_run_folder_below_a_file_is_an_error(tmp_path, name):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ValueError, match=r"file is a file; choose another run"), RunFolder(tmp_path / name).locked():
        pass


def test_a_folder_without_write_permission_is_an_error_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, who may write everywhere
    with pytest.raises(ValueError, match=r"no permission to write in .*; choose another run"):
        RunFolder(tmp_path / "deep" / "run").check_place()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path, monkeypatch):
    def mkdir(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    words = r"cannot be written \(Read-only file system\); choose another run"
    with pytest.raises(ValueError, match=words), RunFolder(tmp_path / "run").locked():
        pass


def test_only_one_process_trains_in_a_folder(folder):
    with folder.locked():
        with pytest.raises(RunError, match="another process trains in it; wait for it") as error, folder.locked():
            pass
        assert error.value.settings == ("run",)
    with folder.locked():
        pass


def test_the_files_are_json_that_anyone_can_read(folder):
    for name in ("config.json", "manifest.json", "conditions.json"):
        json.loads((folder.path / name).read_text(encoding="utf-8"))


def test_a_texture_never_takes_the_name_of_another_picture(folder, tmp_path):
    """A learned one, or one found for another picture: a name that was not asked for gets a number."""
    folder.write_texture("brick", [0.5], {"step": None, "picture": "brick.png"})
    folder.write_texture("стена", [0.5], {"step": 3, "like": str(tmp_path / "стена.png")})
    for picture, name in (("brick.png", "brick_2"), ("стена.png", "стена"), ("other/стена.jpg", "стена_2")):
        assert folder.texture_name(tmp_path / picture, "", 1) == name
    assert folder.texture_name(tmp_path / "стена.png", "стена", 1) == "стена"
    assert folder.texture_name(tmp_path / "a.png", "wall", 1) == "wall"
    for name in ("brick", "стена"):
        with pytest.raises(
            RunError, match=f"{name}.json: the texture {name} is of another picture; choose another name"
        ):
            folder.texture_name(tmp_path / "a.png", name, 1)


def test_an_evaluation_is_on_the_disk_when_the_call_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        files, "sync_data", lambda handle: synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))
    )
    folder = RunFolder(tmp_path)
    folder.add_metrics({"step": 1})
    assert synced == [(folder.metrics.stat().st_ino, folder.metrics.stat().st_size)]
