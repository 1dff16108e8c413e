"""PSGAN and SGAN: the project's presets, trained on the source alone with the same loop as `train.py`."""

import time
from pathlib import Path

import numpy as np

from benchmarks.quality.methods import presets, sources
from tf_psgan.loading import Plane
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import training_loop


def make(
    method: str,
    source: np.ndarray,
    pixels: int,
    seed: int,
    folder: Path,
    threads: int,
    seconds: float,
    steps: int,
    detail: str,
) -> tuple[np.ndarray, dict[str, float]]:
    """Trains a run, or continues an interrupted one, or loads a finished one; then generates a window of the plane.

    Args:
      method: psgan or sgan.
      folder: the folder of the run and its source; a different budget or preset needs a different folder.
      seconds, steps: the budget; 0: no limit of that kind.
      detail: detail stage of the picture: "none" or "patches".

    Returns:
      uint8 [pixels, pixels, 3], and `train_seconds` (over all processes of the run), `make_seconds` and `steps`.

    Raises:
      ValueError: the source is smaller than the preset's crops.
      InterruptedError: the training was interrupted before the end of its budget.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image, run = folder / "source.png", folder / "run"
    if not image.exists():
        sources.write_picture(image, source)
    training_loop.train(presets.config(method, image, seed, threads, seconds, steps), run)
    last = RunFolder(run).read_metrics()[-1]
    if not (steps and last["step"] >= steps) and not (seconds and last["seconds"] >= seconds):
        raise InterruptedError(f"{run}: stopped at step {last['step']}; the same command goes on.")
    began = time.perf_counter()
    picture = Plane.from_run(run, detail=detail).window(pixels, pixels, seed=seed)
    taken = {"train_seconds": float(last["seconds"]), "make_seconds": time.perf_counter() - began}
    return picture, taken | {"steps": float(last["step"])}
