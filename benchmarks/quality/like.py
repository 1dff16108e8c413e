"""Tests whether texture inversion finds the textures of pictures that were generated from known vectors.

  python benchmarks/quality/like.py --run=runs/manifold [--pictures=16] [--first=1001] [--sheet=sheet.png]

Each picture is a window of a different texture (numbers from --first on; from 0 for a class-conditional model). The
inversion receives the picture and the run's stored textures. `texture_metrics.nearest` then compares a window of the
texture found with other windows of all known textures; the inversion succeeds if the nearest one is the true one. A
window of the known vector itself is measured in the same way as a reference, because some random textures of a model
are so similar that even their own windows are confused.
"""

import sys
import time
from pathlib import Path

import numpy as np
from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.data import images
from tf_psgan.evaluation import texture_features, texture_metrics
from tf_psgan.loading import Plane, restore_generator
from tf_psgan.rendering.texture_inversion import invert

USAGE = "Searches for the textures of pictures that were generated from known vectors."
GIVEN, KNOWN, SHOWN = 1_000_000, 2_000_000, 3_000_000  # seeds of planes
NEARLY = 1.1


def define(values: flags.FlagValues) -> None:
    """Defines flags for the run, and for the number and size of the pictures."""
    edge.define_run(values)
    flags.DEFINE_integer("pictures", 16, "Textures to search for.", lower_bound=2, flag_values=values)
    flags.DEFINE_integer("first", 1001, "Number of the first texture.", flag_values=values)
    flags.DEFINE_integer("pixels", 256, "Side of each picture.", lower_bound=64, flag_values=values)
    flags.DEFINE_string(
        "sheet", "", "File for the pictures, each beside a window of the texture found.", flag_values=values
    )


def main(values: flags.FlagValues) -> str:
    """Generates, inverts and compares; returns Markdown."""
    side, first = values["pixels"].value, values["first"].value
    run = edge.path(values, "run")
    generator, _ = restore_generator(run, values["dtype"].value)
    plane = Plane.from_generator(generator, run)
    textures = range(first, first + values["pictures"].value)
    known = {str(t): texture_features.features([plane.window(side, side, seed=KNOWN + t, texture=t)]) for t in textures}
    lines = ["| texture | found | its distance, of the nearest other's | own window's | to the picture | floor | s |"]
    lines.append("|---|---|---|---|---|---|---|")
    names: list[tuple[bool, bool, bool]] = []
    page = []
    for texture in textures:
        given = plane.window(side, side, seed=GIVEN + texture, texture=texture)
        began = time.perf_counter()
        found = invert(generator, given, known=plane.names.values())
        seconds = time.perf_counter() - began
        shown = plane.window(side, side, seed=SHOWN + texture, texture=found.vector)
        name, share = _against(shown, known, str(texture))
        own, own_share = _against(plane.window(side, side, seed=SHOWN + texture, texture=texture), known, str(texture))
        names.append((name == str(texture), share <= NEARLY, own == str(texture)))
        lines.append(
            f"| {texture} | {name} | {share:.2f} | {own_share:.2f} | {found.distance:.2f} | {found.floor:.2f} "
            f"| {seconds:.0f} |"
        )
        page += [given, shown]
    if values["sheet"].value:
        images.write_png(Path(values["sheet"].value), images.sheet(page, columns=8))
    hits, nearly, own_hits = np.sum(names, axis=0)
    lines.append(
        f"\n{hits} of {len(textures)} found; {nearly} within {NEARLY:.0%} of the nearest; of the known vectors' own "
        f"windows {own_hits} are."
    )
    return "\n".join(lines)


def _against(picture: np.ndarray, known: dict[str, texture_features.Features], true: str) -> tuple[str, float]:
    """The known texture nearest to a picture, and the true one's distance divided by the nearest other one's."""
    name, distances = texture_metrics.nearest(picture, known)
    return name, distances[true] / min(value for other, value in distances.items() if other != true)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
