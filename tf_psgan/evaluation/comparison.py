"""Compares pictures with their sources by metrics that no loss of the training uses, beside reference pictures.

The metrics without a trained network are those of `artefacts`; with VGG-19 weights there are precision, recall and
Fréchet distance of `neighbours` per layer. The references are made from the sources (`references`).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tf_psgan.evaluation import artefacts, lattice, neighbours, references
from tf_psgan.evaluation.evaluator import windows
from tf_psgan.evaluation.results import aligned
from tf_psgan.evaluation.texture_features import MIN_PIXELS
from tf_psgan.evaluation.vgg_features import VggFeatures

MAX_PICTURES = 4
"""Windows of a set of pictures that `artefacts` measures at most, and sources of which references are made."""

MEANINGS = {
    "edge_coherence": "agreement of neighbouring gradients on one direction: 0 for noise, 1 for straight edges",
    "band_skew": "skewness of the finest detail: 0 for noise",
    "band_kurtosis": "excess kurtosis of the finest detail: 0 for noise, large for sparse edges and specks",
    "repetition": "distance of a patch to the nearest elsewhere: 0 for exact copies, about 1 for noise",
    "clipped": "share of the pixels with a colour at 0 or 255",
    "mean_colour_error": "largest difference of the mean red, green or blue, in 8-bit values",
    "colour_error": "mean difference of sorted pixels, in 8-bit values",
    "cell_pattern": "deviation of the mean cell, in 8-bit values: a grid",
    "chance_pattern": "the same at periods that are not the cell's",
    "gradient_swing": "largest over smallest gradient energy by position in the cell",
    "chance_swing": "the same at periods that are not the cell's",
}
"""Meaning of each metric of `artefacts`; the source's value is ideal."""

Pictures = Sequence[np.ndarray]
Row = dict[str, float]


def without_weights(made: Pictures, sources: Pictures, cell: int = 0) -> tuple[Row, Row]:
    """The metrics of some pictures and of their sources that need no trained network, in windows of one size.

    Args:
      made: uint8 [h, w, 3] each; with `cell` of one size, their first pixel at the corner of a cell.
      sources: uint8 [h, w, 3] each.
      cell: pixels per cell of the generator; 0 omits the metrics of the cell.
    """
    side = _common_side([*made, *sources])
    repeats = _lattice(sources, cell)
    return _artefacts(made, sources, side, cell, repeats), _artefacts(sources, sources, side, cell, repeats)


def table(
    sources: Pictures,
    made: Mapping[str, Pictures],
    cell: int = 0,
    features: VggFeatures | None = None,
    done: Callable[[], None] = lambda: None,
) -> dict[str, Row]:
    """A row of metrics for each list of pictures, and for the sources and their references.

    "source" is the sources themselves, without metrics of VGG-19, which would be ideal. "halves" compares one half of
    the sources with the other, which is the result of a perfect generator; a picture too small for it has no such row.
    "quilting" and "noise" are image quilting and random-phase noise of the sources. All rows use windows of one size,
    and equally many feature vectors.

    Args:
      sources: uint8 [h, w, 3] each.
      made: pictures of one generator each; with `cell` of one size, their first pixel at the corner of a cell.
      cell: pixels per cell of the generator; 0 omits the metrics of the cell.
      features: of VGG-19; None omits its metrics.
      done: called after each of `parts` parts of the work.

    Raises:
      InputError: the pictures are too small for neighbours of their feature vectors.
    """
    few = sources[:MAX_PICTURES]
    sets: dict[str, tuple[Pictures, Pictures]] = {name: (pictures, sources) for name, pictures in made.items()}
    if pair := halves(sources):
        sets["halves"] = pair
    quilted = []
    for source in few:
        quilted.append(references.quilted(source))
        done()
    sets["quilting"] = quilted, sources
    sets["noise"] = [references.random_phases(source) for source in few], sources
    side = _common_side([picture for pair in sets.values() for pictures in pair for picture in pictures])
    repeats = _lattice(sources, cell)
    rows = {"source": _artefacts(sources, sources, side, cell, repeats)}
    for name, (pictures, real) in sets.items():
        rows[name] = _artefacts(pictures, real, side, cell, repeats)
        done()
    if features:
        of_sources, vectors = features(sources), {}
        for name, (pictures, real) in sets.items():
            vectors[name] = features(pictures), of_sources if real is sources else features(real)
            done()
        for name, metrics in _vgg_metrics(vectors).items():
            rows[name] |= metrics
    return rows


def parts(sources: Pictures, made: Mapping[str, Pictures], features: VggFeatures | None) -> int:
    """How often `table` calls `done`."""
    sets = len(made) + 2 + (halves(sources) is not None)
    return min(len(sources), MAX_PICTURES) + sets * (2 if features else 1)


def halves(sources: Pictures) -> tuple[Pictures, Pictures] | None:
    """The first and the second halves of all sources whose halves are large enough to measure; None without any."""
    pairs = [references.halves(source) for source in sources]
    pairs = [pair for pair in pairs if min(pair[1].shape[:2]) >= MIN_PIXELS]
    return ([first for first, _ in pairs], [second for _, second in pairs]) if pairs else None


def to_text(rows: Mapping[str, Row]) -> str:
    """A table with one line per metric and one column per row of `table`."""
    names = dict.fromkeys(name for row in rows.values() for name in row)
    lines = [["metric", *rows, "meaning"]]
    for name in names:
        values = [f"{row[name]:.3f}" if name in row else "" for row in rows.values()]
        lines.append([name, *values, MEANINGS.get(name, "of VGG-19 features")])
    return "\n".join(aligned(lines, right=range(1, len(rows) + 1)))


def f_score(precision: float, recall: float) -> float:
    """The harmonic mean of precision and recall: 0 if either is 0."""
    return 2 * precision * recall / max(precision + recall, 1e-12)


def _common_side(pictures: Pictures) -> int:
    return min(min(picture.shape[:2]) for picture in pictures)


def _lattice(sources: Pictures, cell: int) -> np.ndarray:
    """The lattice of the sources, where metrics of the cell are measured."""
    return lattice.lattice(sources) if cell else np.zeros((0, 2))


def _artefacts(pictures: Pictures, sources: Pictures, side: int, cell: int, repeats: np.ndarray) -> Row:
    each = [artefacts.all_of(window) for window in windows(pictures, side, MAX_PICTURES)]
    row = {name: float(np.mean([values[name] for values in each])) for name in each[0]}
    row["mean_colour_error"] = artefacts.mean_colour_error(pictures, sources)
    row["colour_error"] = artefacts.colour_error(pictures, sources)
    if cell:
        own = lattice.like(pictures, repeats)
        of_sets = [_cell_metrics(batch, cell, own) for batch in _batches(pictures)]
        row |= {name: float(np.mean([metrics[name] for metrics in of_sets])) for name in of_sets[0]}
    return row


def _batches(pictures: Pictures) -> list[np.ndarray]:
    """[n, h, w, 3] of pictures of one size; otherwise each picture by itself."""
    if len({picture.shape for picture in pictures}) == 1:
        return [np.stack(pictures)]
    return [picture[np.newaxis] for picture in pictures]


def _cell_metrics(pictures: np.ndarray, cell: int, own: np.ndarray) -> Row:
    pattern, chance = artefacts.cell_pattern(pictures, cell, own)
    swing, usual = artefacts.gradient_swing(pictures, cell)
    return {"cell_pattern": pattern, "chance_pattern": chance, "gradient_swing": swing, "chance_swing": usual}


def _vgg_metrics(vectors: Mapping[str, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]) -> dict[str, Row]:
    """Precision, recall and Fréchet distance per layer, of as many vectors as the smallest set has."""
    rows: dict[str, Row] = {name: {} for name in vectors}
    for layer in next(iter(vectors.values()))[0]:
        count = min(len(part[layer]) for pair in vectors.values() for part in pair)
        for name, (made, real) in vectors.items():
            a, b = made[layer][:count], real[layer][:count]
            precision, recall = neighbours.precision_recall(a, b)
            rows[name] |= {f"{layer}_precision": precision, f"{layer}_recall": recall}
            rows[name][f"{layer}_frechet"] = neighbours.frechet(a, b)
    return rows
