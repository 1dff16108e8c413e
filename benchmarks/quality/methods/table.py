"""The metrics of all textures, methods and seeds as medians with their range: JSON and Markdown."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.methods import measure, results, sources

# For each metric: title, decimals, and the best value: the highest, the lowest, or the one nearest to 1.
COLUMNS = {
    "pool3_f": ("F score of pool3", 2, "high"),
    "pool3_precision": ("precision", 2, "high"),
    "pool3_recall": ("recall", 2, "high"),
    "edge_coherence": ("edge coherence over the source's", 2, "one"),
    "mean_colour_error": ("mean colour, 8-bit values off", 1, "low"),
    "period_score": ("period score", 3, "high"),
    "peak_offset_pixels": ("peak offset, px", 2, "low"),
    "peak_height": ("height", 2, "one"),
    "autocorrelation_distance": ("distance", 3, "low"),
    "log_spectrum": ("spectrum", 2, "low"),
    "sliced_wasserstein": ("patches", 3, "low"),
    "colour": ("colour", 3, "low"),
    "gram": ("Gram", 3, "low"),
    "diversity": ("diversity", 2, "one"),
    "seconds": ("seconds", 0, ""),
    "megabytes": ("MB", 0, ""),
}
TITLES = {results.FLOOR: "floor", **results.METHODS}

Row = dict[str, list[float]]
"""The results of one method on one texture: for each metric one value per seed."""


def collect(folder: Path, methods: Sequence[str], seeds: Sequence[int]) -> dict[str, Row]:
    """The results of one texture by method, the floor first."""
    source = sources.read(folder)
    metrics = results.read(folder / "metrics.json")
    rows: dict[str, Row] = {}
    for method in (results.FLOOR, *methods):
        found = []
        for seed in seeds:
            record = results.read(folder / f"{method}-{seed}.json")
            if record and f"{method}-{seed}" in metrics:
                seconds = record["train_seconds"] + record["make_seconds"]
                found.append(metrics[f"{method}-{seed}"]["metrics"] | record | {"seconds": seconds})
        row = {name: [float(f[name]) for f in found if f.get(name) is not None] for name in COLUMNS}
        several = measure.diversity(folder, source, method, seeds) if len(found) > 1 else math.nan
        row["diversity"] = [] if math.isnan(several) else [several]
        if method == results.FLOOR:
            row["seconds"], row["megabytes"] = [], []
        if found:
            rows[method] = row
    if source.floor:
        rows[results.FLOOR] = {name: [v] if (v := source.floor.get(name)) is not None else [] for name in COLUMNS}
    return rows


def to_json(found: dict[str, dict[str, Row]]) -> dict[str, Any]:
    """Texture, method, metric: median, low, high and the values."""
    return {
        texture: {
            method: {
                name: {"median": statistics.median(v), "low": min(v), "high": max(v), "values": v}
                for name, v in row.items()
                if v
            }
            for method, row in rows.items()
        }
        for texture, rows in found.items()
    }


def of_texture(rows: dict[str, Row]) -> str:
    """All metrics of one texture, a method a line."""
    names = [name for name in COLUMNS if any(row[name] for row in rows.values())]
    lines = [f"| method | {' | '.join(COLUMNS[name][0] for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for method, row in rows.items():
        lines.append(f"| {TITLES[method]} | {' | '.join(cell(row[name], COLUMNS[name][1]) for name in names)} |")
    return "\n".join(lines)


def of_metric(found: dict[str, dict[str, Row]], name: str, methods: Sequence[str]) -> str:
    """A table of one metric: a row per texture, a column per method; the best median of a row is bold."""
    _, decimals, best = COLUMNS[name]
    shown = [m for m in (results.FLOOR, *methods) if any(rows.get(m, {}).get(name) for rows in found.values())]
    lines = [f"| texture | {' | '.join(TITLES[method] for method in shown)} |", "|---" * (len(shown) + 1) + "|"]
    wins = dict.fromkeys(shown, 0)
    counted = 0
    for texture, rows in found.items():
        values = {m: rows[m][name] for m in shown if rows.get(m, {}).get(name)}
        if not values:
            continue
        leader = best_method({m: statistics.median(v) for m, v in values.items() if m != results.FLOOR}, best)
        counted += 1
        cells = []
        for method in shown:
            text = cell(values.get(method, []), decimals)
            wins[method] += method == leader
            cells.append(f"**{text}**" if method == leader else text)
        lines.append(f"| {texture} | {' | '.join(cells)} |")
    if best:
        lines.append(f"| best of {counted} | {' | '.join(str(wins[m]) if m in methods else '' for m in shown)} |")
    return "\n".join(lines)


def best_method(medians: dict[str, float], best: str) -> str:
    """The method with the best median; "" for a metric without ranking."""
    if not best or not medians:
        return ""
    worth = {"high": lambda v: v, "low": lambda v: -v, "one": lambda v: -abs(v - 1)}[best]
    return max(medians, key=lambda method: worth(medians[method]))


def cell(values: Sequence[float], decimals: int) -> str:
    """The median, with the range if there are several values."""
    if not values:
        return ""
    middle = f"{statistics.median(values):.{decimals}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
