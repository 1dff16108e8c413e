"""Compares a ready-made model with the run that it was made from: pixels, and the metrics of `psgan evaluate`.

  python benchmarks/quality/ready_made.py --run=runs/manifold --model=manifold [--samples=8] [--pixels=256]

The model has the run's weights in half precision. Window i has seed i and texture i, in float32; the metrics are those
that `psgan evaluate` prints of these windows against the pictures that the run learned, in the digits that it prints.
"""

import re
import sys
from collections.abc import Sequence

import numpy as np
from absl import flags

from tf_psgan import assessment
from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.runs.run_folder import RunFolder

USAGE = "Compares a ready-made model with the run that it was made from."


def define(values: flags.FlagValues) -> None:
    """Defines flags for the run, the model, and the number and size of the windows."""
    flags.DEFINE_string("run", None, "The run's folder.", flag_values=values)
    edge.define_model(values)
    flags.DEFINE_integer("samples", 8, "Windows.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("pixels", 256, "Side of a window.", lower_bound=128, flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Draws and evaluates both; a text with the differences."""
    run = edge.path(values, "run")
    given = {"samples": values["samples"].value, "pixels": values["pixels"].value, "dtype": "float32"}
    of_run = assessment.evaluate(run, **given)
    sources = [str(path) for path in RunFolder(run).pictures()]
    of_model = assessment.evaluate(model=values.model, sources=sources, **given)
    pictures = differences(of_run.samples.pictures, of_model.samples.pictures)
    return f"{pictures}\n{printed(tables(of_run), tables(of_model))}"


def differences(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> str:
    """How far 8-bit values are apart, in a line."""
    apart = np.abs(np.asarray(ours, int) - np.asarray(theirs, int))
    share = 100 * np.mean(apart > 0)
    return f"{np.sum(apart > 0)} of {apart.size} 8-bit values differ ({share:.2f} %), by {apart.max()} at most"


def tables(evaluation: assessment.Evaluation) -> str:
    """The tables that `psgan evaluate` prints, without the lines above them."""
    return evaluation.to_text().partition("metrics that no loss uses")[2]


def printed(ours: str, theirs: str) -> str:
    """Which numbers of two tables differ, line by line.

    Raises:
      ValueError: the tables have other lines.
    """
    pairs = list(zip(ours.splitlines(), theirs.splitlines(), strict=True))
    number = r"-?\d+\.\d+"
    count, lines = 0, []
    for one, other in pairs:
        found, expected = re.findall(number, one), re.findall(number, other)
        different = [f"{a} and {b}" for a, b in zip(found, expected, strict=True) if a != b]
        count += len(found)
        if different:
            lines.append(f"  {one.split()[0]}: {', '.join(different)}")
    differ = sum(line.count(" and ") for line in lines)
    return "\n".join([f"{differ} of {count} printed numbers differ (the run's and the model's):", *lines])


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
