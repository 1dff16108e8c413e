"""PSGAN and SGAN: this project's own presets, trained as `train.py` trains them, on the source alone."""

import time
from pathlib import Path

import numpy as np

from benchmarks.quality.methods import presets, sources
from tf_psgan.loading import load_plane
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import training_loop


def make(
    method: str, source: np.ndarray, pixels: int, seed: int, folder: Path, threads: int, seconds: float, steps: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Trains, or goes on where a run stopped, or only reads one that is over; then makes a window of the plane.

    Args:
      method: psgan or sgan.
      folder: for the run and its source; another budget or preset needs another folder.
      seconds, steps: the budget; 0 for no limit of that kind.

    Returns:
      uint8 [pixels, pixels, 3], and `train_seconds` (over all processes of the run), `make_seconds` and `steps`.

    Raises:
      ValueError: a source too small for the preset's crops.
      InterruptedError: the training was stopped before its budget was used.
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
    picture = load_plane(run).window(pixels, pixels, seed=seed)
    taken = {"train_seconds": float(last["seconds"]), "make_seconds": time.perf_counter() - began}
    return picture, taken | {"steps": float(last["step"])}
