"""The total table of the benchmark, and which targets it meets."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.quality.methods import table
from benchmarks.quality.photographs import measuring

Row = dict[str, list[float]]
"""A photograph: for each column its values, one for each run."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table.

    Args:
      title: in the table.
      decimals: in the table.
      best: "high", "low" or "one" (nearest to 1), as in `methods.table.COLUMNS`; decides which value is the worst.
    """

    title: str
    decimals: int
    best: str


COLUMNS = {
    "precision": Column("precision / halves'", 2, "high"),
    "recall": Column("recall / halves'", 2, "high"),
    "mean_colour_error": Column("mean colour error, 8-bit", 2, "low"),
    "pattern": Column("cell pattern / chance", 2, "low"),
    "edge_coherence": Column("edge coherence / source's", 2, "one"),
    "repetition": Column("repetition / source's", 2, "high"),
}
"""Precision and recall are those of pool3. Repetition is low where a picture repeats itself."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What the medians, or the worst of all photographs, must reach.

    Args:
      column: of `COLUMNS`.
      worst: over the photographs: the worst value, or else the median.
      limit: least value of a column that is best high, greatest of one that is best low.
    """

    column: str
    worst: bool
    limit: float

    def line(self, rows: dict[str, Row]) -> str:
        """The target in words, the value found, and whether it is met."""
        column, values = COLUMNS[self.column], medians(rows, self.column)
        sense = "at least" if column.best == "high" else "at most"
        text = f"{'worst' if self.worst else 'median'} of {column.title}: {sense} {self.limit:g}"
        if not values:
            return f"- {text}: not measured"
        found = worst(values, column.best) if self.worst else statistics.median(values)
        met = found >= self.limit if column.best == "high" else found <= self.limit
        return f"- {text}: {found:.{column.decimals}f}, {'met' if met else '**not met**'}"


TARGETS = (
    Target("precision", False, 0.9),
    Target("recall", False, 0.8),
    Target("precision", True, 0.6),
    Target("recall", True, 0.6),
    Target("mean_colour_error", True, 2.0),
    Target("pattern", True, 2.0),
)


def relative(row: dict[str, float], record: dict[str, Any]) -> dict[str, float]:
    """The columns of one run, or of quilting, from its metrics and those of the halves and of the source.

    A column is missing where it was not measured, or where the value to divide by is 0.
    """
    halves, source = record["halves"], record["source"]
    pairs = {
        "precision": (row.get("pool3_precision"), halves.get("pool3_precision")),
        "recall": (row.get("pool3_recall"), halves.get("pool3_recall")),
        "mean_colour_error": (row["mean_colour_error"], 1.0),
        "pattern": (row.get("cell_pattern"), row.get("chance_pattern")),
        "edge_coherence": (row["edge_coherence"], source["edge_coherence"]),
        "repetition": (row[measuring.REPETITION], source[measuring.REPETITION]),
    }
    return {name: value / by for name, (value, by) in pairs.items() if value is not None and by}


def collect(found: Sequence[dict[str, float]]) -> Row:
    """The columns of several runs of one photograph, as lists."""
    return {name: [row[name] for row in found if name in row] for name in COLUMNS}


def medians(rows: dict[str, Row], name: str) -> list[float]:
    """The median over the runs of each photograph that has the column."""
    return [statistics.median(row[name]) for row in rows.values() if row[name]]


def worst(values: Sequence[float], best: str) -> float:
    """The worst of some values: the lowest, the highest, or the farthest from 1 as a ratio."""
    if best == "one":
        return max(values, key=lambda value: abs(math.log(max(value, 1e-9))))
    return min(values) if best == "high" else max(values)


def to_markdown(rows: dict[str, Row], steps: dict[str, str]) -> str:
    """A line for each photograph, with its steps or "", then the medians and the worst over the photographs."""
    shown = {name: column for name, column in COLUMNS.items() if medians(rows, name)}
    lines = [f"| photograph | steps | {' | '.join(column.title for column in shown.values())} |"]
    lines.append("|---" * (len(shown) + 2) + "|")
    for photograph, row in rows.items():
        cells = [table.cell(row[name], column.decimals) for name, column in shown.items()]
        lines.append(f"| {photograph} | {steps.get(photograph, '')} | {' | '.join(cells)} |")
    for title in ("median", "worst"):
        cells = []
        for name, column in shown.items():
            values = medians(rows, name)
            value = statistics.median(values) if title == "median" else worst(values, column.best)
            cells.append(f"**{value:.{column.decimals}f}**")
        lines.append(f"| **{title}** | | {' | '.join(cells)} |")
    return "\n".join(lines)


def of_records(records: Sequence[dict[str, Any]]) -> str:
    """The report: the table of the runs, the targets, and the table of image quilting."""
    runs = {r["name"]: collect([relative(row, r) for row in r["runs"].values()]) for r in records}
    quilting = {r["name"]: collect([relative(r["quilting"], r)]) for r in records}
    steps = {r["name"]: table.cell([row["steps"] for row in r["runs"].values()], 0) for r in records}
    targets = "\n".join(target.line(runs) for target in TARGETS)
    count = sum(len(record["runs"]) for record in records)
    conditions = (
        f"{len(records)} photographs, {count} runs. A photograph's value is the median over its runs (least to most). "
        "Precision and recall are of pool3 of VGG-19, divided by those of the photograph's two halves."
    )
    return "\n\n".join(
        [
            conditions,
            "## Results",
            to_markdown(runs, steps),
            "## Targets",
            targets,
            "## Image quilting",
            to_markdown(quilting, {}),
        ]
    )
