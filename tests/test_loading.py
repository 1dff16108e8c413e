"""Runs and exports as planes and generators."""

import errno
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from tests.support import tiny, tiny_export
from tests.support.small_run import CONFIG, changed, picture, save_generator
from tf_psgan import pretrained
from tf_psgan.data import manifest
from tf_psgan.detail import exemplar
from tf_psgan.errors import ExportError, PictureError, RunError, SettingError
from tf_psgan.exporting import weights
from tf_psgan.loading import (
    Plane,
    from_pretrained,
    list_pretrained,
    load_generator,
    load_plane,
    push_to_hub,
    read_exemplar,
    restore_generator,
)
from tf_psgan.plane import adaptation
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs.run_folder import RunFolder

WINDOW = dict(seed=1, texture=0, top=-3, left=5, height=20, width=30)


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path / "run")
    with found.locked():
        found.write_config(CONFIG)
    return found


def test_the_averaged_generator_of_a_run_comes_back(folder):
    saved = save_generator(folder, step=3)
    network, found = restore_generator(folder.path, "float32")
    assert (found.step, network.compute_dtype) == (3, "float32")
    for variable in saved.variables:
        restored = next(v for v in network.variables if v.path == variable.path)
        np.testing.assert_array_equal(restored.numpy(), variable.numpy())


def test_the_plane_of_a_run_is_that_of_its_generator(folder):
    expected = TexturePlane(fold(save_generator(folder))).window(**WINDOW)
    for plane in (Plane.from_run(folder.path, "float32"), load_plane(str(folder.path), "float32")):
        assert isinstance(plane, Plane)
        np.testing.assert_array_equal(plane.window(**WINDOW), expected)


def test_the_plane_of_an_export_is_that_of_its_generator_by_version_and_by_model():
    version = tiny_export.exported(global_channels=3)
    expected = TexturePlane(fold(tiny.generator(global_channels=3))).window(**WINDOW)
    for path in (version.parent, version):
        for plane in (Plane.from_saved_model(path), load_plane(path)):
            np.testing.assert_array_equal(plane.window(**WINDOW), expected)
            assert plane.names == tiny_export.NAMES


def test_checkpoints_that_are_passed_over_are_logged(folder, logged):
    save_generator(folder, step=3)
    (folder.checkpoints / "step-00000009").mkdir()
    load_generator(folder.path, "float32")
    assert logged() == "checkpoint rejected: step-00000009: variables.index is missing\n"


def test_a_run_without_a_checkpoint_has_no_generator(folder):
    with pytest.raises(RunError, match="no checkpoint yet; train longer or choose another run") as error:
        load_generator(folder.path)
    assert error.value.settings == ("run",)


def test_what_is_neither_a_run_nor_an_export_is_named(tmp_path):
    with pytest.raises(RunError, match="no run here"):
        load_plane(tmp_path)
    with pytest.raises(ExportError, match=r"cannot be read \(No such file or directory\); give the folder"):
        Plane.from_saved_model(tmp_path)


@pytest.fixture
def photographed(tmp_path, folder):
    """A run with its picture, whose settings have the detail stage."""
    folder.write_config(changed(detail="patches"))
    folder.write("manifest.json", manifest.to_json(manifest.scan((picture(tmp_path / "a.png"),))))
    save_generator(folder)
    return folder


def test_the_detail_stage_is_the_runs_setting_unless_it_is_given(photographed):
    found = Plane.from_run(photographed.path, "float32")
    assert found.exemplar is not None and photographed.exemplar.exists()
    plain = Plane.from_run(photographed.path, "float32", detail="none")
    assert plain.exemplar is None
    assert (found.window(**WINDOW) != plain.window(**WINDOW)).any()


def test_the_stored_photographs_serve_when_the_pictures_are_gone(photographed, tmp_path):
    expected = Plane.from_run(photographed.path, "float32").window(**WINDOW)
    (tmp_path / "a.png").unlink()
    np.testing.assert_array_equal(Plane.from_run(photographed.path, "float32").window(**WINDOW), expected)
    photographed.exemplar.unlink()
    with pytest.raises(PictureError, match=r"a\.png"):
        Plane.from_run(photographed.path, "float32")


def test_photographs_measured_by_another_version_are_measured_again(photographed, monkeypatch, tmp_path):
    monkeypatch.setattr(exemplar, "FORMAT", exemplar.FORMAT - 1)
    read_exemplar(photographed)
    older = photographed.exemplar.read_bytes()
    monkeypatch.undo()
    read_exemplar(photographed)
    assert photographed.exemplar.read_bytes() != older
    photographed.exemplar.write_bytes(older)
    (tmp_path / "a.png").unlink()
    with pytest.raises(PictureError, match=r"a\.png: gone since the scan .*; "):
        read_exemplar(photographed)


def test_damaged_photographs_are_named_with_the_remedy(photographed):
    for damage in (b"", b"no archive", read_exemplar(photographed).to_bytes()[:-200]):
        photographed.exemplar.write_bytes(damage)
        with pytest.raises(RunError, match=r"exemplar\.npz: cannot be used .* delete it, and it is measured again"):
            Plane.from_run(photographed.path, "float32")


def test_how_photographs_fit_a_network_is_measured_once(photographed, monkeypatch):
    first = Plane.from_run(photographed.path, "float32")
    written = (photographed.path / "adaptation.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "measure", None)
        again = Plane.from_run(photographed.path, "float32")
    assert again.exemplar.fingerprint() == first.exemplar.fingerprint()
    save_generator(photographed, step=9, seed=6)
    Plane.from_run(photographed.path, "float32")
    assert (photographed.path / "adaptation.json").read_bytes() != written


def test_a_run_that_cannot_be_written_is_measured_each_time(photographed, monkeypatch):
    expected = Plane.from_run(photographed.path, "float32").exemplar.fingerprint()
    (photographed.path / "adaptation.json").unlink()

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(RunFolder, "write", refuse)
    assert Plane.from_run(photographed.path, "float32").exemplar.fingerprint() == expected


def test_a_damaged_adaptation_is_named_with_the_remedy(photographed):
    Plane.from_run(photographed.path, "float32")
    file = photographed.path / "adaptation.json"
    values = json.loads(file.read_text())
    for damage in (
        "",
        "[]",
        "{}",
        json.dumps(values | {"guide_table": [1, 2]}),
        json.dumps(values | {"wave_offsets": [1.0]}),
    ):
        file.write_text(damage)
        with pytest.raises(RunError, match=r"adaptation\.json: cannot be used .* delete it, and it is measured again"):
            Plane.from_run(photographed.path, "float32")


def test_a_run_of_several_textures_has_no_detail_stage(photographed):
    with pytest.raises(SettingError, match=r"detail: .* several textures .* choose none"):
        Plane.from_generator(tiny.generator(global_channels=2), photographed.path)
    assert not photographed.exemplar.exists()  # refused before the photographs are measured


def test_every_ready_made_model_draws_its_texture():
    assert "honeycomb" in list_pretrained()
    for name in list_pretrained():
        plane = from_pretrained(name, "float32")
        assert plane.window(40, 50, top=-7, left=10**9).std() > 5
        card = (pretrained.folder(name) / "card.md").read_text(encoding="utf-8")
        assert card.startswith("---\nlibrary_name: keras\nlicense: cc0-1.0\n")


def test_a_model_of_a_run_is_that_run_within_one_8_bit_value(folder, tmp_path):
    save_generator(folder)
    folder.write("manifest.json", manifest.to_json(manifest.scan((picture(tmp_path / "a.png"),))))
    weights.export(folder.path, tmp_path / "model")
    expected = Plane.from_run(folder.path, "float32").window(**WINDOW).astype(int)
    found = from_pretrained(tmp_path / "model", "float32").window(**WINDOW)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(
    "name, message",
    [
        ("no-such", "no-such: is no ready-made model; use one of .*honeycomb"),
        ("no/such/folder", "no/such/folder: no model is in this folder"),
        ("hf://owner", "hf://owner: is no repository; give hf://OWNER/NAME"),
        ("hf://../name", "is no repository"),
    ],
)
def test_names_of_no_model_are_refused(name, message):
    with pytest.raises(ExportError, match=message):
        from_pretrained(name)


def test_models_of_the_hub_are_fetched_as_files(monkeypatch):
    calls = []

    def snapshot_download(repository, allow_patterns):
        calls.append((repository, allow_patterns))
        if repository == "a/none":
            raise OSError("404: not found")
        return str(pretrained.folder("honeycomb"))

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download))
    assert from_pretrained("hf://a/b").window(8, 8).shape == (8, 8, 3)
    assert calls == [("a/b", ["model.npz", "description.json", "exemplar.npz", "card.md"])]
    with pytest.raises(ExportError, match=r"hf://a/none: cannot be fetched \(404: not found\); check the name"):
        from_pretrained("hf://a/none")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ExportError, match="needs the package huggingface_hub; install it"):
        from_pretrained("hf://a/b")


class Hub:
    """Stands for `huggingface_hub.HfApi`: repositories as dictionaries of files."""

    def __init__(self):
        self.repositories = {}

    def create_repo(self, name, private, exist_ok):
        if name == "a/refused":
            raise LookupError("401: log in")
        assert exist_ok
        self.repositories.setdefault(name, {"private": private})

    def create_commit(self, name, parts, commit_message):
        assert commit_message
        self.repositories[name] |= {part.path_in_repo: Path(part.path_or_fileobj).read_bytes() for part in parts}


def test_a_model_is_uploaded_to_the_hub_with_its_card_as_the_page(monkeypatch, tmp_path):
    api = Hub()
    monkeypatch.setitem(
        sys.modules,
        "huggingface_hub",
        types.SimpleNamespace(HfApi=lambda: api, CommitOperationAdd=types.SimpleNamespace),
    )
    assert push_to_hub("honeycomb", "a/b", private=True) == "hf://a/b"
    stored = api.repositories["a/b"]
    assert stored.pop("private") and set(stored) == {"model.npz", "description.json", "card.md", "README.md"}
    assert stored["README.md"] == stored["card.md"] and stored["card.md"].startswith(b"---")
    with pytest.raises(ExportError, match=r"hf://a/refused: cannot be uploaded \(401: log in\); log in by"):
        push_to_hub("honeycomb", "hf://a/refused")
    with pytest.raises(ExportError, match="is no repository; give hf://OWNER/NAME"):
        push_to_hub("honeycomb", "honeycomb")
    with pytest.raises(ExportError, match="no model is in this folder"):
        push_to_hub(tmp_path, "a/b")
