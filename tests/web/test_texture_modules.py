"""The page's JavaScript makes the network's input as TensorFlow does; runs in Node.js."""

import json

import numpy as np
import pytest

from tests.support import page
from tf_psgan.latents import torus
from tf_psgan.latents.scene import Scene
from tf_psgan.latents.texture_fields import Mix, Morph
from tf_psgan.loading import Plane
from tf_psgan_web import PAGE

FAR = 2**37  # chunks; 2**43 cells of 8 pixels: beyond every window, inside the integers that a double holds

LATENTS = """
import { SceneLatents } from "%(page)s/texture/scene.js";
import { nearestFit, strain } from "%(page)s/texture/waves.js";
import { readFileSync } from "node:fs";
const [meta, jobs] = process.argv.slice(2).map((name) => JSON.parse(readFileSync(name)));
const latents = new SceneLatents(meta);
const fields = jobs.map(({ seed, weights, corners, torus, change, row, col, cells }) => {
  const textures = meta.textures.concat(meta.textures.slice(0, 1));
  const scene = { seed: BigInt(seed), textures, weights, corners, dabs: [], map: null, torus, change };
  return [...latents.latents(scene, row, col, cells, cells).data];
});
const steps = meta.textures.map((texture) => latents.steps(texture));
const strains = [[20, 30], [7, 9]].map((extent) => strain(steps[0], ...extent));
console.log(JSON.stringify({ fields, steps, strains, fit: nearestFit(steps, 33, 21) }));
"""

JOBS = {
    "origin": {},
    "negative": {"chunk": (-1, -3), "seed": -(2**63)},
    "far": {"chunk": (-FAR, FAR), "seed": 2**63 - 1},
    "a blend": {"chunk": (5, 0), "weights": (0.25, 0.25, 0.5)},
    "a morph": {"chunk": (-1, 0), "corners": {"height": 300, "width": 5000}},
    "a torus": {"torus": (33, 21)},
    "a moment of a loop": {"change": (0.375, 0.5), "seed": 9},
}


@pytest.fixture(scope="module", params=["many", "one"])
def model(request, tmp_path_factory):
    """A plane, its chunk's cells, and what JavaScript computed for JOBS."""
    plane = Plane.from_run(page.runs() / request.param, "float32", detail="none")
    description, folder = page.meta(page.runs() / f"plain_{request.param}")
    jobs = []
    for job in JOBS.values():
        row, col = (chunk * plane.chunk_cells for chunk in job.get("chunk", (0, 0)))
        weights = [*job.get("weights", (1.0, 0.0, 0.0))[: len(description["textures"])], 0.0]
        change = dict(zip(("time", "amount"), job["change"], strict=True)) if "change" in job else None
        jobs.append(
            {"seed": str(job.get("seed", 0)), "weights": weights, "torus": job.get("torus", (0, 0)), "change": change}
            | {
                "row": row,
                "col": col,
                "cells": plane.chunk_cells,
                "corners": job.get("corners") if len(description["textures"]) > 1 else None,
            }
        )
    path = tmp_path_factory.mktemp("jobs") / "jobs.json"
    path.write_text(json.dumps(jobs))
    found = json.loads(page.node(LATENTS % {"page": PAGE.as_uri()}, folder / "meta.json", path))
    return plane, [texture["vector"] for texture in description["textures"]], found


@pytest.mark.parametrize("name", JOBS)
def test_latents_are_those_of_the_plane(model, name):
    plane, vectors, found = model
    job = JOBS[name]
    if job.keys() & {"weights", "corners"} and len(vectors) == 1:
        pytest.skip("one texture has no blend")
    weights = job.get("weights", (1.0, 0.0, 0.0))[: len(vectors)]
    field = Mix(tuple(zip(map(tuple, vectors), weights, strict=True)))
    if "corners" in job:
        first, second, third = map(tuple, vectors)
        field = Morph(((first, second), (third, first)), 0, 0, **job["corners"])
    scene = Scene(job.get("seed", 0), field, *job.get("torus", (0, 0)), None, *job.get("change", ()))
    expected = plane.latents(scene, *job.get("chunk", (0, 0)))
    ours = np.asarray(found["fields"][list(JOBS).index(name)], np.float32).reshape(expected.shape)
    waves = expected.shape[-1] - 2 * plane.config.waves
    if "change" not in job:
        np.testing.assert_array_equal(ours[..., :waves], expected[..., :waves])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=3e-6 if "change" in job else 2e-7)


def test_wave_numbers_are_the_same_integers(model):
    plane, vectors, found = model
    assert found["steps"] == [plane.wave_steps(vector).tolist() for vector in vectors]


def test_tori_distort_waves_as_much_and_the_nearest_fit_is_as_near(model):
    plane, vectors, found = model
    steps = [plane.wave_steps(vector) for vector in vectors]
    expected = [float(torus.strain(steps[0], [rows], [cols])[0, 0]) for rows, cols in ((20, 30), (7, 9))]
    np.testing.assert_allclose(found["strains"], expected, rtol=1e-9)
    nearest = torus.good_extents(steps, 33, 21, count=1)
    assert (found["fit"] is None) == (nearest == [])
    if nearest:
        ours, theirs = (abs(rows - 33) + abs(cols - 21) for rows, cols in (found["fit"], nearest[0]))
        assert ours == theirs and max(float(torus.strain(k, *([n] for n in found["fit"]))[0, 0]) for k in steps) <= 1


LIGHT = """
import { weightsFromLight } from "%(page)s/ui/light.js";
const weigh = (levels, textures) =>
  weightsFromLight(Uint8ClampedArray.from(levels.flatMap((level) => [level, level, level, 255])), textures);
const many = [weigh([20, 70, 120], 3), weigh([100, 100], 2)];
console.log(JSON.stringify(many.map((weights) => weights.map((weight) => [...weight]))));
"""


def test_the_darkest_cell_has_the_first_texture_and_the_lightest_the_last():
    three, even = json.loads(page.node(LIGHT % {"page": PAGE.as_uri()}))
    np.testing.assert_allclose(three, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(even, [[155 / 255] * 2, [100 / 255] * 2], atol=1e-6)
