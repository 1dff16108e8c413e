"""How far metrics without weights rank pictures as VGG-19 features do, and how often each finding is reported.

  python -m benchmarks.quality.agreement --folder=PHOTOGRAPHS --vgg=WEIGHTS [--made=FOLDER] [--only=a,b] [--json=FILE]

For each photograph NAME of the folder there are its halves, image quilting, quilting with small blocks, random-phase
noise, and the pictures in FOLDER/NAME, whose first pixel lies at the corner of a cell. All are cropped to 256 pixels a
side. Their rank is the F score (harmonic mean of precision and recall) of pool3. The first table has, per photograph,
Spearman's correlation between that and minus the absolute deviation of each metric (`findings.deviations`); the second
the share of the pictures of each kind for which a finding is reported. Nobody was asked which picture looks best.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tf_psgan.data import images
from tf_psgan.data.picture_formats import SUFFIXES
from tf_psgan.evaluation import comparison, findings, quilting
from tf_psgan.evaluation.comparison import Row
from tf_psgan.evaluation.vgg_features import VggFeatures

PIXELS, SMALL_BLOCK = 256, 16
ALL = "all"
"""Name of the sum of the absolute deviations, each limited to `LIMIT`."""

LIMIT = 3.0


def main(arguments: Sequence[str]) -> int:
    """Prints the tables; returns 2 after one line of error for an unusable file."""
    options = _parser().parse_args(arguments)
    try:
        features = VggFeatures(options.vgg)
        rows = {}
        for file in sorted(options.folder.iterdir()):
            if file.suffix.lower() in SUFFIXES and (not options.only or file.stem in options.only.split(",")):
                made = options.made / file.stem if options.made else None
                rows[file.stem] = measured(file, made, options.cell, features)
                print(f"{file.stem}: {len(rows[file.stem])} pictures", file=sys.stderr, flush=True)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{agreement_table(rows)}\n\n{findings_table(rows)}")
    return 0


def measured(photograph: Path, made: Path | None, cell: int, features: VggFeatures) -> dict[str, Row]:
    """The table of `comparison` for a photograph, with small blocks and the pictures in a folder."""
    source = images.decode(photograph)[:PIXELS, :PIXELS]
    pictures = {"small blocks": [quilting.quilt(source, min(source.shape[:2]), 0, SMALL_BLOCK)]}
    for file in sorted(made.glob("*.png")) if made else ():
        pictures[file.stem] = [images.decode(file)[:PIXELS, :PIXELS]]
    return comparison.table([source], pictures, cell, features)


def deviations(rows: Mapping[str, Row]) -> dict[str, dict[str, float]]:
    """Per picture the absolute deviation of each metric from the source, and ALL; without the source."""
    found: dict[str, dict[str, float]] = {}
    for name, row in rows.items():
        if name != "source":
            absolute = {metric: abs(value) for metric, value in findings.deviations(row, rows["source"]).items()}
            found[name] = absolute | {ALL: sum(min(value, LIMIT) for value in absolute.values())}
    return found


def agreement(rows: Mapping[str, Row]) -> dict[str, float]:
    """Per metric Spearman's correlation between the F score of pool3 and minus the deviation, over the pictures."""
    by_picture = deviations(rows)
    scores = [comparison.f_score(rows[n]["pool3_precision"], rows[n]["pool3_recall"]) for n in by_picture]
    metrics = next(iter(by_picture.values()))
    return {m: spearman([-values[m] for values in by_picture.values()], scores) for m in metrics}


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation of two lists: Pearson's of the ranks, equal values sharing their mean rank.

    nan if all values of a list are equal.
    """
    first, second = (_ranks(np.asarray(values, np.float64)) for values in (a, b))
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(np.sum(first * second) / scale) if scale else math.nan


def agreement_table(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Markdown: a photograph per line, a metric per column, and the mean over the photographs."""
    found = {name: agreement(table) for name, table in rows.items()}
    metrics = list(next(iter(found.values())))
    lines = [f"| photograph | pictures | {' | '.join(m.replace('_', ' ') for m in metrics)} |"]
    lines.append("|---" * (len(metrics) + 2) + "|")
    for name, values in found.items():
        lines.append(f"| {name} | {len(rows[name]) - 1} | {' | '.join(f'{values[m]:.2f}' for m in metrics)} |")
    columns = ([values[m] for values in found.values() if not math.isnan(values[m])] for m in metrics)
    means = [float(np.mean(column)) if column else math.nan for column in columns]
    return "\n".join([*lines, f"| mean | | {' | '.join(f'{mean:.2f}' for mean in means)} |"])


def findings_table(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Markdown: per kind of picture the share of the pictures whose deviation reaches the threshold."""
    kinds: dict[str, list[dict[str, float]]] = {}
    for table in rows.values():
        for name, values in deviations(table).items():
            kind = name if name in ("halves", "quilting", "small blocks", "noise") else "made"
            kinds.setdefault(kind, []).append(values)
    metrics = [metric for metric in next(iter(kinds.values()))[0] if metric != ALL]
    lines = [f"| kind | pictures | {' | '.join(m.replace('_', ' ') for m in metrics)} |"]
    lines.append("|---" * (len(metrics) + 2) + "|")
    for kind, values in kinds.items():
        shares = [np.mean([value[m] >= 1 for value in values]) for m in metrics]
        lines.append(f"| {kind} | {len(values)} | {' | '.join(f'{share:.0%}' for share in shares)} |")
    return "\n".join(lines)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2)[inverse]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.agreement", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--folder", type=Path, required=True, help="photographs")
    parser.add_argument(
        "--vgg", type=Path, required=True, help="VGG-19 weights, see tf_psgan/evaluation/vgg_weights.py"
    )
    parser.add_argument("--made", type=Path, help="a folder with a folder of generated .png files per photograph")
    parser.add_argument("--only", default="", help="names of photographs, separated by commas; otherwise all")
    parser.add_argument("--cell", type=int, default=16, help="pixels per cell of the generator of these pictures")
    parser.add_argument("--json", type=Path, help="where to write all metrics")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
