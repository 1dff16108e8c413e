"""The result of an evaluation: metrics beside their floor, over all samples and by source; as text and as JSON."""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tf_psgan.evaluation import texture_metrics
from tf_psgan.evaluation.diversity import diversity
from tf_psgan.evaluation.evaluator import METRICS, SHORT_NAMES, Evaluator, Metrics, finite, means, metric_floor, summary


@dataclasses.dataclass(frozen=True)
class Result:
    """The metrics of some samples.

    sources: names of the sources.
    samples: per sample the name of its nearest source ("" if all sources are one texture) and its metrics.
    metrics, floor: over all samples, and those of the sources against themselves (`evaluator.metric_floor`). With
      several textures each sample has the floor of its nearest source, and the diversity of all samples that share it.
    by_source: per source with samples their number, metrics and floor; empty if all sources are one texture.
    """

    sources: tuple[str, ...]
    samples: Sequence[tuple[str, Metrics]]
    metrics: Metrics
    floor: Metrics
    by_source: Mapping[str, tuple[int, Metrics, Metrics]]

    def to_text(self) -> str:
        """A table of the metrics, and a second one by source."""
        halves = "the source" if len(self.sources) == 1 else "each source" if self.by_source else "the sources"
        lines = [f"floor: the metrics of windows of one half of {halves} against the other half"]
        if not self.metrics["periodic"]:
            lines.append("The source has no clear period, so no lattice is compared.")
        table = [["metric", "value", "floor", "ideal", "meaning"]]
        for name, (meaning, ideal) in METRICS.items():
            if name in self.metrics:
                value = _cell(self.metrics[name])
                if name == "covered":
                    value = f"{self.metrics[name]:.0f} of {len(self.sources)}"
                table.append([name, value, _cell(self.floor.get(name)), ideal, meaning])
        lines += ["", *aligned(table, right=(1, 2))]
        if not self.by_source:
            return "\n".join(lines)
        columns = SHORT_NAMES | {"diversity": "diversity"}
        table = [["source, floor in brackets", "samples", *columns.values()]]
        for source in self.sources:
            count, metrics, floor = self.by_source.get(source, (0, {}, {}))
            cells = [f"{_cell(metrics.get(name))} ({_cell(floor.get(name))})" if count else "" for name in columns]
            table.append([source, str(count), *cells])
        return "\n".join([*lines, "", *aligned(table, right=range(1, len(table[0])))])

    def to_dict(self, labels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The result for JSON: finite numbers or None; `labels` describe each sample."""
        several = [
            {"source": name, "samples": count, "means": finite(metrics), "floor": finite(floor)}
            for name, (count, metrics, floor) in self.by_source.items()
        ]
        return {
            "sources": list(self.sources),
            "means": finite(self.metrics),
            "floor": finite(self.floor),
            "by_source": several,
            "samples": [
                {**label, "nearest": name or None, **finite(metrics)}
                for label, (name, metrics) in zip(labels, self.samples, strict=True)
            ],
        }


def evaluate_samples(
    evaluator: Evaluator, samples: Sequence[np.ndarray], several: bool, done: Callable[[], None] = lambda: None
) -> Result:
    """Compares samples of one texture with all sources, or of `several` textures each with its nearest source.

    The metrics are those of `Evaluator.measure`. `done` is called after each sample.
    """
    names, pictures = evaluator.sources.names, evaluator.sources.pictures
    side = min(min(sample.shape[:2]) for sample in samples)
    if not several or len(names) == 1:
        alone = []
        for sample in samples:
            alone.append(("", texture_metrics.compare([sample], pictures)))
            done()
        return Result(names, alone, evaluator.measure(samples, several), metric_floor(pictures, side), {})
    rows = []
    for sample in samples:
        rows += evaluator.measure_each([sample])
        done()
    by_source = {}
    for name, source in evaluator.by_name.items():
        group = [sample for sample, (nearest, _) in zip(samples, rows, strict=True) if nearest == name]
        if group:
            metrics = means([own for nearest, own in rows if nearest == name])
            metrics["diversity"] = diversity(group, [source])
            by_source[name] = len(group), metrics, metric_floor([source], side)
    metrics = summary(rows) | {"diversity": means([by_source[name][1] for name, _ in rows])["diversity"]}
    floors = [by_source[name][2] for name, _ in rows]
    return Result(names, rows, metrics, means([floor for floor in floors if floor]), by_source)


def _cell(value: float | None) -> str:
    return "n/a" if value is None or math.isnan(value) else f"{value:.3f}"


def aligned(table: Sequence[Sequence[str]], right: Collection[int]) -> list[str]:
    """The rows of a table in columns two spaces apart; `right` are the right-aligned columns."""
    marks = [
        f"{'>' if i in right else '<'}{max(map(len, column))}" for i, column in enumerate(zip(*table, strict=True))
    ]
    return ["  ".join(map(format, row, marks)).rstrip() for row in table]
