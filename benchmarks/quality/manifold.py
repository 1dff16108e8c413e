"""What a model of many textures has learned: every source, random textures, and the ways between two textures.

  python benchmarks/quality/manifold.py --run=runs/many [--textures=64] [--pixels=256] [--pairs=8] [--steps=8]
                                [--sheet=samples.png] [--morphs=morphs.png] [--json=figures.json]

Sources: a window of each one's own texture is held against it. Distance is the mean of the distances of `metrics.py`,
each over what chance alone makes of two windows of one texture (`metrics.CHANCE`): about 1 is the same texture. Right
is a window whose nearest source is its own. In a run with --conditioning=class texture N is the N-th source; in
another one the nearest of the random textures stands for it, the choice that a person would make by hand.

Random textures are global vectors 1, 2, 3, ...; in a run with --conditioning=class blends of two sources' textures,
sources and weight drawn at random. Each is held against every source: the nearest by `metrics.nearest`, sure where its
distance is at most 0.8 of the second nearest one's; and `metrics.uniformity` against that source, 0.4 or more for one
texture all over.

Morphs go from texture to texture in equal steps of the weight, over one window of one plane. Evenness is the longest
step over the mean step, by the same distance: 1 is perfectly even, --steps is one jump with rest before and after.
Detour is the length of all steps over the distance of the ends: 1 is straight. Beside them stands a cross-fade of the
two end pictures' pixels, which is even for certain and shows both at once.
"""

import dataclasses
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.data import images, manifest
from tf_psgan.evaluation import evaluator, texture_features, texture_metrics
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.loading import load_plane
from tf_psgan.rendering.texture_inversion import distance
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.signal_processing import central_crop

USAGE = "Judges every source, random textures and morphs of a run of many textures."
SURE, UNIFORM = 0.8, 0.4
COLUMNS = 8


def define(values: flags.FlagValues) -> None:
    """The run, how many pictures, how large, and the files to write."""
    flags.DEFINE_string("run", None, "A run's folder.", flag_values=values)
    flags.DEFINE_integer("textures", 64, "Random textures to look at.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("pixels", 256, "Side of each picture.", lower_bound=128, flag_values=values)
    flags.DEFINE_integer("pairs", 8, "Morphs between two textures.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("steps", 8, "Steps of a morph.", lower_bound=2, flag_values=values)
    flags.DEFINE_string("sheet", "", "Where to write the sources' textures and the random ones.", flag_values=values)
    flags.DEFINE_string("morphs", "", "Where to write the morphs, one a row.", flag_values=values)
    flags.DEFINE_string("json", "", "Where to write all figures.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Makes and judges the pictures; Markdown."""
    found = Manifold(edge.path(values, "run"), values["textures"].value, values["pixels"].value)
    morphs = found.morphs(values["pairs"].value, values["steps"].value)
    if values.sheet:
        images.write_png(Path(values.sheet), images.sheet([*found.own, *found.random], COLUMNS))
    if values.morphs:
        strips = [picture for morph in morphs for picture in morph.pictures]
        images.write_png(Path(values.morphs), images.sheet(strips, len(morphs[0].pictures)))
    figures = found.figures() | morph_figures(morphs)
    if values["json"].value:
        Path(values["json"].value).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return to_markdown(figures)


@dataclasses.dataclass(frozen=True)
class Morph:
    """A way between two textures: its pictures and what its steps are like."""

    pictures: Sequence[np.ndarray]
    evenness: float
    detour: float
    faded_evenness: float


class Manifold:
    """A run's sources and pictures, and what they score."""

    def __init__(self, run: Path, textures: int, side: int) -> None:
        entries = manifest.check(RunFolder(run).read_manifest(), side).usable
        self.names = [Path(entry.path).stem for entry in entries]
        self.sources = [central_crop(manifest.read(entry), evaluator.SOURCE_PIXELS) for entry in entries]
        self._known = {str(i): texture_features.features([source]) for i, source in enumerate(self.sources)}
        self.told = RunFolder(run).read_config().training.conditioning == "class"
        self._plane, self._side = load_plane(run), side
        drawn = self._blends(textures) if self.told else [texture_fields.Uniform(i) for i in range(1, textures + 1)]
        self.random = [self._window(i, field) for i, field in enumerate(drawn)]
        self.textures = list(range(len(entries))) if self.told else [1 + i for i in self._nearest_random()]
        self.own = [self._window(i, texture_fields.Uniform(texture)) for i, texture in enumerate(self.textures)]

    def figures(self) -> dict[str, Any]:
        """Each source's and the random textures' figures."""
        rows = []
        for i, (name, picture) in enumerate(zip(self.names, self.own, strict=True)):
            apart = distance(texture_metrics.distances(self._known[str(i)], texture_features.features([picture])))
            right = texture_metrics.nearest(picture, self._known)[0] == str(i)
            row = {"source": name, "texture": self.textures[i], "distance": apart, "right": right, "nearest_of": 0}
            rows.append(row)
        sure, uniform = 0, []
        for picture in self.random:
            name, far = texture_metrics.nearest(picture, self._known)
            first, second = [*sorted(far.values()), np.inf][:2]
            sure += int(first <= SURE * second)
            uniform.append(texture_metrics.uniformity(picture, [self.sources[int(name)]]))
            rows[int(name)]["nearest_of"] += 1
        return {
            "conditioning": "class" if self.told else "none",
            "sources": rows,
            "mean_distance": float(np.mean([row["distance"] for row in rows])),
            "median_distance": float(np.median([row["distance"] for row in rows])),
            "right": sum(row["right"] for row in rows),
            "random": len(self.random),
            "covered": sum(row["nearest_of"] > 0 for row in rows),
            "sure": sure,
            "uniform": int(np.sum(np.array(uniform) >= UNIFORM)),
            "median_uniformity": float(np.median(uniform)),
        }

    def morphs(self, pairs: int, steps: int) -> list[Morph]:
        """Ways between textures drawn from the sources' own, two different ones each where there are two."""
        rng = np.random.default_rng(0)
        ends = [rng.permutation(self.textures)[:2] for _ in range(pairs)]
        return [self._morph(int(pair[0]), int(pair[-1]), steps) for pair in ends]

    def _morph(self, a: int, b: int, steps: int) -> Morph:
        weights = np.linspace(0.0, 1.0, steps + 1).tolist()
        mixes = [texture_fields.Mix(((a, 1.0 - weight), (b, weight))) for weight in weights]
        shown = [self._window(1, mix) for mix in mixes]
        faded = [np.rint((1.0 - w) * shown[0] + w * shown[-1]).astype(np.uint8) for w in weights]
        return Morph(shown, *_steps(shown), _steps(faded)[0])

    def _window(self, seed: int, field: texture_fields.Mix) -> np.ndarray:
        return self._plane.render(Scene(seed, field), self._side, self._side)

    def _blends(self, count: int) -> list[texture_fields.Mix]:
        """Points of random weight between two random sources' textures."""
        rng, weights = np.random.default_rng(1), np.random.default_rng(2).random(count).tolist()
        ends = [rng.permutation(len(self.sources)) for _ in weights]
        return [texture_fields.Mix(((int(e[0]), 1.0 - w), (int(e[-1]), w))) for e, w in zip(ends, weights, strict=True)]

    def _nearest_random(self) -> list[int]:
        """For each source the place of the random texture nearest to it."""
        made = [texture_features.features([picture]) for picture in self.random]
        return [int(np.argmin([distance(texture_metrics.distances(f, m)) for m in made])) for f in self._known.values()]


def morph_figures(morphs: Sequence[Morph]) -> dict[str, Any]:
    """Medians over the morphs, and the worst."""
    evenness = [morph.evenness for morph in morphs]
    return {
        "morphs": len(morphs),
        "steps": len(morphs[0].pictures) - 1,
        "evenness": float(np.median(evenness)),
        "worst_evenness": float(np.max(evenness)),
        "detour": float(np.median([morph.detour for morph in morphs])),
        "faded_evenness": float(np.median([morph.faded_evenness for morph in morphs])),
    }


def to_markdown(figures: dict[str, Any]) -> str:
    """The figures as a table and three lines."""
    rows = figures["sources"]
    lines = ["| source | texture | distance | right | nearest of |", "|---|---|---|---|---|"]
    for row in rows:
        right = "yes" if row["right"] else "no"
        lines.append(f"| {row['source']} | {row['texture']} | {row['distance']:.2f} | {right} | {row['nearest_of']} |")
    lines += [
        "",
        f"Sources: mean distance {figures['mean_distance']:.2f}, median {figures['median_distance']:.2f}; "
        f"{figures['right']} of {len(rows)} textures are nearest to their own.",
        f"Random textures: {figures['random']} cover {figures['covered']} of {len(rows)} sources; {figures['sure']} "
        f"surely one source's; {figures['uniform']} one texture all over (median uniformity "
        f"{figures['median_uniformity']:.2f}).",
        f"Morphs: {figures['morphs']} of {figures['steps']} steps; evenness {figures['evenness']:.2f} in the median, "
        f"{figures['worst_evenness']:.2f} at worst, of pixels cross-faded {figures['faded_evenness']:.2f}; detour "
        f"{figures['detour']:.2f}.",
    ]
    return "\n".join(lines)


def _steps(pictures: Sequence[np.ndarray]) -> tuple[float, float]:
    """Evenness and detour of a way."""
    features = [texture_features.features([picture]) for picture in pictures]
    steps = [distance(texture_metrics.distances(a, b)) for a, b in itertools.pairwise(features)]
    ends = distance(texture_metrics.distances(features[0], features[-1]))
    return max(steps) / max(float(np.mean(steps)), 1e-9), sum(steps) / max(ends, 1e-9)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
