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


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A model with a detail stage."""
    folder = tmp_path_factory.mktemp("model") / "m"
    exemplar = Exemplar.build([synthetic_textures.blobs(3, 64)], 3)
    model_file.write(folder, Model(fold(tiny.generator(seed=1)), {}, exemplar, {"name": "m", "step": 3}))
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def describe(folder, **changes):
    """Changes the description, and gives the files of arrays the checksums that they have now."""
    file = folder / "description.json"
    values = json.loads(file.read_text()) | changes
    if "sha256" not in changes:
        values["sha256"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.npz")}
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


def repacked(folder, change, name="model.npz"):
    """Writes a file of arrays again with other members, as someone who also corrects the checksum."""
    with zipfile.ZipFile(folder / name) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / name, "w") as archive:
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


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda members: members.update({"places.npy": array(np.array([Malicious()], object))}), "allow_pickle"),
        (lambda members: members.update({"places.npy": pickle.dumps(Malicious())}), "is not int32"),
        (lambda members: members.update({"0/colours.npy": huge("<i2")}), "not a model of this package"),
        (lambda members: members.update({"places.npy": array(np.zeros((1, 3)))}), "places of an exemplar is not int32"),
        (lambda members: members.pop("1/filters.npy"), "filters"),
    ],
    ids=["pickle", "bare pickle", "huge", "type", "missing"],
)
def test_foreign_photographs_are_refused(photographs, tmp_path, change, words):
    folder = shutil.copytree(photographs, tmp_path / "copy")
    repacked(folder, change, "exemplar.npz")
    refused(folder, words)


def test_a_path_among_the_photographs_is_written_nowhere(photographs, tmp_path):
    folder = shutil.copytree(photographs, tmp_path / "a" / "b" / "copy")
    repacked(folder, lambda members: members.update({"../../escaped.npy": members["places.npy"]}), "exemplar.npz")
    before = sorted(tmp_path.rglob("*"))
    model_file.read(folder, "float32")
    assert sorted(tmp_path.rglob("*")) == before


def damaged(content, chance):
    """Some bytes are changed, cut off, doubled, removed or replaced by extreme numbers, often near the file's ends."""
    content = bytearray(content)
    near = chance.randrange(min(300, len(content)))
    at = chance.choice([chance.randrange(len(content)), near, len(content) - 1 - near])
    length = chance.randrange(1, 64)
    match chance.randrange(5):
        case 0:
            content[at] ^= 1 << chance.randrange(8)
        case 1:
            del content[at:]
        case 2:
            content[at:at] = content[at : at + length]
        case 3:
            del content[at : at + length]
        case _:
            content[at : at + 4] = chance.choice([b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"])
    return bytes(content)


@pytest.mark.parametrize("corrected", [False, True], ids=["as it is", "with its checksum corrected"])
def test_random_damage_is_refused_or_changes_nothing(photographs, tmp_path, corrected):
    """A corrected checksum is what someone has who damages a file on purpose: the arrays themselves are read then."""
    chance = random.Random(7)
    names = ("model.npz", "exemplar.npz", "description.json")
    contents = {name: (photographs / name).read_bytes() for name in names}
    whole = model_file.read(photographs, "float32")
    folder = tmp_path / "m"
    folder.mkdir()
    accepted = 0
    for number in range(MUTATIONS):
        name = names[number % 3]
        found = contents | {name: damaged(contents[name], chance)}
        for other, content in found.items():
            (folder / other).write_bytes(content)
        if corrected and name != "description.json":
            describe(folder)
        try:
            model = model_file.read(folder, "float32")
        except ExportError as error:
            assert "\n" not in str(error)
            continue
        accepted += 1
        if name == "description.json":  # a letter of a name, a number of a setting without arrays
            continue
        assert corrected or found[name] == contents[name]
        assert model.folded.fingerprint() == whole.folded.fingerprint()
        assert model.exemplar.fingerprint() == whole.exemplar.fingerprint()
    assert accepted < MUTATIONS / 5
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
