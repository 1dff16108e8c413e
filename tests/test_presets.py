import importlib.util
import shutil
from pathlib import Path

import pytest

from tf_psgan import presets
from tf_psgan.errors import SettingError

ROOT = Path(__file__).resolve().parents[1]


def installed(folder):
    """The module as an installed package has it: with `flags/` and `textures/` beside it and no checkout around."""
    shutil.copytree(ROOT / "flags", folder / "presets" / "flags")
    (folder / "presets" / "textures").mkdir()
    shutil.copy(ROOT / "textures" / "honeycomb.png", folder / "presets" / "textures")
    file = shutil.copy(presets.__file__, folder / "presets")
    spec = importlib.util.spec_from_file_location("installed_presets", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_checkout_uses_its_top_level_folders():
    assert presets.path("honeycomb") == ROOT / "flags" / "honeycomb.cfg"
    assert presets.textures_folder() == ROOT / "textures"


def test_an_installed_package_uses_its_own_copies(tmp_path):
    module = installed(tmp_path)
    assert module.names() == presets.names()
    assert module.path("smoke") == tmp_path / "presets" / "flags" / "smoke.cfg"
    assert (module.textures_folder() / "honeycomb.png").is_file()


def test_an_unknown_name_lists_the_presets():
    with pytest.raises(SettingError, match=r"^preset: 'x' is unknown; use one of gpu, honeycomb, ") as caught:
        presets.path("x")
    assert caught.value.value == "x"


def test_no_preset_refers_to_another_file_of_flags():
    for name in presets.names():
        assert "--flagfile" not in presets.path(name).read_text(encoding="utf-8")
