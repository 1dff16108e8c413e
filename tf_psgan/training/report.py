"""The report of a run: Markdown with pictures, made from what the run's folder holds."""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_psgan.config import Config
from tf_psgan.data import images
from tf_psgan.evaluation.evaluator import COLUMNS, METRICS, SAMPLE_GAP, SHORT_NAMES, Sources
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import wave_initialisation

STRIP = 6
STILL_PIXELS = 1e6


def write(folder: RunFolder, config: Config, sources: Sources, broken: str = "") -> None:
    """Writes `report.md` and its pictures beside it.

    Args:
      sources: the pictures that were learned.
      broken: why the run ended early, "" for a run that did not.
    """
    rows = folder.read_metrics()
    name = folder.path.resolve().name
    lines = [f"# {name}", ""]
    if broken:
        lines += [f"**The run broke down.** {broken}", ""]
    if rows:
        lines += _pictures(folder, sources, rows) + _measures(rows) + _waves(config, sources, rows)
        lines += _on_the_way(folder, rows)
    else:
        images.write_png(folder.path / "report-source.png", images.sheet(sources.pictures[:8], columns=4))
        lines += ["![the source](report-source.png)", "", "There are no samples yet.", ""]
    call = shlex.join(["python", "generate.py", f"--run={folder.path}", f"--out={name}.png"])
    lines += ["## Use it", "", "```", f"{call} --height=1024 --width=1024", "```", "", *_making(folder, config, rows)]
    folder.write("report.md", "\n".join(lines) + "\n")


def _pictures(folder: RunFolder, sources: Sources, rows: Sequence[dict[str, Any]]) -> list[str]:
    last, count = rows[-1], len(sources.names)
    if folder.preview(last["step"]).exists():
        images.write_png(folder.path / "report-samples.png", images.decode(folder.preview(last["step"])))
    what = "the source" if count == 1 else f"sources, {count} in all"
    side = last.get("sample_pixels")
    return [
        f"{last['step']} steps in {_time(last['seconds'])}. Left: {what}. Right: samples of "
        f"{side}x{side} pixels from {last.get('samples')} different seeds, none picked out.",
        "",
        "![the source on the left, samples on the right](report-samples.png)",
        "",
    ]


def _measures(rows: Sequence[dict[str, Any]]) -> list[str]:
    last, lines = rows[-1], ["## How like the source", ""]
    if not last.get("periodic"):
        lines += ["No period that stands out was found in the source, so no lattice is compared.", ""]
    lines += ["| measure | first | last | ideal | what it says |", "|---|---|---|---|---|"]
    for name, (meaning, ideal) in METRICS.items():
        if last.get(name) is not None:
            lines.append(f"| `{name}` | {_figure(rows[0].get(name))} | {_figure(last[name])} | {ideal} | {meaning} |")
    note = "Other windows of the very same texture come near the ideal and do not reach it. "
    if last.get("covered") is not None:
        note += "One model holds several textures: each sample is held against the source that it is most like. "
    return [*lines, "", note + "The samples of every evaluation have the same seeds.", ""]


def _on_the_way(folder: RunFolder, rows: Sequence[dict[str, Any]]) -> list[str]:
    chosen = [rows[i] for i in sorted({round(x) for x in np.linspace(0, len(rows) - 1, 10)})]
    strip = [rows[i] for i in sorted({round(x) for x in np.linspace(0, len(rows) - 1, STRIP)})]
    samples = {row["step"]: found for row in strip if (found := _first_sample(folder, row)) is not None}
    lines = ["## On the way", ""]
    if len(samples) > 1:
        images.write_png(folder.path / "report-progress.png", images.sheet(list(samples.values()), STRIP))
        steps = ", ".join(map(str, samples))
        lines += [f"The first sample after {steps} steps:", "", "![the sample at those steps](report-progress.png)", ""]
    lines += [f"| step | time | {' | '.join(SHORT_NAMES.values())} |", "|---" * (2 + len(SHORT_NAMES)) + "|"]
    for row in chosen:
        link = f"[{row['step']}]({folder.preview(row['step']).relative_to(folder.path)})"
        lines.append(f"| {link} | {_time(row['seconds'])} | {' | '.join(_figure(row.get(k)) for k in SHORT_NAMES)} |")
    return [*lines, "", "All of them: [metrics.jsonl](metrics.jsonl), and `tensorboard --logdir` of [logs](logs).", ""]


def _first_sample(folder: RunFolder, row: dict[str, Any]) -> np.ndarray | None:
    """The first sample of a preview: the samples stand at its right edge."""
    side, count, file = row.get("sample_pixels"), row.get("samples"), folder.preview(row["step"])
    if not side or not count or not file.exists():
        return None
    page, columns = images.decode(file), min(count, COLUMNS)
    left = page.shape[1] - columns * side - (columns - 1) * SAMPLE_GAP
    return page[:side, left : left + side]


def _waves(config: Config, sources: Sources, rows: Sequence[dict[str, Any]]) -> list[str]:
    if not config.model.waves:
        return []
    lengths = [[_length(v) for v in row["wave_lengths_pixels"]] for row in (rows[0], rows[-1])]
    which = " of texture 0" if config.model.global_channels else ""
    try:
        found = wave_initialisation.initial_wave_numbers(sources.pictures, config.model, "source", pixels_per_cell=1)
        size = np.maximum(np.linalg.norm(found, axis=1), 1e-9)
        own = ", ".join(map(_length, sorted((2 * np.pi / size).tolist(), reverse=True)))
    except ValueError:  # more waves than its spectrum has room for; the paper's start asks for none of it
        own = "not so many"
    start = " The waves started there." if config.training.wave_init == "source" else ""
    return [
        "## Learned periods",
        "",
        f"Wave lengths{which} in pixels, longest first: **{', '.join(lengths[1])}**. "
        f"At the first evaluation: {', '.join(lengths[0])}. Found in the source itself, from its lattice and its "
        f"spectrum: {own}.{start}",
        "",
    ]


def _making(folder: RunFolder, config: Config, rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["## How it was made", ""]
    if rows:
        last = rows[-1]
        alone = f"{last['steps_per_second']:.1f}" if last.get("steps_per_second") else "unknown"
        lines += [
            f"- Speed: {alone} steps a second of training alone; {last['step'] / max(last['seconds'], 1e-9):.1f} with "
            "previews, metrics, checkpoints and the building of the graph.",
            f"- Skipped steps, their gradients not being finite: {last.get('skipped', 0)}. "
            f"Roll-backs: {last.get('rollbacks', 0)}.",
        ]
    pictures = folder.read_manifest()
    used = f"{len(pictures.usable)} of {len(pictures.entries)} files"
    lines.append(f"- Pictures: {used}, [manifest.json](manifest.json).")
    lines += [f"  - skipped: {entry.reason}" for entry in pictures.skipped]
    lines.append(f"- Settings: [config.json](config.json). Not at their defaults: {_own_settings(config)}.")
    conditions = folder.read_conditions()
    changes = conditions.pop("changes", [])
    lines += [f"- Changed on the way: {change}." for change in changes]
    lines += ["", "| condition | value |", "|---|---|"]
    for name, value in conditions.items():
        lines.append(f"| {name} | {', '.join(map(str, value)) or 'none' if isinstance(value, list) else value} |")
    return lines


def _own_settings(config: Config) -> str:
    """The settings that differ from their defaults, as flags."""
    shown = []
    for part in (config.model, config.data, config.training):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if value != field.default:
                shown.append(f"`--{field.name}={','.join(map(str, value)) if isinstance(value, tuple) else value}`")
    return " ".join(shown) or "none"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _length(pixels: float) -> str:
    return "none (it stands still)" if pixels > STILL_PIXELS else f"{pixels:.1f}"
