"""Makes the pictures in docs/images/ from runs of flags/honeycomb.cfg, manifold.cfg and setts.cfg.

python docs/make_pictures.py --honeycomb=runs/honeycomb --manifold=runs/manifold --setts=runs/setts
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tf_psgan import Plane
from tf_psgan.data import images
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.rendering.composition import compose, wang_tiles
from tf_psgan.rendering.spec import RenderSpec, Tile, Window

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
TEXTURES = ("honeycomb", "knit", "pebbles", "scales", "brick", "plate")


def honeycomb(plane: Plane) -> np.ndarray:
    """The picture that was learned, and a window far from the origin of what it became."""
    source = images.decode(ROOT / "textures/honeycomb.png")
    return images.sheet([source, plane.window(384, 960, top=100_000, left=100_000)], 2, gap=16)


def local(plane: Plane) -> np.ndarray:
    """One lattice, three times of a loop of the local noise."""
    scene = Scene(seed=1, amount=0.3)
    return images.sheet([plane.render(dataclasses.replace(scene, time=t), 256, 256) for t in (0, 1 / 3, 2 / 3)], 3)


def periodic(plane: Plane) -> np.ndarray:
    """The window's waves, as grey, and the picture that they hold in place."""
    side, scene = plane.pixels_per_cell, Scene(seed=1)
    waves = plane.latents(scene, 0, 0)[2:18, 2:18, -2 * plane.config.waves :][..., : plane.config.waves]
    grey = np.repeat(np.repeat((127.5 * (waves + 1)).astype(np.uint8), side, axis=0), side, axis=1)
    shown = [np.repeat(grey[..., i : i + 1], 3, axis=-1) for i in range(grey.shape[-1])]
    return images.sheet([*shown, plane.render(scene, 256, 256)], 3)


def different(plane: Plane) -> np.ndarray:
    """The same noise and the same phases under the global vectors of six pictures."""
    return images.sheet([plane.window(256, 256, seed=1, texture=texture) for texture in TEXTURES], 3)


def tile(plane: Plane) -> np.ndarray:
    """An exact tile, and the tile repeated."""
    one = plane.tile(192, 176, seed=2)
    return images.sheet([one, np.tile(one, (2, 3, 1))], 2, gap=24)


def wang(plane: Plane) -> np.ndarray:
    """A wall of Wang tiles, laid at random so that edges agree."""
    tiles = wang_tiles(compose(RenderSpec(window=Window(height=128, width=176), tile=Tile(edges="all")), plane))
    by_edges = {tile.scene.edges: tile for row in tiles for tile in row}
    random = np.random.default_rng(0)
    across, down = random.integers(0, 2, (5, 5)), random.integers(0, 2, (4, 6))
    rows = []
    for i in range(4):
        edges = [(int(across[i, j]), int(down[i, j + 1]), int(across[i + 1, j]), int(down[i, j])) for j in range(5)]
        rows.append(np.concatenate([plane.render(by_edges[e].scene, 128, 176) for e in edges], axis=1))
    return np.concatenate(rows)


def morph(plane: Plane) -> np.ndarray:
    """Four textures at the corners."""
    field = texture_fields.Morph(((TEXTURES[0], TEXTURES[3]), (TEXTURES[1], TEXTURES[2])), 0, 0, 768, 768)
    return plane.render(Scene(3, field), 768, 768)


def painting(plane: Plane) -> np.ndarray:
    """A map of three colours, and what was painted by it."""
    page = Image.new("RGB", (384, 384), (0, 0, 255))
    draw = ImageDraw.Draw(page)
    draw.ellipse((60, 40, 330, 340), (255, 0, 0))
    draw.polygon([(0, 384), (150, 200), (384, 300), (384, 384)], (0, 255, 0))
    labels = np.asarray(page).argmax(axis=-1)
    palette = (TEXTURES[3], TEXTURES[2], TEXTURES[0])
    field = texture_fields.Painting(labels, palette, border=32, top=0, left=0, height=384, width=384)
    return images.sheet([np.asarray(page), plane.render(Scene(3, field), 384, 384)], 2)


def material(run: str) -> np.ndarray:
    """One window of a material: its colours and its maps."""
    planes = [Plane.from_run(run, map=name) for name in ("colour", "normal", "height", "roughness")]
    return images.sheet([plane.window(256, 256, seed=1) for plane in planes], 4)


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--honeycomb", required=True, help="a run of flags/honeycomb.cfg")
    parser.add_argument("--manifold", required=True, help="a run of flags/manifold.cfg")
    parser.add_argument("--setts", required=True, help="a run of flags/setts.cfg")
    asked = parser.parse_args()
    one, many = Plane.from_run(asked.honeycomb), Plane.from_run(asked.manifold)
    for make in (honeycomb, local, periodic, tile, wang):
        images.write(IMAGES / f"{make.__name__}.jpg", make(one))
    for make in (different, morph, painting):
        images.write(IMAGES / f"{make.__name__}.jpg", make(many))
    images.write(IMAGES / "material.jpg", material(asked.setts))


if __name__ == "__main__":
    main()
