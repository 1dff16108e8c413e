"""The command that draws procedural textures as PNG files: python -m tf_psgan.procedural --out=textures"""

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

from tf_psgan import material
from tf_psgan.errors import InputError
from tf_psgan.procedural import catalogue, variations
from tf_psgan.runtime import files


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the pictures into a folder and prints the folder; 2 and one line on stderr on an error."""
    parser = _Parser(prog="procedural", description="Draws the textures that come with the project, and variations.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into; created if missing")
    chosen = parser.add_mutually_exclusive_group()
    every = ",".join(catalogue.TEXTURES)
    chosen.add_argument(
        "--names",
        default=every,
        help="textures, materials (setts), or variations such as brick-2, comma-separated; by default all textures",
    )
    chosen.add_argument("--variations", type=int, help="draws the first so many variations, such as 56, instead")
    parser.add_argument("--seed", type=int, default=1, help="seed of the textures; a variation has its own; 1")
    parser.add_argument("--height", type=int, help="pixels; by default those of the shipped picture")
    parser.add_argument("--width", type=int, help="pixels; by default those of the shipped picture")
    try:
        args = parser.parse_args(argv)
        for name, picture in _pictures(args):
            args.out.mkdir(parents=True, exist_ok=True)
            encoded = io.BytesIO()
            Image.fromarray(picture).save(encoded, "PNG", optimize=True)
            files.write(args.out / f"{name}.png", encoded.getbuffer())
    except InputError as error:
        remedy = " or ".join(f"--{name}" for name in error.settings)
        print(f"error: {error}{f' Change {remedy}.' if remedy else ''}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


def _pictures(args: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    names = args.names.split(",") if args.variations is None else variations.names(args.variations)
    for name in names:
        if name in catalogue.MATERIALS:
            for part, picture in catalogue.make_material(name, args.seed, args.height, args.width).items():
                yield (name if part == material.COLOUR else f"{name}_{part}"), picture
            continue
        if "-" not in name:
            yield name, catalogue.make(name, args.seed, args.height, args.width)
            continue
        side = args.height or args.width or variations.SIDE
        if args.width not in (None, side):
            problem = f"{name} is square, not {args.height}x{args.width}"
            raise InputError("height, width", problem, "give one of them", settings=("height", "width"))
        yield name, variations.make(name, side)


class _Parser(argparse.ArgumentParser):
    """Raises what it would have printed over several lines."""

    def error(self, message: str) -> NoReturn:
        raise InputError("arguments", message, "see --help")


if __name__ == "__main__":
    sys.exit(main())
