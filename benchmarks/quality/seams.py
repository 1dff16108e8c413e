"""Measures what the seams between the pieces of the detail stage cost, before and after they are moved.

  python -m benchmarks.quality.seams --run=runs/a [--run=runs/b ...] [--pixels=640] [--windows=2]

A row per run: the cost of the seams around a half block in the mean, in thousands (`tf_psgan.detail.seams`: squared
distances between what two copies show at a seam), of the pieces as they are chosen, after blocks have moved, and after
half blocks have; and the processor seconds of one window.
"""

import sys
import time
from typing import Any

from absl import flags

from tf_psgan.cli import program
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = "Tabulates the costs of seams in the pictures of runs with a detail stage."


def define(values: flags.FlagValues) -> None:
    """Defines flags for the runs and the windows."""
    flags.DEFINE_multi_string("run", [], "Folder of a run with a detail stage; may be given again.", flag_values=values)
    flags.DEFINE_integer("pixels", 640, "Side of the windows.", lower_bound=64, flag_values=values)
    flags.DEFINE_integer("windows", 2, "Windows of each run, far from each other.", lower_bound=1, flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Returns a Markdown table with a row per run."""
    if not values.run:
        raise ValueError("run: none; name at least one, as in --run=runs/brick.")
    with filtered_stderr():
        from tf_psgan.loading import load_plane
    lines = ["| run | pieces | blocks moved | half blocks moved | s |", "|---|---|---|---|---|"]
    for run in values.run:
        plane = load_plane(run)
        if plane.exemplar is None:
            raise ValueError(f"run: {run} has no detail stage; choose another run.")
        costs, seconds = measured(plane, values.pixels, values["windows"].value)
        lines.append(f"| {run} | {' | '.join(f'{cost / 1e3:.1f}' for cost in costs)} | {seconds:.2f} |")
    return "\n".join(lines)


def measured(plane: Any, pixels: int, windows: int) -> tuple[list[float], float]:
    """The costs per half block of windows of a plane with a detail stage, and the processor seconds of one window.

    Returns:
      Mean costs of the pieces, after blocks have moved, and after half blocks have; seconds.
    """
    import numpy as np
    import tensorflow as tf

    from tf_psgan.detail import block_maps, seams
    from tf_psgan.detail.synthesis import DetailStage
    from tf_psgan.latents.scene import Scene
    from tf_psgan.plane.plane import TexturePlane

    stage = DetailStage(plane.exemplar)
    arrange, pieces = (
        tf.function(part, input_signature=stage.input_signature, autograph=False) for part in (stage, stage.pieces)
    )
    pixels += -pixels % stage.alignment
    costs, seconds = [], []
    for number in range(windows):
        corner = (1 << 12) * number * stage.alignment
        inputs = TexturePlane(plane.folded).stage_inputs(stage, Scene(), corner, -corner, pixels, pixels)
        rows, cols = pieces(*inputs)
        found = [block_maps.halved(rows, cols, stage.alignment // 2)]
        for _ in range(seams.PASSES):
            rows, cols = stage.seams.move(rows, cols)
        found += [block_maps.halved(rows, cols, stage.alignment // 2), stage.fine_seams(rows, cols)]
        costs.append([mean_cost(stage.fine_seams.seams, *each) for each in found])
        arrange(*inputs)
        began = time.process_time()
        arrange(*inputs)
        seconds.append(time.process_time() - began)
    return [float(cost) for cost in np.mean(costs, axis=0)], min(seconds)


def mean_cost(seams: Any, rows: Any, cols: Any) -> float:
    """The cost of the seams around a block of a map, which `detail.seams.Seams` measures, in the mean."""
    costs = seams.costs(rows, cols)[3][:, 0].numpy()
    return float(costs.astype(float).sum() / ((rows.shape[0] - 2) * (rows.shape[1] - 2)))


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
