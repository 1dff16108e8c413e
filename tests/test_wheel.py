"""The wheel: its contents, and its use in an environment without the checkout."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names of the files in the wheel."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in (
        "pyproject.toml",
        "setup.py",
        "README.md",
        "LICENSE",
        "tf_psgan",
        "tf_psgan_web",
        "serving",
        "flags",
        "textures",
    ):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist(), archive.read(next(n for n in archive.namelist() if n.endswith("entry_points.txt")))


def test_the_wheel_has_the_packages_the_web_page_the_presets_and_one_picture(wheel):
    names, _ = wheel
    expected = {
        path.relative_to(folder).as_posix()
        for folder, package in ((ROOT, "tf_psgan"), (ROOT, "tf_psgan_web"), (ROOT / "serving", "tf_psgan_serving"))
        for path in (folder / package).rglob("*")
        if path.suffix in (".py", ".pyi", ".typed") and "__pycache__" not in path.parts
    }
    expected |= {f"tf_psgan/presets/flags/{path.name}" for path in (ROOT / "flags").glob("*.cfg")}
    expected |= {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tf_psgan_web" / "page").rglob("*") if path.is_file()
    }
    ready = [path for path in (ROOT / "tf_psgan" / "pretrained").glob("*/*") if "__pycache__" not in path.parts]
    assert ready
    expected |= {path.relative_to(ROOT).as_posix() for path in ready}
    expected |= {"tf_psgan/presets/textures/honeycomb.png"}
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_the_wheel_has_these_commands(wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"].keys() == {"psgan", "psgan-client", "psgan-server", "psgan-viewer"}
    for name, target in project["scripts"].items():
        assert f"{name} = {target}" in wheel[1].decode()


@pytest.mark.long
def test_the_wheel_alone_trains_exports_and_serves():
    subprocess.run(["bash", str(ROOT / "tests" / "wheel.sh"), "smoke"], check=True, timeout=1800)
