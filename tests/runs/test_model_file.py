"""Models as small folders: exact where they are whole, refused with one line where they are not."""

import hashlib
import io
import json
import pickle
import random
import shutil
import zipfile

import numpy as np
import pytest

from tests.support import synthetic_textures, tiny
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.errors import ExportError
from tf_psgan.plane.folded_generator import fold
from tf_psgan.runs import model_file
from tf_psgan.runs.model_file import Model

MUTATIONS = 500


def written(folder, **settings):
    vector = [0.5] * settings.get("global_channels", 0)
    about = {"name": "m", "step": 3}
    model = Model(fold(tiny.generator(seed=1, **settings)), {"moss": vector}, None, about, "# m\n")
    model_file.write(folder, model)
    return model


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    written(folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def describe(folder, **changes):
    """Changes the description, and gives model.npz the checksum that it has now."""
    file = folder / "description.json"
    values = json.loads(file.read_text()) | changes
    if "sha256" not in changes:
        values["sha256"] = {"model.npz": hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()}
    file.write_text(json.dumps(values))


def refused(folder, match):
    with pytest.raises(ExportError, match=match) as error:
        model_file.read(folder, "float32")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("settings", [{}, {"global_channels": 3}, {"waves": 0}, {"quadrature": False}])
def test_a_model_comes_back_rounded_to_half_precision(tmp_path, settings):
    model = written(tmp_path / "m", **settings)
    found = model_file.read(tmp_path / "m", "float32")
    assert found.card == "# m\n"
    assert found.folded.config == model.folded.config and found.about == model.about
    assert found.textures == {"moss": tuple(model.textures["moss"])}
    for one, other in zip(found.folded.blocks, model.folded.blocks, strict=True):
        for read, kept in zip(one, other, strict=True):
            np.testing.assert_array_equal(read, kept.astype(np.float16).astype(np.float32))
    for read, kept in zip(found.folded.waves, model.folded.waves, strict=True):
        np.testing.assert_array_equal(read, kept)


def test_the_photographs_of_a_detail_stage_come_back(tmp_path, monkeypatch):
    exemplar = Exemplar.build([synthetic_textures.blobs(3, 64)], 3)
    model_file.write(tmp_path / "m", Model(fold(tiny.generator(seed=1)), {}, exemplar, {}))
    assert model_file.read(tmp_path / "m", "float32").exemplar.fingerprint() == exemplar.fingerprint()
    file = tmp_path / "m" / "exemplar.npz"
    with monkeypatch.context() as patch:
        patch.setitem(model_file._MOST_BYTES, "exemplar.npz", file.stat().st_size + 1)
        refused(tmp_path / "m", r"exemplar\.npz has more than \d+ bytes when unpacked")
    file.write_bytes(file.read_bytes()[:-9])
    refused(tmp_path / "m", r"exemplar\.npz differs from its checksum\); get it again")


def test_an_existing_folder_is_not_replaced(whole):
    with pytest.raises(ExportError, match="exists already; choose another folder"):
        written(whole)


def test_a_text_of_several_lines_is_not_written(tmp_path):
    about = {"name": "m", "source_licence": "CC0\n---"}
    with pytest.raises(ExportError, match="source_licence is no line of at most 500 characters; give text in one line"):
        model_file.write(tmp_path / "m", Model(fold(tiny.generator(seed=1)), {}, None, about))
    assert not (tmp_path / "m").exists()


def test_weights_beyond_half_precision_are_not_written(tmp_path):
    folded = fold(tiny.generator(seed=1))
    folded.blocks[0][1][0] = 1e6
    with pytest.raises(ExportError, match="beyond half precision"):
        model_file.write(tmp_path / "m", Model(folded, {}, None, {}))
    assert not (tmp_path / "m").exists()


def test_files_that_are_missing_or_of_a_newer_version_are_named(copy):
    describe(copy, format=2)
    refused(copy, "a model of format 2, which this version does not read; use a newer tf_psgan")
    describe(copy, format=1, schema_version=99)
    refused(copy, "schema_version: 99 is unknown")
    (copy / "model.npz").unlink()
    describe_again = json.loads((copy / "description.json").read_text()) | {"schema_version": 4}
    (copy / "description.json").write_text(json.dumps(describe_again))
    refused(copy, r"model\.npz: cannot be read \(No such file")


def test_tampered_weights_are_refused(copy):
    file = copy / "model.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(copy, r"model\.npz differs from its checksum")


def repacked(folder, change):
    """Writes model.npz again with other members, as someone who also corrects the checksum."""
    with zipfile.ZipFile(folder / "model.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / "model.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    describe(folder)


def array(values):
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


class Malicious:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def huge(kind):
    """The head of an array of 2**60 numbers."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": (1 << 60,)})
    return stream.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.update({"bias_0.npy": array(np.array([Malicious()], object))}),
        lambda members: members.update({"bias_0.npy": pickle.dumps(Malicious())}),
        lambda members: members.update({"../../escaped.npy": members["bias_0.npy"]}),
        lambda members: members.update({"bias_0.npy": huge("<f2")}),
        lambda members: members.update({"bias_0.npy": array(np.zeros(7, np.float16))}),
        lambda members: members.update({"bias_0.npy": array(np.zeros(1 << 20, np.float64))}),
        lambda members: members.update({"bias_0.npy": b""}),
        lambda members: members.pop("waves_0.npy"),
        lambda members: members.update({"waves_0.npy": array(np.full((2, 2), np.nan, np.float32))}),
    ],
    ids=["pickle", "bare pickle", "path", "huge", "short", "type", "empty", "missing", "not finite"],
)
def test_foreign_arrays_are_refused(copy, change):
    repacked(copy, change)
    refused(copy, "not a model of this package")
    assert not (copy.parents[1] / "escaped.npy").exists()


def test_encrypted_arrays_are_refused(copy):
    file = copy / "model.npz"
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        (first, *_) = archive.infolist()
    content[first.header_offset + 6] |= 1
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    file.write_bytes(content)
    describe(copy)
    refused(copy, "not a model of this package .*encrypted")


def test_compressed_arrays_are_refused(copy):
    """They could be of any size when unpacked."""
    with zipfile.ZipFile(copy / "model.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(copy / "model.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    describe(copy)
    refused(copy, "has not the size that the settings describe")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {}},
        {"model": None},
        {"textures": {"../x": []}},
        {"textures": {"moss": [0.1]}},
        {"textures": {"moss": "x"}},
        {"sha256": {}},
        {"sha256": {"model.npz": "0", "../../passwd": "1"}},
        {"sha256": {"model.npz": None}},
        {"name": ["m"]},
        {"name": "m\n# another heading"},
        {"name": "m" * 501},
        {"step": "3"},
        {"source_licence": {}},
    ],
)
def test_foreign_descriptions_are_refused(copy, changes):
    describe(copy, **changes)
    refused(copy, "not a model of this package")


def test_settings_of_a_huge_network_are_refused_without_memory(copy):
    values = json.loads((copy / "description.json").read_text())["model"]
    describe(copy, model=values | {"filters": [4096] * 8, "local_channels": 1024})
    refused(copy, "other arrays than the settings describe")


def test_random_damage_is_refused_or_changes_nothing(whole, tmp_path):
    """Bytes of either file are changed, cut off, doubled or removed."""
    chance = random.Random(7)
    names = ("model.npz", "description.json")
    contents = {name: (whole / name).read_bytes() for name in names}
    expected = model_file.read(whole, "float32").folded.fingerprint()
    folder = tmp_path / "m"
    folder.mkdir()
    accepted = 0
    for number in range(MUTATIONS):
        for name in names:
            (folder / name).write_bytes(contents[name])
        name = names[number % 2]
        content = bytearray(contents[name])
        at, length = chance.randrange(len(content)), chance.randrange(1, 64)
        match number // 2 % 4:
            case 0:
                content[at] = chance.randrange(256)
            case 1:
                del content[at:]
            case 2:
                content[at:at] = content[at : at + length]
            case _:
                del content[at : at + length]
        (folder / name).write_bytes(content)
        try:
            found = model_file.read(folder, "float32")
        except ExportError as error:
            assert "\n" not in str(error)
        else:
            accepted += 1
            assert name == "description.json" or bytes(content) == contents[name]
            assert found.folded.fingerprint() == expected or found.folded.config
    assert accepted < MUTATIONS / 5
