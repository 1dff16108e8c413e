"""`--models=pretrained`: the ready-made models are exported once, into the user's cache."""

import re

import pytest

from tf_psgan import pretrained
from tf_psgan_serving import ready_made

EXPORT = """
import pathlib, sys
given = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[2:])
folder = pathlib.Path(given["out"]) / given["version"]
folder.mkdir(parents=True)
(folder / "source").write_text(given["model"] + ":" + given["map"])
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "tf_psgan"


def test_models_that_are_not_there_yet_are_exported_and_kept(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(ready_made, "_EXPORT", EXPORT)
    found = ready_made.resolved(ready_made.Path("pretrained"))
    assert found.parent == cache
    maps = [f"{name}_{part}" for name in pretrained.names() for part in pretrained.maps(name)]
    assert sorted(path.name for path in found.iterdir()) == sorted(pretrained.names() + maps)
    assert all((found / name / "1" / "source").read_text() == f"{name}:colour" for name in pretrained.names())
    assert (found / "setts_normal" / "1" / "source").read_text() == "setts:normal"
    monkeypatch.setattr(ready_made, "_EXPORT", "raise SystemExit(3)")
    assert ready_made.folder() == found
    (tmp_path / "pretrained").mkdir()  # a folder of that name is what was meant
    assert ready_made.resolved(ready_made.Path("pretrained")) == ready_made.Path("pretrained")


@pytest.mark.parametrize(
    "name, code, words",
    [
        ("_LIST", "import tf_psgan.nothing", "models: pretrained cannot be listed (ModuleNotFoundError: No module"),
        (
            "_LIST",
            "raise ImportError(\"No module named 'tf_psgan'\")",
            "models: pretrained needs the package tf_psgan;",
        ),
        ("_EXPORT", "import sys; sys.exit('error: no room.')", "models: honeycomb cannot be exported (no room"),
    ],
)
def test_what_keeps_them_from_being_there_is_one_line(cache, monkeypatch, name, code, words):
    monkeypatch.setattr(ready_made, name, code)
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        ready_made.folder()
    assert "\n" not in str(caught.value)
