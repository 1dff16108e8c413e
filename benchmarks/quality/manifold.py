"""Evaluates a model of many textures: the texture of every source, random textures, and paths between two textures.

  python benchmarks/quality/manifold.py --run=runs/many [--textures=64] [--pixels=256] [--pairs=8] [--steps=8]
                                [--sheet=samples.png] [--morphs=morphs.png] [--json=manifold.json]

Sources: each source is compared with a window of its own texture. The distance is the mean of the distances of
`texture_metrics`, each divided by the distance between two windows of the same texture (`CHANCE`): about 1 means the
same texture. A window is right if its nearest source is its own. With --conditioning=class texture N is the N-th
source; without conditioning the nearest of the random textures represents the source, as in a manual selection.

Random textures are the global vectors 1, 2, 3, ...; with --conditioning=class they are blends of two sources' textures
with random sources and weight. Each is compared with every source. `texture_metrics.nearest` finds the nearest source;
the result is sure if its distance is at most 0.8 of that of the second nearest source. A texture is uniform if
`texture_metrics.uniformity` against the nearest source is at least 0.4.

Morphs lead from one texture to another in equal steps of the weight, in one window of one plane. Evenness is the
longest step divided by the mean step, measured by the same distance: 1 is perfectly even, --steps is a single jump.
Detour is the sum of all steps divided by the distance of the ends: 1 is straight. A cross-fade of the pixels of the two
end pictures, which is even by construction and superimposes both, is listed for comparison.
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

USAGE = "Evaluates every source, random textures and morphs of a run of many textures."
SURE, UNIFORM = 0.8, 0.4
COLUMNS = 8


def define(values: flags.FlagValues) -> None:
    """Defines flags for the run, the number and size of the pictures, and the output files."""
    flags.DEFINE_string("run", None, "A run's folder.", flag_values=values)
    flags.DEFINE_integer("textures", 64, "Random textures to evaluate.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("pixels", 256, "Side of each picture.", lower_bound=128, flag_values=values)
    flags.DEFINE_integer("pairs", 8, "Morphs between two textures.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("steps", 8, "Steps of a morph.", lower_bound=2, flag_values=values)
    flags.DEFINE_string("sheet", "", "Where to write the sources' textures and the random ones.", flag_values=values)
    flags.DEFINE_string("morphs", "", "Where to write the morphs, one a row.", flag_values=values)
    flags.DEFINE_string("json", "", "Where to write all metrics as JSON.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Generates and evaluates the pictures; returns Markdown."""
    found = Manifold(edge.path(values, "run"), values["textures"].value, values["pixels"].value)
    morphs = found.morphs(values["pairs"].value, values["steps"].value)
    if values.sheet:
        images.write_png(Path(values.sheet), images.sheet([*found.own, *found.random], COLUMNS))
    if values.morphs:
        strips = [picture for morph in morphs for picture in morph.pictures]
        images.write_png(Path(values.morphs), images.sheet(strips, len(morphs[0].pictures)))
    metrics = found.metrics() | morph_metrics(morphs)
    if values["json"].value:
        Path(values["json"].value).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    return to_markdown(metrics)


@dataclasses.dataclass(frozen=True)
class Morph:
    """A path between two textures: its pictures, evenness and detour, and the evenness of a cross-fade."""

    pictures: Sequence[np.ndarray]
    evenness: float
    detour: float
    faded_evenness: float


class Manifold:
    """A run's sources and pictures, and their metrics."""

    def __init__(self, run: Path, textures: int, side: int) -> None:
        entries = manifest.check(RunFolder(run).read_manifest(), side).usable
        self.names = [Path(entry.path).stem for entry in entries]
        self.sources = [central_crop(manifest.read(entry), evaluator.SOURCE_PIXELS) for entry in entries]
        self._known = {str(i): texture_features.features([source]) for i, source in enumerate(self.sources)}
        self.conditional = RunFolder(run).read_config().training.conditioning == "class"
        self._plane, self._side = load_plane(run), side
        drawn = (
            self._blends(textures) if self.conditional else [texture_fields.Uniform(i) for i in range(1, textures + 1)]
        )
        self.random = [self._window(i, field) for i, field in enumerate(drawn)]
        self.textures = list(range(len(entries))) if self.conditional else [1 + i for i in self._nearest_random()]
        self.own = [self._window(i, texture_fields.Uniform(texture)) for i, texture in enumerate(self.textures)]

    def metrics(self) -> dict[str, Any]:
        """The metrics of each source and of the random textures."""
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
            "conditioning": "class" if self.conditional else "none",
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
        """Paths between random pairs of the sources' textures; the two differ unless there is only one."""
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
        """Blends of the textures of two random sources with a random weight."""
        rng, weights = np.random.default_rng(1), np.random.default_rng(2).random(count).tolist()
        ends = [rng.permutation(len(self.sources)) for _ in weights]
        return [texture_fields.Mix(((int(e[0]), 1.0 - w), (int(e[-1]), w))) for e, w in zip(ends, weights, strict=True)]

    def _nearest_random(self) -> list[int]:
        """For each source the index of the random texture nearest to it."""
        made = [texture_features.features([picture]) for picture in self.random]
        return [int(np.argmin([distance(texture_metrics.distances(f, m)) for m in made])) for f in self._known.values()]


def morph_metrics(morphs: Sequence[Morph]) -> dict[str, Any]:
    """Medians over the morphs, and the largest evenness."""
    evenness = [morph.evenness for morph in morphs]
    return {
        "morphs": len(morphs),
        "steps": len(morphs[0].pictures) - 1,
        "evenness": float(np.median(evenness)),
        "worst_evenness": float(np.max(evenness)),
        "detour": float(np.median([morph.detour for morph in morphs])),
        "faded_evenness": float(np.median([morph.faded_evenness for morph in morphs])),
    }


def to_markdown(metrics: dict[str, Any]) -> str:
    """The metrics as a table, followed by three lines."""
    rows = metrics["sources"]
    lines = ["| source | texture | distance | right | nearest of |", "|---|---|---|---|---|"]
    for row in rows:
        right = "yes" if row["right"] else "no"
        lines.append(f"| {row['source']} | {row['texture']} | {row['distance']:.2f} | {right} | {row['nearest_of']} |")
    lines += [
        "",
        f"Sources: mean distance {metrics['mean_distance']:.2f}, median {metrics['median_distance']:.2f}; "
        f"{metrics['right']} of {len(rows)} textures are nearest to their own.",
        f"Random textures: {metrics['random']} cover {metrics['covered']} of {len(rows)} sources; {metrics['sure']} "
        f"surely one source's; {metrics['uniform']} uniform (median uniformity "
        f"{metrics['median_uniformity']:.2f}).",
        f"Morphs: {metrics['morphs']} of {metrics['steps']} steps; evenness {metrics['evenness']:.2f} in the median, "
        f"{metrics['worst_evenness']:.2f} at worst, of pixels cross-faded {metrics['faded_evenness']:.2f}; detour "
        f"{metrics['detour']:.2f}.",
    ]
    return "\n".join(lines)


def _steps(pictures: Sequence[np.ndarray]) -> tuple[float, float]:
    """Evenness and detour of a path."""
    features = [texture_features.features([picture]) for picture in pictures]
    steps = [distance(texture_metrics.distances(a, b)) for a, b in itertools.pairwise(features)]
    ends = distance(texture_metrics.distances(features[0], features[-1]))
    return max(steps) / max(float(np.mean(steps)), 1e-9), sum(steps) / max(ends, 1e-9)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
