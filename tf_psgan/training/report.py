"""The report of a run: Markdown with pictures, made from the files of the run's folder."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.data import images
from tf_psgan.errors import InputError
from tf_psgan.evaluation import comparison
from tf_psgan.evaluation.evaluator import METRICS, SHORT_NAMES, Evaluator, Sources, sheet_samples
from tf_psgan.evaluation.findings import NOTHING_FOUND, TrainingState, findings
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import wave_initialisation

PROGRESS_SAMPLES = 6
"""Samples in the picture of the training's progress."""
PROGRESS_ROWS = 10
"""Evaluations in the table of the training's progress."""
ZERO_WAVE_PIXELS = 1e6
"""Wave length above which a wave number counts as zero."""


@dataclasses.dataclass(frozen=True)
class Detailed:
    """Pictures with the detail stage.

    Args:
      samples: uint8 [side, side, 3] each.
      sources: the pictures that the run learns from, at their own scale.
      pixels_per_cell: of the samples.
    """

    samples: Sequence[np.ndarray]
    sources: Sources
    pixels_per_cell: int


def write(
    folder: RunFolder,
    config: Config,
    sources: Sources,
    failure: str = "",
    detailed: Detailed | None = None,
) -> None:
    """Writes `report.md` and its pictures into the run's folder.

    Args:
      folder: of a run with a manifest and conditions; evaluations may be missing.
      config: the run's settings.
      sources: the pictures that the run learns from, at the scale at which it does.
      failure: why the run failed; "" for a run that did not.
      detailed: of a run with the detail stage.
    """
    rows = folder.read_metrics()
    lines = [f"# {folder.path.resolve().name}", ""]
    if failure:
        lines += [f"**The run failed.** {failure}", ""]
    if rows:
        lines += _detail(folder, detailed) if detailed else []
        if (factor := config.model.downsampling) > 1:
            lines += [
                f"The network learned the pictures reduced by {factor}; pictures and lengths below are reduced, too.",
                "",
            ]
        lines += _pictures(folder, sources, rows) + _findings(folder, config, sources, rows, detailed) + _metrics(rows)
        lines += _waves(config, sources, rows)
        lines += _training(folder, rows)
    else:
        images.write_png(folder.path / "report-source.png", images.sheet(sources.pictures[:8], columns=4))
        lines += ["![the source](report-source.png)", "", "There are no samples yet.", ""]
    lines += _use(folder) + _settings(folder, config, rows)
    folder.write("report.md", "\n".join(lines) + "\n")


def _detail(folder: RunFolder, detailed: Detailed) -> list[str]:
    sheet = Evaluator(detailed.sources).sheet(detailed.samples)
    images.write_png(folder.path / "report-detail.png", sheet)
    return [
        "Left: the source. Right: pictures as `psgan generate` makes them, with the detail stage, not selected.",
        "",
        "![the source on the left, pictures with the detail stage on the right](report-detail.png)",
        "",
        "The rest of this report shows the generator's own pictures, which guide the detail stage.",
        "",
    ]


def _pictures(folder: RunFolder, sources: Sources, rows: Sequence[dict[str, Any]]) -> list[str]:
    last, count = rows[-1], len(sources.names)
    if folder.preview(last["step"]).exists():
        images.write_png(folder.path / "report-samples.png", images.decode(folder.preview(last["step"])))
    left = "the source" if count == 1 else f"{count} sources"
    side = last.get("sample_pixels")
    return [
        f"{last['step']} steps in {_time(last['seconds'])}. Left: {left}. Right: samples of {side}x{side} pixels with "
        f"seeds 0 to {last.get('samples', 1) - 1}, not selected.",
        "",
        "![the source on the left, samples on the right](report-samples.png)",
        "",
    ]


def _findings(
    folder: RunFolder, config: Config, sources: Sources, rows: Sequence[dict[str, Any]], detailed: Detailed | None
) -> list[str]:
    """What is wrong with the last samples by metrics that no loss uses, and with the training.

    With a detail stage only its samples are measured: their pixels are the source's after any training.
    """
    own: comparison.Row = {}
    source: comparison.Row = {}
    cell = geometry.pixels_per_cell(len(config.model.filters) + 1)
    samples = _samples(folder, rows[-1])
    if detailed:
        samples, sources, cell = list(detailed.samples), detailed.sources, detailed.pixels_per_cell
    if samples:
        own, source = comparison.without_weights(samples, sources.pictures, cell)
        if config.model.global_channels and len(sources.names) > 1:
            source = {}  # a sample need not be of every source
    training = None if detailed else TrainingState.from_metrics(rows, rows[-1]["step"])
    found = findings(own, source, cell=cell, training=training) or [NOTHING_FOUND]
    return ["## Findings", "", *(f"- {sentence}" for sentence in found), ""]


def _metrics(rows: Sequence[dict[str, Any]]) -> list[str]:
    last, lines = rows[-1], ["## Metrics", ""]
    if not last.get("periodic"):
        lines += ["The source has no significant period, so no lattice is compared.", ""]
    lines += ["| metric | first | last | ideal | meaning |", "|---|---|---|---|---|"]
    for name, (meaning, ideal) in METRICS.items():
        if last.get(name) is not None:
            lines.append(f"| `{name}` | {_number(rows[0].get(name))} | {_number(last[name])} | {ideal} | {meaning} |")
    note = "Two windows of the source itself score slightly worse than the ideal. "
    if last.get("covered") is not None:
        note += "The model has several textures: each sample is compared with the source that it resembles most. "
    return [*lines, "", note + "All evaluations use the same sample seeds.", ""]


def _training(folder: RunFolder, rows: Sequence[dict[str, Any]]) -> list[str]:
    chosen, strip = _evenly(rows, PROGRESS_ROWS), _evenly(rows, PROGRESS_SAMPLES)
    samples = {row["step"]: found[0] for row in strip if (found := _samples(folder, row, 1))}
    lines = ["## Training progress", ""]
    if len(samples) > 1:
        page = images.sheet(list(samples.values()), PROGRESS_SAMPLES)
        images.write_png(folder.path / "report-progress.png", page)
        steps = ", ".join(map(str, samples))
        lines += [f"The first sample after {steps} steps:", "", "![the sample at those steps](report-progress.png)", ""]
    lines += [f"| step | time | {' | '.join(SHORT_NAMES.values())} |", "|---" * (2 + len(SHORT_NAMES)) + "|"]
    for row in chosen:
        link = f"[{row['step']}]({folder.preview(row['step']).relative_to(folder.path)})"
        lines.append(f"| {link} | {_time(row['seconds'])} | {' | '.join(_number(row.get(k)) for k in SHORT_NAMES)} |")
    return [*lines, "", "All evaluations: [metrics.jsonl](metrics.jsonl). TensorBoard's events: [logs](logs).", ""]


def _evenly(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """At most so many rows at even distances, the first and the last among them."""
    return [rows[i] for i in sorted({round(x) for x in np.linspace(0, len(rows) - 1, count)})]


def _samples(folder: RunFolder, row: dict[str, Any], most: int | None = None) -> list[np.ndarray]:
    """The first samples on an evaluation's contact sheet, at most `most`; none if the sheet is missing."""
    side, count, file = row.get("sample_pixels"), row.get("samples"), folder.preview(row["step"])
    if not side or not count or not file.exists():
        return []
    return sheet_samples(images.decode(file), count, side)[:most]


def _waves(config: Config, sources: Sources, rows: Sequence[dict[str, Any]]) -> list[str]:
    if not config.model.waves:
        return []
    first, last = ([_wave_length(v) for v in row.get("wave_lengths_pixels", [])] for row in (rows[0], rows[-1]))
    which = " of texture 0" if config.model.global_channels else ""
    try:
        found = wave_initialisation.initial_wave_numbers(sources.pictures, config.model, "source", pixels_per_cell=1)
        norms = np.maximum(np.linalg.norm(found, axis=1), 1e-9)
        own = ", ".join(map(_wave_length, sorted((2 * np.pi / norms).tolist(), reverse=True)))
    except InputError:  # the spectrum has no room for so many waves, and wave_init=paper needs none
        own = "fewer than the model has waves"
    initial = " Training started from these." if config.training.wave_init == "source" else ""
    return [
        "## Learned periods",
        "",
        f"Wave lengths{which} in pixels, longest first: **{', '.join(last)}**. "
        f"At the first evaluation: {', '.join(first)}. In the source, from its lattice and its spectrum: {own}."
        f"{initial}",
        "",
    ]


def _use(folder: RunFolder) -> list[str]:
    return [
        "## Use it",
        "",
        "```python",
        "import tf_psgan",
        "",
        f"plane = tf_psgan.load_plane({str(folder.path)!r})",
        "image = plane.window(height=1024, width=1024, top=0, left=0, seed=0)",
        "```",
        "",
        "On the command line, `psgan generate` makes images of a run.",
        "",
    ]


def _settings(folder: RunFolder, config: Config, rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["## How it was made", ""]
    if rows:
        last = rows[-1]
        alone = f"{last['steps_per_second']:.1f}" if last.get("steps_per_second") else "unknown"
        overall = last["step"] / max(last["seconds"], 1e-9)
        lines += [
            f"- Speed: {alone} steps per second; {overall:.1f} including previews, metrics, checkpoints and tracing.",
            f"- Skipped steps (losses or gradients were not finite): {last.get('skipped', 0)}. "
            f"Roll-backs: {last.get('rollbacks', 0)}.",
        ]
    pictures = folder.read_manifest()
    used = f"{len(pictures.usable)} of {len(pictures.entries)} files"
    lines.append(f"- Pictures: {used}, [manifest.json](manifest.json).")
    lines += [f"  - skipped: {entry.reason}" for entry in pictures.skipped]
    lines.append(f"- Settings: [config.json](config.json). Changed from their defaults: {_changed_settings(config)}.")
    conditions = folder.read_conditions()
    changes = conditions.pop("changes", [])
    lines += [f"- Changed during the run: {change}." for change in changes]
    lines += ["", "| condition | value |", "|---|---|"]
    for name, value in conditions.items():
        lines.append(f"| {name} | {', '.join(map(str, value)) or 'none' if isinstance(value, list) else value} |")
    return lines


def _changed_settings(config: Config) -> str:
    """The settings that differ from their defaults, as in "`filters=8,4` `steps=20`"."""
    shown = []
    for part in (config.model, config.data, config.training):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if value != field.default:
                shown.append(f"`{field.name}={','.join(map(str, value)) if isinstance(value, tuple) else value}`")
    return " ".join(shown) or "none"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _wave_length(pixels: float) -> str:
    return "none (zero wave number)" if pixels > ZERO_WAVE_PIXELS else f"{pixels:.1f}"
