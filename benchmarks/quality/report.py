"""Compares pictures with a photograph, and as references its two halves, image quilting and random-phase noise.

  python -m benchmarks.quality.report --source=PHOTO [--vgg=WEIGHTS] [--cell=16] [--json=FILE] PICTURE ...

The table has one row per picture: precision, recall and Fréchet distance of VGG-19 features (with --vgg) and the
metrics of `artefacts`. The row "halves" compares one half of the photograph with the other, which is the result of a
perfect picture; "quilting" is image quilting of the photograph; "noise" has its spectrum and random phases. Pictures
larger than the photograph are cropped to its size.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality import artefacts, neighbours
from benchmarks.quality.methods import quilting
from benchmarks.quality.vgg_features import VggFeatures
from tf_psgan.data import images
from tf_psgan.evaluation.lattice import lattice

Row = dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Prints the table; returns 2 after one line of error for an unusable file."""
    options = _parser().parse_args(arguments)
    try:
        source = images.decode(options.source)
        made = {path.stem: [images.decode(path)] for path in options.pictures}
        rows = table(source, made, VggFeatures(options.vgg) if options.vgg else None, options.cell)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    print(to_markdown(rows))
    return 0


def table(
    source: np.ndarray, made: dict[str, list[np.ndarray]], features: VggFeatures | None = None, cell: int = 0
) -> dict[str, Row]:
    """Rows by name: the three references, then each list of pictures of `made`.

    Args:
      source: uint8 [h, w, 3].
      made: for each name the pictures of one generator.
      features: VGG-19 features, or None to omit their metrics.
      cell: pixels per cell of the generator, for the metrics of the cell's pattern; 0 omits them.
    """
    halves = np.array_split(source, 2, axis=int(source.shape[1] > source.shape[0]))
    rows = {
        "halves": _compare([halves[0]], halves[1], features),
        "quilting": _compare([quilted(source)], source, features),
        "noise": _compare([random_phases(source)], source, features),
    }
    for name, pictures in made.items():
        rows[name] = _compare([_cut(picture, source) for picture in pictures], source, features)
        if cell:
            rows[name] |= _cell_metrics(np.stack(pictures), cell)
    return rows


def quilted(source: np.ndarray, seed: int = 0) -> np.ndarray:
    """Image quilting of a photograph, as large as its shorter side, with blocks larger than its structures."""
    block = quilting.block_side(source, lattice([source]))
    return quilting.quilt(source, min(source.shape[:2]), seed, block)


def random_phases(source: np.ndarray, seed: int = 0) -> np.ndarray:
    """Noise with the photograph's power spectrum and correlations of colours (Galerne et al. 2011, section III).

    The phases of one white noise are added to those of each colour channel, which preserves the mean and removes all
    structure.
    """
    mean = source.mean(axis=(0, 1))
    white = np.fft.rfft2(np.random.default_rng(seed).normal(size=source.shape[:2]))
    rotation = white / np.maximum(np.abs(white), 1e-12)
    waves = np.fft.rfft2(source - mean, axes=(0, 1)) * rotation[..., np.newaxis]
    return np.clip(np.rint(np.fft.irfft2(waves, source.shape[:2], axes=(0, 1)) + mean), 0, 255).astype(np.uint8)


def to_markdown(rows: dict[str, Row]) -> str:
    """A table with one row per name; cells of metrics that do not apply are empty."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [f"| | {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for title, row in rows.items():
        cells = [f"{row[name]:.3g}" if name in row else "" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _compare(made: list[np.ndarray], source: np.ndarray, features: VggFeatures | None) -> Row:
    row: Row = {}
    if features:
        found, wanted = features(made), features([source])
        for layer, real in wanted.items():
            count = min(len(real), len(found[layer]))
            precision, recall = neighbours.precision_recall(found[layer][:count], real[:count])
            row |= {f"{layer}_precision": precision, f"{layer}_recall": recall}
            row[f"{layer}_frechet"] = neighbours.frechet(found[layer][:count], real[:count])
    each = [artefacts.all_of(picture) for picture in made]
    row |= {name: float(np.mean([values[name] for values in each])) for name in each[0]}
    row["mean_colour_error"] = float(np.mean([artefacts.mean_colour_error(picture, source) for picture in made]))
    return row


def _cell_metrics(pictures: np.ndarray, cell: int) -> Row:
    pattern, chance = artefacts.cell_pattern(pictures, cell)
    swing, usual = artefacts.gradient_swing(pictures, cell)
    return {"cell_pattern": pattern, "chance_pattern": chance, "gradient_swing": swing, "chance_swing": usual}


def _cut(picture: np.ndarray, source: np.ndarray) -> np.ndarray:
    return picture[: source.shape[0], : source.shape[1]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.report", description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="*", type=Path, help="generated pictures")
    parser.add_argument("--source", type=Path, required=True, help="the photograph")
    parser.add_argument("--vgg", type=Path, help="VGG-19 weights, see benchmarks/quality/methods/vgg.py")
    parser.add_argument("--cell", type=int, default=0, help="pixels per cell of the generator; 0 omits its pattern")
    parser.add_argument("--json", type=Path, help="where to write the values")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
