"""Measures all pictures of one texture: a process of its own, after they are made.

  python -m benchmarks.quality.methods.measure FOLDER [VGG]

Writes metrics.json: per picture the metrics of `texture_metrics.compare` against the source, the period score, and,
where VGG-19 weights are given, the distance of its Gram matrices. A picture that was measured before, with or without
VGG as now, is left as it is. A floor is measured like any other picture.
"""

import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.methods import period_score, results, sources
from tf_psgan.evaluation import texture_metrics

Metrics = dict[str, float | None]


def main(argv: list[str]) -> int:
    """Measures what is not measured; 2 and one line where that fails."""
    try:
        measure(Path(argv[1]), Path(argv[2]) if len(argv) > 2 else None)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure(folder: Path, weights: Path | None) -> None:
    """Brings metrics.json of a folder up to date."""
    source = sources.read(folder)
    gram = _gram(source, weights) if weights else None
    file = folder / "metrics.json"
    known = results.read(file)
    for picture in sorted(folder.glob("*-*.png")):
        digest = hashlib.sha256(picture.read_bytes() + source.picture.tobytes()).hexdigest()[:16]
        before = known.get(picture.stem, {})
        if before.get("digest") == digest and (weights is None or before.get("weights") == weights.name):
            continue
        found = of(sources.read_picture(picture), source)
        if gram:
            found["gram"] = gram(sources.read_picture(picture))
        known[picture.stem] = {"digest": digest, "weights": weights.name if weights else "", "metrics": found}
        results.write(file, known)


def of(picture: np.ndarray, source: sources.Source) -> Metrics:
    """The metrics of one picture; None where one does not apply.

    `period_score`, `far` and `near` are those of `period_score.py`; peak offset and height need a lattice, too.
    """
    metrics = texture_metrics.compare([picture], [source.picture])
    if not len(source.periods):
        metrics |= {"peak_offset_pixels": math.nan, "peak_height": math.nan}
    score = period_score.period_score(picture, source.picture, source.periods)
    metrics |= {"period_score": score.score, "far": score.far, "near": score.near}
    del metrics["diversity"], metrics["periodic"]  # the first needs several pictures, the second is the source's
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}


def diversity(folder: Path, source: sources.Source, method: str, seeds: Sequence[int]) -> float:
    """`metrics.diversity` of a method's pictures of several seeds; nan for fewer than two."""
    files = [folder / f"{method}-{seed}.png" for seed in seeds]
    pictures = [sources.read_picture(file) for file in files if file.exists()]
    return diversity(pictures, [source.picture])


def _gram(source: sources.Source, weights: Path) -> Callable[[np.ndarray], float]:
    from benchmarks.quality.methods import vgg

    network = vgg.Vgg(weights)
    return lambda picture: vgg.gram_distance(network, picture, source.picture)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
