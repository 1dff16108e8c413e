"""Measures all pictures of one texture in a separate process, after their generation.

  python -m benchmarks.quality.methods.measure FOLDER [VGG]

Writes metrics.json: for each picture the metrics of `texture_metrics.compare` against the source, the period score,
edge coherence and mean colour, which no training optimises, and, with VGG-19 weights, precision and recall of pool3
and, with PyTorch, the distance of Gram matrices. The metrics of an unchanged picture are not computed again, unless
VGG-19 weights are given that were not used before. A floor is measured like any other picture.
"""

import hashlib
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.methods import period_score, results, sources
from tf_psgan.evaluation import artefacts, comparison, neighbours, texture_metrics
from tf_psgan.evaluation.diversity import diversity as diversity_of
from tf_psgan.evaluation.vgg_features import VggFeatures

Metrics = dict[str, float | None]


def main(argv: list[str]) -> int:
    """Measures the pictures without metrics; returns 2 after one line of error."""
    try:
        measure(Path(argv[1]), Path(argv[2]) if len(argv) > 2 else None)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure(folder: Path, weights: Path | None) -> None:
    """Updates metrics.json of a folder."""
    source = sources.read(folder)
    features = VggFeatures(weights) if weights else None
    gram = _gram(source, weights) if weights and importlib.util.find_spec("torch") else None
    file = folder / "metrics.json"
    known = results.read(file)
    for picture in sorted(folder.glob("*-*.png")):
        digest = hashlib.sha256(picture.read_bytes() + source.picture.tobytes()).hexdigest()[:16]
        before = known.get(picture.stem, {})
        if before.get("digest") == digest and (weights is None or before.get("weights") == weights.name):
            continue
        found = of(sources.read_picture(picture), source)
        if features:
            found |= appearance(features, sources.read_picture(picture), source.picture)
        if gram:
            found["gram"] = gram(sources.read_picture(picture))
        known[picture.stem] = {"digest": digest, "weights": weights.name if weights else "", "metrics": found}
        results.write(file, known)


def of(picture: np.ndarray, source: sources.Source) -> Metrics:
    """The metrics of one picture; None for a metric that does not apply.

    `period_score`, `far` and `near` are defined in `period_score.py`. Peak offset and height also require a lattice.
    `edge_coherence` is that of the picture divided by the source's; `mean_colour_error` is in 8-bit values.
    """
    metrics = texture_metrics.compare([picture], [source.picture])
    if not len(source.periods):
        metrics |= {"peak_offset_pixels": math.nan, "peak_height": math.nan}
    score = period_score.period_score(picture, source.picture, source.periods)
    metrics |= {"period_score": score.score, "far": score.far, "near": score.near}
    metrics["edge_coherence"] = artefacts.edge_coherence(picture) / artefacts.edge_coherence(source.picture)
    metrics["mean_colour_error"] = artefacts.mean_colour_error([picture], [source.picture])
    del metrics["diversity"], metrics["periodic"]  # diversity needs several pictures; periodic belongs to the source
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}


def appearance(features: VggFeatures, picture: np.ndarray, source: np.ndarray) -> Metrics:
    """Precision, recall and F score of VGG-19's pool3, of as many positions as the smaller picture has."""
    made, real = features([picture])["pool3"], features([source])["pool3"]
    count = min(len(made), len(real))
    precision, recall = neighbours.precision_recall(made[:count], real[:count])
    return {
        "pool3_f": comparison.f_score(precision, recall),
        "pool3_precision": precision,
        "pool3_recall": recall,
    }


def diversity(folder: Path, source: sources.Source, method: str, seeds: Sequence[int]) -> float:
    """The diversity of a method's pictures of several seeds; nan for fewer than two."""
    files = [folder / f"{method}-{seed}.png" for seed in seeds]
    pictures = [sources.read_picture(file) for file in files if file.exists()]
    return diversity_of(pictures, [source.picture])


def _gram(source: sources.Source, weights: Path) -> Callable[[np.ndarray], float]:
    from benchmarks.quality.methods import vgg

    network = vgg.Vgg(weights)
    return lambda picture: vgg.gram_distance(network, picture, source.picture)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
