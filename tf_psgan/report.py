"""The report of a run: Markdown with pictures, made from what the run's folder holds."""

import json
import math
from typing import Any

import numpy as np

from tf_psgan import images, manifest
from tf_psgan.config import Config
from tf_psgan.evaluation import Sources
from tf_psgan.run_folder import RunFolder

MEANINGS = {
    "peak_offset_pixels": "place of the autocorrelation peak, pixels from the source's",
    "peak_height": "height of that peak, as a share of the source's",
    "autocorrelation_distance": "distance between the autocorrelations",
    "log_spectrum": "distance between the log power spectra",
    "sliced_wasserstein": "sliced Wasserstein distance over a Laplacian pyramid",
    "colour": "distance between the colours, 1 is black against white",
    "diversity": "samples' differences over the source's own, 1 is as diverse",
    "covered": "sources that are the nearest one of some sample",
}


def write(folder: RunFolder, config: Config, sources: Sources, broken: str = "") -> None:
    """Writes `report.md` and `report-source.png`, `report-samples.png` beside it.

    Args:
      sources: the pictures that were learned.
      broken: why the run ended early, "" for a run that did not.
    """
    rows = folder.read_metrics()
    lines = [f"# {folder.path.name}", ""]
    if broken:
        lines += [f"**The run broke down:** {broken}", ""]
    images.write_png(folder.path / "report-source.png", images.sheet(sources.pictures[:8], columns=4))
    lines += ["| source | samples |", "|---|---|"]
    if rows:
        newest = folder.previews / f"step-{rows[-1]['step']:08d}.png"
        images.write_png(folder.path / "report-samples.png", images.decode(newest))
        lines += ["| ![the source](report-source.png) | ![samples](report-samples.png) |", ""]
        lines += _measures(rows)
    else:
        lines += ["| ![the source](report-source.png) | none yet |", ""]
    lines += _conditions(folder, config, rows)
    folder.write("report.md", "\n".join(lines) + "\n")


def _measures(rows: list[dict[str, Any]]) -> list[str]:
    last = rows[-1]
    lines = ["## How like the source", "", "| measure | first | last | what it says |", "|---|---|---|---|"]
    for name, meaning in MEANINGS.items():
        if last.get(name) is not None:
            first = rows[0].get(name)
            lines.append(f"| {name} | {'' if first is None else f'{first:.3f}'} | {last[name]:.3f} | {meaning} |")
    lines += ["", "## On the way", "", "| step | minutes | place | height | spectrum | patches |", "|---|---|---|---|---|---|"]
    for i in sorted({round(x) for x in np.linspace(0, len(rows) - 1, 10)}):
        cells = [rows[i].get(k) for k in ("peak_offset_pixels", "peak_height", "log_spectrum", "sliced_wasserstein")]
        shown = " | ".join("" if cell is None else f"{cell:.3f}" for cell in cells)
        lines.append(f"| {rows[i]['step']} | {rows[i]['seconds'] / 60:.1f} | {shown} |")
    if last["wave_lengths_pixels"]:
        lengths = ", ".join("still" if v > 1e6 or math.isinf(v) else f"{v:.1f}" for v in last["wave_lengths_pixels"])
        lines += ["", f"Learned wave lengths, in pixels: {lengths}."]
    return [*lines, ""]


def _conditions(folder: RunFolder, config: Config, rows: list[dict[str, Any]]) -> list[str]:
    lines = ["## How it was made", ""]
    if rows:
        last = rows[-1]
        speed = last["step"] / max(last["seconds"], 1e-9)
        lines.append(
            f"{last['step']} steps in {last['seconds'] / 60:.1f} minutes ({speed:.1f} a second, previews included), "
            f"{last['skipped']} skipped because their gradients were not finite."
        )
    conditions = json.loads((folder.path / "conditions.json").read_text(encoding="utf-8"))
    lines += ["", "| condition | value |", "|---|---|"]
    for name, value in conditions.items():
        lines.append(f"| {name} | {', '.join(map(str, value)) if isinstance(value, list) else value} |")
    pictures = manifest.from_json((folder.path / "manifest.json").read_text(encoding="utf-8"))
    lines += ["", f"Settings: [config.json](config.json), seed {config.training.seed}. "
              f"Pictures: [manifest.json](manifest.json), {len(pictures.usable)} of {len(pictures.entries)} files used."]
    return lines
