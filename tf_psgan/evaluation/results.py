"""What is found out about samples: values beside their floor, over all and source by source; as text and as JSON."""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tf_psgan.evaluation import texture_metrics
from tf_psgan.evaluation.evaluator import MEASURES, SHORT, Evaluator, Figures, finite, floor_of, means, summary


@dataclasses.dataclass(frozen=True)
class Result:
    """The figures of some samples.

    sources: names of what the samples were held against.
    samples: per sample the source that it is most like, "" where all sources are one texture, and its own figures.
    values, floor: over all samples, and what the sources score against themselves (`evaluator.floor_of`). Of several
      textures each sample has the floor of its nearest source, and the diversity of all samples that share it.
    by_source: per source with samples their number, values and floor; nothing where all sources are one texture.
    """

    sources: tuple[str, ...]
    samples: Sequence[tuple[str, Figures]]
    values: Figures
    floor: Figures
    by_source: Mapping[str, tuple[int, Figures, Figures]]

    def to_text(self) -> str:
        """The table, and a second one source by source."""
        halves = "the source" if len(self.sources) == 1 else "each source" if self.by_source else "the sources"
        lines = [f"floor: what windows of one half of {halves} score against the other half"]
        if not self.values["periodic"]:
            lines.append("No period that stands out was found in the source, so no lattice is compared.")
        table = [["measure", "value", "floor", "ideal", "what it says"]]
        for name, (meaning, ideal) in MEASURES.items():
            if name in self.values:
                value = _figure(self.values[name])
                if name == "covered":
                    value = f"{self.values[name]:.0f} of {len(self.sources)}"
                table.append([name, value, _figure(self.floor.get(name)), ideal, meaning])
        lines += ["", *_aligned(table, right=(1, 2))]
        if not self.by_source:
            return "\n".join(lines)
        columns = SHORT | {"diversity": "diversity"}
        table = [["source, floor in brackets", "samples", *columns.values()]]
        for source in self.sources:
            count, values, floor = self.by_source.get(source, (0, {}, {}))
            cells = [f"{_figure(values.get(name))} ({_figure(floor.get(name))})" if count else "" for name in columns]
            table.append([source, str(count), *cells])
        return "\n".join([*lines, "", *_aligned(table, right=range(1, len(table[0])))])

    def to_dict(self, labels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """For JSON: finite numbers or None. `labels` say what each sample is."""
        several = [
            {"source": name, "samples": count, "means": finite(values), "floor": finite(floor)}
            for name, (count, values, floor) in self.by_source.items()
        ]
        return {
            "sources": list(self.sources),
            "means": finite(self.values),
            "floor": finite(self.floor),
            "by_source": several,
            "samples": [
                {**label, "nearest": name or None, **finite(figures)}
                for label, (name, figures) in zip(labels, self.samples, strict=True)
            ],
        }


def result(evaluator: Evaluator, samples: Sequence[np.ndarray], several: bool) -> Result:
    """Measures samples of one texture against all sources, or of `several` textures each against its nearest one.

    The values are those of `Evaluator.measure`.
    """
    names, pictures = evaluator.sources.names, evaluator.sources.pictures
    side = min(min(sample.shape[:2]) for sample in samples)
    if not several or len(names) == 1:
        alone = [("", texture_metrics.compare([sample], pictures)) for sample in samples]
        return Result(names, alone, evaluator.measure(samples, several), floor_of(pictures, side), {})
    rows = evaluator.each(samples)
    by_source = {}
    for name, source in evaluator.by_name.items():
        group = [sample for sample, (nearest, _) in zip(samples, rows, strict=True) if nearest == name]
        if group:
            values = means([figures for nearest, figures in rows if nearest == name])
            values["diversity"] = texture_metrics.diversity(group, [source])
            by_source[name] = len(group), values, floor_of([source], side)
    values = summary(rows) | {"diversity": means([by_source[name][1] for name, _ in rows])["diversity"]}
    floors = [by_source[name][2] for name, _ in rows]
    return Result(names, rows, values, means([floor for floor in floors if floor]), by_source)


def _figure(value: float | None) -> str:
    return "n/a" if value is None or math.isnan(value) else f"{value:.3f}"


def _aligned(table: Sequence[Sequence[str]], right: Collection[int]) -> list[str]:
    """The rows of a table in columns two spaces apart; `right` are those that end at one place."""
    marks = [
        f"{'>' if i in right else '<'}{max(map(len, column))}" for i, column in enumerate(zip(*table, strict=True))
    ]
    return ["  ".join(map(format, row, marks)).rstrip() for row in table]
