"""Generates one picture with one method; `benchmarks/quality/fidelity.py` starts a process for each.

  python -m benchmarks.quality.methods.one JOB_AS_JSON

Methods are imported on use, so that a process loads the libraries of one method only. Seconds include compilation and
exclude imports; memory is the peak of the whole process, including libraries.
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.methods import results, sources


def main(argv: list[str]) -> int:
    """Executes the job and writes its picture and record; returns 2 after one line of error."""
    job = results.Job(**json.loads(argv[1]))
    try:
        picture, taken = _make(job, sources.read(Path(job.folder)))
    except (ValueError, OSError, ArithmeticError) as error:
        print(error, file=sys.stderr)
        return 2
    taken["megabytes"] = results.peak_megabytes()
    sources.write_picture(job.picture, picture)
    results.write(job.record, {"key": job.key, **taken})
    return 0


def _make(job: results.Job, source: sources.Source) -> tuple[np.ndarray, dict[str, float]]:
    """The picture, and `train_seconds`, `make_seconds` and further values of the method."""
    texture, settings = source.picture, job.settings
    budget: dict[str, Any] = {"threads": job.threads}
    if "train_seconds" in settings:
        budget |= {"seconds": settings["train_seconds"], "steps": settings["train_steps"]}
    if job.method in ("psgan", "detail", "sgan"):
        from benchmarks.quality.methods import adversarial

        digest = hashlib.sha256(json.dumps(job.key, sort_keys=True).encode()).hexdigest()[:8]
        trained = results.AFTER.get(job.method, job.method)  # the detail stage has the other's settings, so its run
        folder = Path(job.folder) / "runs" / f"{trained}-{job.seed}-{digest}"
        detail = "patches" if job.method == "detail" else "none"
        return adversarial.make(trained, texture, job.pixels, job.seed, folder, detail=detail, **budget)
    if job.method == "dcgan":
        from benchmarks.quality.methods import dcgan

        return dcgan.make(texture, job.seed, **budget)
    if job.method == "gatys":
        from benchmarks.quality.methods import gatys

        began = time.perf_counter()
        picture = gatys.make(texture, job.pixels, job.seed, job.threads, settings["gatys_steps"], Path(settings["vgg"]))
    elif job.method == "portilla":
        from benchmarks.quality.methods import portilla

        began = time.perf_counter()
        picture = portilla.make(texture, job.pixels, job.seed, job.threads, settings["portilla_steps"])
    elif job.method == "quilting":
        from tf_psgan.evaluation import quilting

        began = time.perf_counter()
        side = quilting.block_side(texture, source.periods)
        picture = quilting.quilt(texture, job.pixels, job.seed, side)
    else:
        began = time.perf_counter()
        picture = source.regenerate(job.seed, job.pixels)
    return picture, {"train_seconds": 0.0, "make_seconds": time.perf_counter() - began}


if __name__ == "__main__":
    sys.exit(main(sys.argv))
