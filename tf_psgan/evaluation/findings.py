"""Says in words what is wrong with the pictures of a run: metrics in, sentences out.

Each metric becomes a deviation from the source; at 1 its sentence is said. The thresholds lie just above what image
quilting and the halves of twenty photographs reach, and noise with their spectra exceeds most of them
(docs/research/photographs.md). The thresholds of the training come from runs of photographs described there.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_psgan.evaluation.comparison import Row

EDGES, SKEW, KURTOSIS, REPETITION, CLIPPED, MEAN_COLOUR = 0.1, 0.4, 0.4, 4 / 3, 0.05, 3.0
"""Share of the source's coherence; difference of skewness; of the inverse hyperbolic sine of the kurtosis; ratio of
repetition; share of clipped pixels; 8-bit values of the mean colour."""

PATTERN, SWING, LEAST_PATTERN = 2.0, 1.5, 0.5
"""Ratios to the chance level; and the pattern, in 8-bit values, below which chance is not counted as smaller."""

FEW_STEPS, ENOUGH_STEPS, WON = 1000, 4000, 0.1
"""Steps before which a run is far from done; before which more may mend what is wrong; median discriminator loss."""

NOTHING_FOUND = "These metrics find nothing wrong."

VGG_SHARE = 0.6
"""Least share of the precision and recall of the source's halves."""


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """How far a run has come.

    steps: training steps done.
    discriminator_loss: median over the last quarter of the evaluations; None if it is not known.
    """

    steps: int
    discriminator_loss: float | None

    @classmethod
    def from_metrics(cls, rows: Sequence[Mapping[str, Any]], steps: int) -> "TrainingState":
        """From the rows of a run's metrics.jsonl up to a step."""
        losses = [row.get("discriminator_loss") for row in rows if row["step"] <= steps]
        last = [loss for loss in losses[-math.ceil(len(losses) / 4) :] if loss is not None] if losses else []
        return cls(steps, float(np.median(last)) if last else None)


def findings(
    own: Row, source: Row, *, cell: int = 0, training: TrainingState | None = None, halves: Row | None = None
) -> list[str]:
    """Sentences about what is wrong; empty if nothing is found.

    Args:
      own: metrics of the pictures, as `comparison` makes them; empty if there are none.
      source: metrics of their source; empty if it is not known.
      cell: pixels per cell; 0 if the pictures are of no known generator.
      training: of the run that made the pictures.
      halves: metrics of the source's halves, with those of VGG-19, if `own` has these, too.
    """
    found = [
        _SENTENCES[name](own, source, cell, deviation > 0)
        for name, deviation in deviations(own, source).items()
        if abs(deviation) >= 1
    ]
    found += _vgg(own, halves or {})
    return (_training(training, bool(found)) if training else []) + found


def deviations(own: Row, source: Row) -> dict[str, float]:
    """How far each metric is from the source's, in units of its threshold; positive above the source's.

    The metrics of the cell are divided by their chance level and by the source's own excess over chance, since a
    lattice of whole cells is no fault. Without a source these are the only ones.
    """
    found = {}
    if "cell_pattern" in own:
        pattern = max(own["chance_pattern"] * _excess(source, "cell_pattern", "chance_pattern"), LEAST_PATTERN)
        swing = own["chance_swing"] * _excess(source, "gradient_swing", "chance_swing")
        found["cell_pattern"] = own["cell_pattern"] / pattern / PATTERN
        found["gradient_swing"] = own["gradient_swing"] / max(swing, 1.0) / SWING
    if not source:
        return found
    return found | {
        "mean_colour_error": own["mean_colour_error"] / MEAN_COLOUR,
        "clipped": (own["clipped"] - source["clipped"]) / CLIPPED,
        "edge_coherence": (own["edge_coherence"] / max(source["edge_coherence"], 1e-6) - 1) / EDGES,
        "band_kurtosis": float(np.arcsinh(own["band_kurtosis"]) - np.arcsinh(source["band_kurtosis"])) / KURTOSIS,
        "band_skew": (own["band_skew"] - source["band_skew"]) / SKEW,
        "repetition": _log_ratio(own["repetition"], source["repetition"]) / math.log(REPETITION),
    }


def _excess(source: Row, name: str, chance: str) -> float:
    return max(source[name] / max(source[chance], 1e-6), 1.0) if source else 1.0


def _log_ratio(a: float, b: float) -> float:
    """Of two values that lie between 0 and about 1; exact copies count as .01."""
    a, b = (min(max(value, 0.01), 10.0) for value in (a, b))
    return math.log(a / b)


def _training(state: TrainingState, faulty: bool) -> list[str]:
    found = []
    if state.steps < FEW_STEPS:
        found.append(f"{state.steps} steps: far from done. Photographs need some thousand steps.")
    elif faulty and state.steps < ENOUGH_STEPS:
        found.append(f"{state.steps} steps: longer training may mend some of the following.")
    loss = state.discriminator_loss
    if loss is not None and loss < WON:
        chance = 2 * math.log(2)
        found.append(
            f"The discriminator has won (loss {loss:.2f}; {chance:.2f} if it could not tell samples from the source): "
            "the generator learns little from it."
        )
    return found


def _vgg(own: Row, halves: Row) -> list[str]:
    reasons = {"precision": "much of the pictures is unlike the source", "recall": "much of the source is missing"}
    found = []
    for name, reason in reasons.items():
        made, wanted = own.get(f"pool3_{name}"), halves.get(f"pool3_{name}")
        if made is not None and wanted is not None and made < VGG_SHARE * wanted:
            values = f"{name} of VGG-19 features {made:.2f}, of the source's halves {wanted:.2f}"
            found.append(f"{reason.capitalize()} ({values}).")
    return found


def _cell_pattern(own: Row, source: Row, cell: int, above: bool) -> str:
    return f"A grid of {cell} px shows (cell pattern {own['cell_pattern']:.1f}, chance {own['chance_pattern']:.1f})."


def _gradient_swing(own: Row, source: Row, cell: int, above: bool) -> str:
    swing, chance = own["gradient_swing"], own["chance_swing"]
    return (
        f"Detail is uneven within the cells of {cell} px (gradient energy swings by {swing:.1f}, chance {chance:.1f})."
    )


def _mean_colour(own: Row, source: Row, cell: int, above: bool) -> str:
    return f"The mean colour is {own['mean_colour_error']:.0f} of 255 off."


def _clipped(own: Row, source: Row, cell: int, above: bool) -> str:
    fault = "Pictures are too hard" if above else "Highlights or shadows are lost"
    return f"{fault} ({own['clipped']:.0%} of the pixels are clipped, {source['clipped']:.0%} in the source)."


def _edges(own: Row, source: Row, cell: int, above: bool) -> str:
    fault = "more coherent than the source's, like strokes" if above else "less coherent than the source's"
    return f"Edges are {fault} ({own['edge_coherence']:.2f}, source {source['edge_coherence']:.2f})."


def _kurtosis(own: Row, source: Row, cell: int, above: bool) -> str:
    fault = "sparser than the source's" if above else "closer to noise than the source's"
    return f"Fine detail is {fault} (kurtosis {own['band_kurtosis']:.1f}, source {source['band_kurtosis']:.1f})."


def _skew(own: Row, source: Row, cell: int, above: bool) -> str:
    fault = "bright" if above else "dark"
    values = f"skewness {own['band_skew']:.2f}, source {source['band_skew']:.2f}"
    return f"Fine detail has too many {fault} specks or too few of the others ({values})."


def _repetition(own: Row, source: Row, cell: int, above: bool) -> str:
    fault = "Structures recur less exactly than in the source" if above else "The picture repeats itself"
    return f"{fault} (distance to the nearest patch {own['repetition']:.2f}, source {source['repetition']:.2f})."


_SENTENCES = {
    "cell_pattern": _cell_pattern,
    "gradient_swing": _gradient_swing,
    "mean_colour_error": _mean_colour,
    "clipped": _clipped,
    "edge_coherence": _edges,
    "band_kurtosis": _kurtosis,
    "band_skew": _skew,
    "repetition": _repetition,
}
