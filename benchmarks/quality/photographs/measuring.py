"""Measures the runs of one photograph with `tf_psgan.evaluation.comparison`, beside halves, quilting and noise.

Each run is rendered in two windows of the photograph's own extent, one at the origin and one far from it, which are
measured together. Its mean colour is that of more windows.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.methods import results
from tf_psgan import loading
from tf_psgan.data import images, manifest
from tf_psgan.evaluation import artefacts, comparison, references
from tf_psgan.evaluation.vgg_features import VggFeatures
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.signal_processing import central_crop

WINDOW_PIXELS = 512
"""Largest height and width of a window, and of a picture on a sheet."""
REFERENCE_PIXELS = 1024
"""Of a larger photograph the central part of this height and width is compared."""
LEAST_PIXELS = 128
"""Least height and width of a photograph: its halves have 64 pixels, the least that `comparison` compares."""
FAR_CELLS = 2**20, -(2**19)
"""(row, col) of the second window's first cell."""

COLOUR_WINDOWS = 16
"""Windows on which the mean colour of a run is measured, the two included: where the light changes over a photograph,
the mean of one window is as much as 9 of 255 from that of another."""

FORMAT = 3
"""Counts up when a record gets other metrics or the same ones are measured otherwise."""

REPETITION = "window_repetition"
"""Repetition in squares of the window's shorter side. `comparison` measures it in windows as small as the halves, where
a copy of a distant part goes unnoticed."""

REFERENCES = ("source", "halves", "quilting", "noise")
"""The rows of `comparison.table` besides those of the runs."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """The metrics of a photograph and its runs, and the pictures that are shown.

    Args:
      record: JSON: `name`, `pixels` and `window` (height, width), the rows of metrics of `REFERENCES`, and by name the
        rows of the `runs`, with their `steps` and `minutes`. All but the halves and the noise have `REPETITION`.
      source, quilted: uint8 squares of one extent.
      windows: the two windows, uint8 [h, w, 3], of each run, by its name.
    """

    record: dict[str, Any]
    source: np.ndarray
    quilted: np.ndarray
    windows: dict[str, list[np.ndarray]]


def measure(photograph: Path, runs: Sequence[Path], features: VggFeatures | None) -> Measured:
    """Renders and measures the runs of a photograph.

    Args:
      photograph: a picture of at least `LEAST_PIXELS` a side.
      runs: folders of trained runs.
      features: of VGG-19; None omits its metrics.

    Raises:
      InputError: a file or a run that cannot be used.
      ValueError: a photograph that is too small, or runs with cells of different sizes.
    """
    whole = images.decode(photograph)
    if min(whole.shape[:2]) < LEAST_PIXELS:
        extent = "x".join(map(str, whole.shape[:2]))
        raise ValueError(f"{photograph}: {extent} pixels are fewer than {LEAST_PIXELS} a side; leave it out.")
    reference = central_crop(whole, REFERENCE_PIXELS)
    height, width = (min(extent, WINDOW_PIXELS) for extent in whole.shape[:2])
    rendered = {run.name: render(run, height, width) for run in runs}
    windows = {name: pictures[:2] for name, (pictures, _) in rendered.items()}
    cells = {cell for _, cell in rendered.values()}
    if len(cells) > 1:
        raise ValueError(f"{photograph}: its runs have cells of {sorted(cells)} pixels; measure them apart.")
    made = {f"run {name}": pictures for name, pictures in windows.items()}  # a run may be called "noise"
    rows = comparison.table([reference], made, *cells, features=features)
    record: dict[str, Any] = {"name": photograph.stem, "pixels": list(whole.shape[:2]), "window": [height, width]}
    record |= {name: rows[name] for name in REFERENCES}
    record["runs"] = {
        run.name: _trained(run)
        | rows[f"run {run.name}"]
        | {"mean_colour_error": artefacts.mean_colour_error(rendered[run.name][0], [reference])}
        for run in runs
    }
    side = min(height, width)
    source, quilted = central_crop(whole, side), references.quilted(reference)[:side, :side]
    for row, pictures in (
        (record["source"], [source]),
        (record["quilting"], [quilted]),
        *((record["runs"][name], pictures) for name, pictures in windows.items()),
    ):
        row[REPETITION] = float(np.mean([artefacts.repetition(picture[:side, :side]) for picture in pictures]))
    return Measured(record, source, quilted, windows)


def key(photograph: Path, runs: Sequence[Path], weights: Path | None) -> dict[str, Any]:
    """What a record depends on, besides the code: a record with an equal key is not measured again.

    Raises:
      ValueError: a run that learned from other pictures.
      InputError: no run in a folder, or a damaged one.
    """
    (entry,) = manifest.scan([str(photograph)]).entries
    for run in runs:
        if [picture.sha256 for picture in RunFolder(run).read_manifest().usable] != [entry.sha256]:
            raise ValueError(f"{run}: the run did not learn from {photograph}; name the pictures' own runs.")
    steps = {run.name: _newest(run) for run in runs}
    configs = {run.name: results.read(run / "config.json") for run in runs}
    used = {"picture": entry.sha256, "runs": steps, "configs": configs, "vgg": weights.name if weights else ""}
    return {"format": FORMAT, **used}


def render(run: Path, height: int, width: int) -> tuple[list[np.ndarray], int]:
    """Windows of a run, uint8 [height, width, 3], each from the corner of a cell, and the pixels per cell.

    The first lies at the origin, the second far from it, the others far from both; `COLOUR_WINDOWS` in all.
    """
    plane = loading.load_plane(run)
    cell = plane.pixels_per_cell
    corners = [(0, 0), FAR_CELLS, *((-(i << 12), i << 13) for i in range(1, COLOUR_WINDOWS - 1))]
    return [plane.window(height, width, top=row * cell, left=col * cell) for row, col in corners], cell


def _trained(run: Path) -> dict[str, float]:
    """Steps of the newest checkpoint, and the minutes that they took."""
    step = _newest(run)
    seconds = [row["seconds"] for row in RunFolder(run).read_metrics() if row["step"] <= step]
    return {"steps": step, "minutes": seconds[-1] / 60 if seconds else 0.0}


def _newest(run: Path) -> int:
    return max((int(path.name.removeprefix("step-")) for path in (run / "checkpoints").glob("step-*")), default=0)
