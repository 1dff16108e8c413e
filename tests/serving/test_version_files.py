"""A version's files: changed bits, missing files and operations that act outside the graph are errors of one line."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.support import tiny_export
from tf_psgan.errors import ExportError
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.loading import load_plane
from tf_psgan.runs import exported_model
from tf_psgan_serving.server.version import Version
from tf_psgan_serving.version_files import checksums, operations
from tf_psgan_serving.version_files.errors import VersionError

SUMS = checksums.FILE.as_posix()


@pytest.fixture
def version(tmp_path):
    return shutil.copytree(tiny_export.exported(), tmp_path / "m" / "1")


def flip(path, at=0.5):
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1
    path.write_bytes(data)


def listed(folder):
    return [line.split("  ")[1] for line in (folder / checksums.FILE).read_text().splitlines()]


def test_an_export_lists_all_files_that_determine_its_pictures(version):
    present = {path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()}
    assert set(listed(version)) == present - {SUMS}
    assert {"saved_model.pb", "variables/variables.index", "assets.extra/description.json"} < present
    checksums.check(version)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_the_program_sha256sum_reads_the_checksums(version):
    assert subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=version).returncode == 0
    flip(version / "saved_model.pb")
    done = subprocess.run(["sha256sum", "--check", SUMS], cwd=version, capture_output=True, text=True)
    assert done.returncode and "saved_model.pb: FAILED" in done.stdout


FILES = ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]


@pytest.mark.parametrize("name", [*FILES, "assets.extra/description.json"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.999])
def test_a_changed_bit_is_an_error_that_names_the_file(version, name, at):
    flip(version / name, at)
    words = f"{name}: the content differs from its SHA-256 in {SUMS}; copy or export the version again"
    with pytest.raises(VersionError, match=words):
        checksums.check(version)


def test_server_session_model_and_plane_load_no_damaged_version(version):
    flip(version / "saved_model.pb")
    with pytest.raises(ValueError, match=r"^saved_model\.pb: the content differs"):
        Version(version)
    for load in (SessionModel, lambda folder: load_plane(folder), exported_model.read):
        with pytest.raises(ExportError, match=r"saved_model\.pb.* the content differs") as caught:
            load(version)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda folder: (folder / "variables" / "variables.index").unlink(), "variables/variables.index: missing"),
        (lambda folder: (folder / SUMS).write_bytes(b"\xff\n"), "line 1 is no checksum"),
        (lambda folder: (folder / SUMS).write_text(""), "saved_model.pb is not listed"),
        (lambda folder: (folder / SUMS).write_text(f"{'0' * 64}  ../../secret\n"), "line 1 is no checksum"),
        (lambda folder: (folder / SUMS).write_text(f"{'0' * 64}  /etc/passwd\n"), "line 1 is no checksum"),
        (lambda folder: os.truncate(folder / SUMS, 100), "line 2 is no checksum|line 1 is no checksum"),
        (lambda folder: os.truncate(folder / SUMS, 2**21), "more than 1048576 bytes"),
    ],
)
def test_a_missing_file_and_damaged_checksums_are_an_error(version, damage, words):
    damage(version)
    with pytest.raises(VersionError, match=words):
        checksums.check(version)


def test_a_version_without_checksums_has_the_identity_of_its_files(version):
    before = checksums.check(version)
    (version / SUMS).unlink()
    assert checksums.check(version) == before
    flip(version / "variables" / "variables.data-00000-of-00001")
    assert checksums.check(version) != before


def test_a_model_card_may_be_edited(version):
    (version / "assets.extra" / "MODEL_CARD.md").write_text("edited")
    checksums.check(version)


def identity(folder):
    with SessionModel(folder) as model:
        return json.loads(model.run("describe"))["identity"]


def test_the_description_has_an_identity_that_differs_with_the_weights():
    first, other = identity(tiny_export.exported()), identity(tiny_export.exported(global_channels=3))
    assert first != other
    assert len(first) == len(other) == 64


def saved(folder, function):
    """A SavedModel with one signature `window`; its folder."""
    tf.saved_model.save(tf.Module(), str(folder), {"window": tf.function(function).get_concrete_function()})
    return folder


def changed(version, change):
    """The version, with its graph changed by a function of the MetaGraphDef; without checksums."""
    path = version / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())
    (version / checksums.FILE).unlink()
    return version


def function_with(graph, operation):
    """The function of a graph that has this operation."""
    (found,) = (f for f in graph.graph_def.library.function if any(node.op == operation for node in f.node_def))
    return found


def test_a_graph_that_reads_a_file_is_an_error(tmp_path):
    folder = saved(tmp_path / "1", lambda: {"image": tf.io.read_file("/etc/hostname")})
    words = "1 operations that no export of this project has at that place: 'ReadFile'; load models of your own"
    with pytest.raises(VersionError, match=words):
        operations.check(folder)
    with pytest.raises(ExportError, match="'ReadFile'"):
        SessionModel(folder)
    with SessionModel(folder, trust=True) as model:
        assert model.run("window") == Path("/etc/hostname").read_bytes()


def test_a_graph_that_writes_a_file_while_it_is_loaded_is_an_error(tmp_path):
    """The write is in the initialiser of a lookup table, which the loader runs."""
    target = tmp_path / "written"

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = tf.lookup.StaticHashTable(Initializer(), 0)

    class Initializer(tf.lookup.KeyValueTensorInitializer):
        def __init__(self):
            super().__init__([1], [2], tf.int64, tf.int64)

        def initialize(self, table):
            with tf.control_dependencies([tf.io.write_file(str(target), "written while loading")]):
                return super().initialize(table)

    module = Module()
    signature = tf.function(lambda: {"image": module.table.lookup(tf.constant(1, tf.int64))})
    tf.saved_model.save(module, str(tmp_path / "1"), {"window": signature.get_concrete_function()})
    target.unlink(missing_ok=True)  # the initialiser runs when the table is made, too
    with pytest.raises(ExportError, match="'WriteFile'"):
        SessionModel(tmp_path / "1")
    assert not target.exists()
    with SessionModel(tmp_path / "1", trust=True):
        assert target.exists()  # the danger is real: loading alone wrote the file


@pytest.mark.parametrize(
    "name, function",
    [
        ("'WriteFile'", lambda: {"image": after(tf.io.write_file("/tmp/psgan-never", "x"))}),
        ("'PyFunc'|'EagerPyFunc'", lambda: {"image": tf.numpy_function(lambda: np.int64(1), [], tf.int64)}),
        ("'PrintV2'", lambda: {"image": after(tf.print("x", output_stream="file:///tmp/psgan-never"))}),
        ("'MatchingFiles'", lambda: {"image": tf.io.matching_files("/etc/*")}),
        ("'SaveV2'", lambda: {"image": after(tf.raw_ops.SaveV2(prefix="/tmp/psgan-never", tensor_names=["x"],
                                                              shape_and_slices=[""], tensors=[tf.constant(1.0)]))}),
        ("'RestoreV2'", lambda: {"image": tf.raw_ops.RestoreV2(prefix="/tmp/x", tensor_names=["x"],
                                                              shape_and_slices=[""], dtypes=[tf.float32])[0]}),
    ],
)  # fmt: skip
def test_operations_that_act_outside_the_graph_are_an_error(tmp_path, name, function):
    with pytest.raises(VersionError, match=name):
        operations.check(saved(tmp_path / "1", function))


def after(operation):
    with tf.control_dependencies([operation] if operation is not None else []):
        return tf.constant(1)


def test_operations_are_checked_where_nothing_runs_them(version):
    def add(graph):
        graph.graph_def.node.add(name="x", op="DataServiceDatasetV4")
        graph.graph_def.library.function[0].node_def.add(name="y", op="\x1b[2JWriteFile")

    with pytest.raises(VersionError, match=r"2 operations .* '\\x1b\[2JWriteFile', 'DataServiceDatasetV4'") as caught:
        operations.check(changed(version, add))
    assert str(caught.value).isprintable()


def test_a_signature_that_saves_the_weights_is_an_error(version):
    def point_to_save(graph):
        graph.signature_def["window"].outputs["image"].name = graph.saver_def.save_tensor_name

    with pytest.raises(VersionError, match="'SaveV2'"):
        operations.check(changed(version, point_to_save))


def test_an_initialiser_that_saves_the_weights_is_an_error(version):
    def point_to_save(graph):
        graph.collection_def["saved_model_main_op"].node_list.value[:] = [graph.saver_def.save_tensor_name]

    with pytest.raises(VersionError, match="'SaveV2'"):
        operations.check(changed(version, point_to_save))


def test_restoring_from_a_file_of_the_graphs_own_choice_is_an_error(version):
    def use_constant(graph):
        function = function_with(graph, "RestoreV2")
        constant = next(node for node in function.node_def if node.op == "Const")
        next(node for node in function.node_def if node.op == "RestoreV2").input[0] = f"{constant.name}:output:0"

    with pytest.raises(VersionError, match="reads a file of its own choice while it is restored"):
        operations.check(changed(version, use_constant))


def test_saving_while_restoring_is_an_error(version):
    def call_save(graph):
        save = function_with(graph, "SaveV2").signature.name
        restore = graph.saver_def.restore_op_name
        next(node for node in graph.graph_def.node if node.name == restore).attr["f"].func.name = save

    with pytest.raises(VersionError, match="'SaveV2'"):
        operations.check(changed(version, call_save))


def test_functions_that_tensorflow_may_exchange_are_an_error(version):
    def exchange(graph):
        for function in graph.graph_def.library.function[:2]:
            function.attr["api_implements"].s = b"picture"

    with pytest.raises(VersionError, match="lets TensorFlow run one function instead of another"):
        operations.check(changed(version, exchange))


def test_a_folder_without_a_readable_graph_is_an_error(version):
    (version / "saved_model.pb").write_bytes(b"\xff" * 9)
    with pytest.raises(VersionError, match=r"saved_model\.pb: not a SavedModel"):
        operations.check(version)
    (version / "saved_model.cpb").write_bytes(b"")
    with pytest.raises(VersionError, match=r"saved_model\.cpb: a graph in parts is not checked"):
        operations.check(version)
