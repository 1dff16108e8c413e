"""How many of its sources a model of many textures has learned, and whether each picture is one texture all over.

  python benchmarks/manifold.py --run=runs/manifold [--textures=64] [--pixels=256] [--sheet=sheet.png]

Makes pictures of random textures (global vectors 1, 2, 3, ...). Each is held against every source: the nearest by
`metrics.nearest`, sure where its distance is at most 0.8 of the second nearest one's; and `metrics.uniformity`
against that source, 0.4 or more for one texture all over.
"""

import collections
import sys
from pathlib import Path

import numpy as np
from absl import flags

from tf_psgan import flags as edge
from tf_psgan import images, judge, manifest, metrics
from tf_psgan.run_folder import load_plane

USAGE = "Counts the sources that random textures of a run cover."
SURE, UNIFORM = 0.8, 0.4


def define(values: flags.FlagValues) -> None:
    """The run, how many pictures, how large."""
    flags.DEFINE_string("run", None, "A run's folder.", flag_values=values)
    flags.DEFINE_integer("textures", 64, "Random textures to look at.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("pixels", 256, "Side of each picture.", lower_bound=128, flag_values=values)
    flags.DEFINE_string("sheet", "", "Where to write a contact sheet.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Makes and judges the pictures; Markdown."""
    run, side = edge.path(values, "run"), values["pixels"].value
    pictures = manifest.from_json((run / "manifest.json").read_text(encoding="utf-8"))
    sources = judge.Sources.read(pictures)
    by_name = dict(zip(sources.names, sources.pictures, strict=True))
    known = {name: metrics.features([picture]) for name, picture in by_name.items()}
    plane = load_plane(run)
    samples = [plane.window(i, i, 0, 0, side, side) for i in range(1, values["textures"].value + 1)]
    counts: dict[str, list[float]] = collections.defaultdict(list)
    sure = 0
    for sample in samples:
        name, distances = metrics.nearest(sample, known)
        first, second = sorted(distances.values())[:2]
        sure += first <= SURE * second
        counts[name].append(metrics.uniformity(sample, [by_name[name]]))
    if values.sheet:
        images.write_png(Path(values.sheet), images.sheet(samples, columns=8))
    uniform = np.array([value for found in counts.values() for value in found])
    lines = ["| source | nearest of | median uniformity |", "|---|---|---|"]
    for name in known:
        found = counts.get(name, [])
        lines.append(f"| {Path(name).name} | {len(found)} | {np.median(found):.2f} |" if found else f"| {name} | 0 | |")
    lines.append(
        f"\n{len(counts)} of {len(known)} sources covered by {len(samples)} textures; {sure} surely one source's; "
        f"{int(np.sum(uniform >= UNIFORM))} one texture all over (uniformity at least {UNIFORM}, "
        f"median {np.median(uniform):.2f})."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
