"""Stored runs and exports of every schema version: the present code reads them and makes the same pictures.

Another processor may sum in another order: pixels may differ by one 8-bit value, not by more.
"""

import dataclasses
import json
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from tests.golden.stored import CONFIG, FOLDER, WINDOWS
from tf_psgan import config as configs
from tf_psgan.exporting import saved_model
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.loading import Plane
from tf_psgan.runs import checkpoint, exported_model
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.training.training_loop import train

VERSIONS = range(1, configs.SCHEMA_VERSION + 1)


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def run(version, tmp_path):
    return RunFolder(shutil.copytree(FOLDER / f"version_{version}" / "run", tmp_path / "run"))


@pytest.fixture
def exported(version, tmp_path):
    return extracted(version, tmp_path / "export")


def extracted(version, folder):
    with zipfile.ZipFile(FOLDER / f"version_{version}" / "export.zip") as archive:
        archive.extractall(folder)
    return folder / "1"


def check_windows(version, window):
    with np.load(FOLDER / f"version_{version}" / "windows.npz") as stored:
        assert set(stored.files) == set(WINDOWS)
        for name, arguments in WINDOWS.items():
            assert np.abs(window(**arguments).astype(int) - stored[name]).max() <= 1, name
            assert stored[name].std() > 4, name  # a picture, not one colour


def test_a_run_has_its_settings_under_their_present_names(run):
    assert run.read_config() == CONFIG


def test_a_run_makes_the_same_pictures(version, run):
    check_windows(version, Plane.from_run(run.path, "float32").window)


def test_a_run_goes_on(run, monkeypatch):
    monkeypatch.setattr(device, "set_threads", lambda threads: 1)  # other tests have started TensorFlow
    config = dataclasses.replace(
        CONFIG,
        data=dataclasses.replace(CONFIG.data, images=(str(FOLDER / "pictures"),)),
        training=dataclasses.replace(CONFIG.training, steps=11),
    )
    train(config, run.path)
    assert [row["step"] for row in run.read_metrics()] == [10, 11]
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-00000011"]
    stored = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    assert stored == json.loads(configs.to_json(config))


def test_an_export_makes_the_same_pictures(version, exported):
    check_windows(version, Plane.from_saved_model(exported).window)


def test_an_export_answers_in_the_loader_of_a_server(version, exported):
    with SessionModel(exported) as model:
        names = Plane.from_saved_model(exported).names

        def window(**arguments):
            texture = arguments["texture"]
            number = list(names).index(texture) if texture in names else texture
            return model.run("window", **(arguments | {"texture": number}))

        check_windows(version, window)


def test_what_is_written_now_has_the_format_of_the_newest_stored_version(tmp_path):
    """Change the format only together with SCHEMA_VERSION, a migration and a new stored version."""
    newest = FOLDER / f"version_{configs.SCHEMA_VERSION}"
    stored = (newest / "run" / "config.json").read_text(encoding="utf-8")
    assert configs.to_json(CONFIG) == stored

    old = extracted(configs.SCHEMA_VERSION, tmp_path / "stored")
    folded, names, _ = exported_model.read(old)
    about = {"run": "run", "step": 10, "source_licence": ""}
    new = saved_model.write(folded, tmp_path / "new", names, about)
    descriptions = [json.loads((path / exported_model.DESCRIPTION).read_text(encoding="utf-8")) for path in (old, new)]
    # Entries that inform only, which readers ignore and which may differ or be missing, need no new version.
    old_entries, new_entries = (
        {
            name: value
            for name, value in described.items()
            if name not in ("cost_per_pixel", "identity", "made_by", "signatures", "texture_numbers")
        }
        for described in descriptions
    )
    assert old_entries == new_entries
    shapes = [
        tf.train.load_checkpoint(str(path / "variables/variables")).get_variable_to_shape_map() for path in (old, new)
    ]
    assert shapes[0] == shapes[1]


def test_no_stored_file_has_a_path_of_the_machine_that_made_it():
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in (".json", ".jsonl"):
            assert '"/' not in path.read_text(encoding="utf-8"), path
    reader = tf.train.load_checkpoint(str(FOLDER / "version_1/run/checkpoints/step-00000010" / checkpoint.BUNDLE))
    assert b"/" not in reader.get_tensor(checkpoint.NOTES)
