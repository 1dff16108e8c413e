"""MkDocs hooks: reference pages generated from the code at build time, so that they cannot differ from it."""

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any

from absl import flags

from tf_psgan import config
from tf_psgan.cli.flags import describe
from tf_psgan.cli.request import Request

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = (
    ("Networks", config.ModelConfig),
    ("Pictures and crops", config.DataConfig),
    ("Training", config.TrainingConfig),
    ("Pictures made by the run", config.RenderingConfig),
    ("Pictures to make (`psgan generate`)", Request),
)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replaces the markers `<!-- settings -->`, `<!-- help: PROGRAM -->` and `<!-- include: FILE -->`."""
    markdown = markdown.replace("<!-- settings -->", _settings())
    markdown = re.sub(r"<!-- help: (\w+) -->", lambda found: _help(found[1]), markdown)
    return re.sub(r"<!-- include: (\S+) -->", lambda found: _include(found[1]), markdown)


def _settings() -> str:
    lines = []
    for title, kind in SECTIONS:
        lines += [f"## {title}", "", "| setting | default | allowed | meaning |", "|---|---|---|---|"]
        for field in dataclasses.fields(kind):
            default = field.default if field.default is not dataclasses.MISSING else field.default_factory()
            text = field.metadata["help"].replace("|", "\\|")
            lines.append(f"| `{field.name}` | {_shown(default)} | {_allowed(field)} | {text} |")
        lines.append("")
    lines += ["## Deprecated names", "", "Old names still work as flags and warn once.", ""]
    lines += ["| old name | name |", "|---|---|"]
    lines += [f"| `{old}` | `{new}` |" for old, new in sorted(config.RENAMED_SETTINGS.items())]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{text}`" if text else ""


def _allowed(field: dataclasses.Field) -> str:
    low, high, choices = (field.metadata.get(key) for key in ("low", "high", "choices"))
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices if choice != "")
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"{low} or more" if low is not None else ""


def _help(name: str) -> str:
    program, values = importlib.import_module(f"tf_psgan.cli.{name}"), flags.FlagValues()
    program.define(values)
    return f"```text\n{describe(program.USAGE, values)}\n```"


def _include(name: str) -> str:
    """The text of a Markdown file of the repository without its title; links to other files become plain text."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\A# .*\n", "", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)[^)]+\)", r"\1", text)
