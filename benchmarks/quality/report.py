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

from tf_psgan.data import images
from tf_psgan.evaluation.comparison import Row, table
from tf_psgan.evaluation.vgg_features import VggFeatures


def main(arguments: Sequence[str]) -> int:
    """Prints the table; returns 2 after one line of error for an unusable file."""
    options = _parser().parse_args(arguments)
    try:
        source = images.decode(options.source)
        rows, cols = source.shape[:2]
        made = {path.stem: [images.decode(path)[:rows, :cols]] for path in options.pictures}
        found = table([source], made, options.cell, VggFeatures(options.vgg) if options.vgg else None)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    print(to_markdown(found))
    return 0


def to_markdown(rows: dict[str, Row]) -> str:
    """A table with one row per name; cells of metrics that do not apply are empty."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [f"| | {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for title, row in rows.items():
        cells = [f"{row[name]:.3g}" if name in row else "" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.report", description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="*", type=Path, help="generated pictures")
    parser.add_argument("--source", type=Path, required=True, help="the photograph")
    parser.add_argument("--vgg", type=Path, help="VGG-19 weights, see tf_psgan/evaluation/vgg_weights.py")
    parser.add_argument("--cell", type=int, default=0, help="pixels per cell of the generator; 0 omits its pattern")
    parser.add_argument("--json", type=Path, help="where to write the values")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
