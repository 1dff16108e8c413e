"""The documentation names flags, files and modules that exist."""

import importlib.util
import re
from pathlib import Path

import pytest
from absl import flags

from tf_psgan import presets
from tf_psgan.config import RENAMED_SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "textures/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
PROGRAMS = ("train", "generate", "export", "evaluate")


def ids(path):
    return str(path.relative_to(ROOT))


def commands(text):
    """(program, arguments) of every command line of the four programs in a page."""
    return re.findall(r"(?:psgan |python )(train|generate|export|evaluate)(?:\.py)?((?: [^\n`|]*)?)", text)


def defined(program):
    values = flags.FlagValues()
    importlib.import_module(f"tf_psgan.cli.{program}").define(values)
    return set(values) | {"flagfile", "help", "vgg"}


FLAGS = {program: defined(program) for program in PROGRAMS}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_name_flags_that_exist(page):
    for program, rest in commands(page.read_text(encoding="utf-8")):
        for name in re.findall(r"--([a-z0-9_]+)", rest):
            assert name in FLAGS[program] or name.removeprefix("no") in FLAGS[program], (program, name)
        for flag_file in re.findall(r"--flagfile=(\S+)", rest):
            assert (ROOT / flag_file).is_file(), flag_file
        for preset in re.findall(r"--preset=([a-z0-9_-]+)", rest):
            assert preset in presets.names()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_and_pictures_exist(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", prose):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_files_named_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\b((?:tf_psgan|benchmarks|tests|docs|flags|examples|serving)/[\w/.-]+\.\w+)", text):
        assert (ROOT / name).exists() or (ROOT / "serving" / name).exists(), name


def test_the_readme_is_short_and_leads_everywhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    for page in ("tutorials/photograph", "reference/settings", "tutorials/export-and-serve", "explanation/plane"):
        assert f"docs/{page}.md" in text


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert f"- {page.relative_to(ROOT / 'docs').as_posix()}\n" in navigation, page


def test_the_changelog_names_every_renamed_setting():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for old, new in RENAMED_SETTINGS.items():
        assert f"`{old}`" in text and f"`{new}`" in text, (old, new)
