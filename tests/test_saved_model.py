"""SavedModels: the same planes from an export, each weight stored once, and no version half-written."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from small_run import changed, save_generator

from tf_psgan import saved_model
from tf_psgan.frozen import freeze
from tf_psgan.plane import Plane
from tf_psgan.run_folder import RunFolder, export, load_plane

KINDS = [{}, {"global_channels": 3}, {"waves": 0}]
NAMES = {"rust": (0.5, -1.0, 0.25)}


@pytest.fixture(scope="module", params=["float32", "mixed_bfloat16"])
def exported(request, tmp_path_factory):
    """A generator, and the folder of its SavedModel."""
    network = tiny.generator(request.param, global_channels=3)
    return network, saved_model.write(freeze(network), tmp_path_factory.mktemp("models") / "tiny", NAMES, {"step": 7})


@pytest.mark.parametrize("changes", KINDS)
def test_an_export_has_the_planes_of_the_generator(tmp_path, changes):
    network = tiny.generator(**changes)
    saved_model.write(freeze(network), tmp_path / "m", {}, {})
    plane, other = Plane(network), load_plane(tmp_path / "m")
    assert other.frozen.fingerprint() == plane.frozen.fingerprint()
    np.testing.assert_array_equal(other.window(3, 5, -9, 10**9, 40, 50), plane.window(3, 5, -9, 10**9, 40, 50))


def test_names_go_along(exported):
    np.testing.assert_array_equal(load_plane(exported[1]).vector("rust"), np.float32(NAMES["rust"]))


def test_each_weight_is_stored_once(exported):
    network, path = exported
    stored = tf.train.load_checkpoint(str(path / "variables" / "variables")).get_variable_to_shape_map()
    sizes = sorted(int(np.prod(shape)) for name, shape in stored.items() if "VARIABLE_VALUE" in name)
    frozen = freeze(network)
    assert sizes == sorted(part.size for part in (*(p for block in frozen.blocks for p in block), *frozen.waves))


@pytest.mark.parametrize("rows, cols", [(5, 5), (9, 6), (20, 33)])
def test_a_server_paints_what_the_network_does_at_any_size(exported, rows, cols):
    network, path = exported
    latents = tiny.latents(network, batch=2, rows=rows, cols=cols).numpy()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(path))
        signature = loaded.signature_def["serving_default"]
        found = session.run(signature.outputs["images"].name, {signature.inputs["latents"].name: latents})
        described = session.run(loaded.signature_def["describe"].outputs["description"].name)
    expected = network(latents, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5 if network.compute_dtype == "float32" else 3e-2)
    assert json.loads(described)["step"] == 7


def test_versions_count_on_and_are_never_written_over(tmp_path):
    frozen, folder = freeze(tiny.generator()), tmp_path / "models" / "m"
    folder.parent.mkdir()
    assert [saved_model.write(frozen, folder, {}, {}).name for _ in range(2)] == ["1", "2"]
    assert saved_model.write(frozen, folder, {}, {}, version=9).name == "9"
    with pytest.raises(ValueError, match="9: is there already; leave --version out"):
        saved_model.write(frozen, folder, {}, {}, version=9)
    assert sorted(entry.name for entry in folder.iterdir()) == ["1", "2", "9"]


def test_a_version_that_cannot_be_read_back_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "_read_back", lambda *_: (_ for _ in ()).throw(OSError("broken")))
    with pytest.raises(OSError, match="broken"):
        saved_model.write(freeze(tiny.generator()), tmp_path / "m", {}, {})
    assert list((tmp_path / "m").iterdir()) == []


def test_a_run_is_exported_with_its_textures(tmp_path):
    folder, settings = RunFolder(tmp_path / "run"), changed(global_channels=3)
    with folder.locked():
        folder.write_config(settings)
    save_generator(folder, model=settings.model)
    folder.write_texture("rust", NAMES["rust"], {"step": 3})
    path = export(folder.path, tmp_path / "m", "float32")
    ours, theirs = load_plane(folder.path, "float32"), load_plane(path)
    np.testing.assert_array_equal(theirs.window(1, "rust", 0, 0, 64, 64), ours.window(1, "rust", 0, 0, 64, 64))


def test_a_damaged_or_foreign_saved_model_is_named(tmp_path, exported):
    foreign = tmp_path / "foreign"
    tf.saved_model.save(tf.Module(), str(foreign))
    with pytest.raises(ValueError, match=r"foreign: cannot be read .*; give a folder that export.py wrote"):
        load_plane(foreign)
    broken = saved_model.write(freeze(tiny.generator()), tmp_path / "m", {}, {})
    (broken / saved_model.DESCRIPTION).write_text('{"model": {}}')
    with pytest.raises(ValueError, match=r"no SavedModel of this project .*; export it again"):
        load_plane(broken)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="file: is a file; choose another --out"):
        saved_model.write(freeze(tiny.generator()), file, {}, {})
