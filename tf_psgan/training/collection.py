"""A folder of runs, one for each of many pictures: their names, which are complete, and the page that shows all."""

import contextlib
import dataclasses
import logging
import os
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tf_psgan.config import Config
from tf_psgan.data import images, manifest
from tf_psgan.errors import InputError, RunError
from tf_psgan.evaluation.evaluator import SHORT_NAMES
from tf_psgan.latents import texture_names
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import files
from tf_psgan.training import advice, until

PAGE, FILES = "index.md", "index"
"""The page, and the folder of its pictures and of the trainings' output. No run has their names."""

SHOWN_PIXELS = 192
"""Height of a picture on the page at most."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Item:
    """A picture and its run.

    Args:
      name: of the run's folder; "" where the picture cannot be used.
      entry: the picture.
    """

    name: str
    entry: manifest.Entry


def items(folder: Path, pictures: manifest.Manifest) -> list[Item]:
    """The runs of pictures in a folder, in the pictures' order.

    A run is found again by the content of its picture, whatever that is called now. New ones have the names of their
    files, with `_` for what names do not have, and a number where another picture has the name. Of files of equal
    content the first counts; a line is logged for the others.
    """
    owners = _owners(folder)
    by_content = {content: name for name, content in sorted(owners.items(), reverse=True) if content}
    found: dict[str, Item] = {}
    unusable = []
    for entry in pictures.entries:
        if entry.reason:
            unusable.append(Item("", entry))
        elif entry.sha256 in found:
            logger.info("%s: the same picture as %s.", entry.path, found[entry.sha256].entry.path)
        else:
            others = {name for name, content in owners.items() if content and content != entry.sha256}
            taken = {PAGE, FILES} | others | {item.name for item in found.values()}
            name = by_content.get(entry.sha256) or texture_names.free(texture_names.of_path(entry.path), taken)
            found[entry.sha256] = Item(name, entry)
    return [*found.values(), *unusable]


def _owners(folder: Path) -> dict[str, str]:
    """The SHA-256 of the picture of each run in a folder, by the run's name; "" where that cannot be read."""
    owners = {}
    for path in folder.glob("*/config.json"):
        owners[path.parent.name] = ""
        with contextlib.suppress(RunError):
            contents = [entry.sha256 for entry in RunFolder(path.parent).read_manifest().usable]
            owners[path.parent.name] = contents[0] if len(contents) == 1 else "several pictures"
    return owners


def is_complete(folder: RunFolder, config: Config, given: Collection[str]) -> bool:
    """Whether training a run with these settings would change nothing, not even its report.

    Args:
      config: the settings.
      given: names of those that are given; as for `advice.advice_for`.

    Raises:
      RunError: the run has other settings, or a file of it is damaged.
    """
    if not folder.exists or not folder.has_begun():
        return False
    wanted = advice.advice_for(config, given, folder.path).config
    folder.check_config(wanted)
    rows, report = folder.read_metrics(), folder.path / "report.md"
    if not rows or not report.exists() or report.stat().st_mtime_ns < folder.metrics.stat().st_mtime_ns:
        return False
    training, last = wanted.training, rows[-1]
    return bool(
        (training.steps and last["step"] >= training.steps)
        or (training.minutes and last["seconds"] >= 60 * training.minutes)
        or (training.until == "settled" and until.has_settled(rows))
    )


def write_page(folder: Path, shown: Sequence[Item], states: Mapping[str, str]) -> None:
    """Writes the page of all runs, with a small copy of each report's picture.

    Args:
      folder: of the runs.
      shown: the pictures with their runs.
      states: what is to be said of a picture's run beside its results, by the picture's path.
    """
    (folder / FILES).mkdir(exist_ok=True)
    lines = [
        f"# {_plain(folder.resolve().name)}",
        "",
        "Left in each picture: the source. Right: samples, not selected.",
        "",
        f"| picture | | steps, minutes | {' | '.join(SHORT_NAMES.values())} | report |",
        "|---" * (4 + len(SHORT_NAMES)) + "|",
    ]
    for item in shown:
        row, small = _results(folder, item)
        picture = f"![{_plain(item.name)}]({FILES}/{_link(small)})" if small else ""
        length = f"{row['step']}, {row['seconds'] / 60:.1f}" if row else ""
        values = ["" if row.get(name) is None else f"{row[name]:.3f}" for name in SHORT_NAMES]
        report = f"[{_plain(item.name)}]({_link(item.name)}/report.md)" if row else ""
        state = " ".join(part for part in (report, _plain(states.get(item.entry.path, ""))) if part)
        lines.append(f"| {_plain(item.entry.path)} | {picture} | {length} | {' | '.join(values)} | {state} |")
    files.write(folder / PAGE, "\n".join(lines) + "\n")


def _results(folder: Path, item: Item) -> tuple[dict[str, Any], str]:
    """The last evaluation of a picture's run, and the name of the small copy of its report's picture."""
    run = RunFolder(folder / item.name)
    if not item.name or not (run.path / "report.md").exists():
        return {}, ""
    with contextlib.suppress(InputError, OSError):
        rows = run.read_metrics()
        sheets = [run.path / name for name in ("report-detail.png", "report-samples.png")]
        sheet = next((path for path in sheets if path.exists()), None)
        small = folder / FILES / f"{item.name}.jpg"
        if sheet and (not small.exists() or small.stat().st_mtime_ns < sheet.stat().st_mtime_ns):
            images.write(small, _reduced(images.decode(sheet)))
        return (rows[-1] if rows else {}), (small.name if sheet else "")
    return {}, ""


def _reduced(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if height <= SHOWN_PIXELS:
        return picture
    size = max(1, round(width * SHOWN_PIXELS / height)), SHOWN_PIXELS
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _link(name: str) -> str:
    return urllib.parse.quote(os.fsencode(name))


def _plain(text: str) -> str:
    """Text in a cell of a Markdown table."""
    shown = os.fsencode(text).decode(errors="replace")
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|#~" else letter for letter in " ".join(shown.split()))
