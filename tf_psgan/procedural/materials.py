"""Procedural materials: colours without light on them, and the maps that a renderer lights them by.

Each function draws all pictures of a material from one seed: by name "colour" and "normal", uint8 [height, width, 3],
and "height", "roughness" and "occlusion", uint8 [height, width]. The lattice is exact (`catalogue.MATERIALS`).
"""

import numpy as np

from tf_psgan.procedural.brushes import (
    MARGIN,
    Canvas,
    blur,
    box_distance,
    develop,
    mix,
    normals,
    paint,
    palette,
    pick,
    ramp,
    running_bond,
)

RELIEF = 8.0
"""Height in pixels from black to white of a height map."""


def setts(seed: int, height: int, width: int) -> dict[str, np.ndarray]:
    """Granite setts in courses of 32 pixels, stones of 48, with sand between them."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows, cols = canvas.rows + 0.8 * canvas.noise(24, 2), canvas.cols + 0.8 * canvas.noise(24, 2)
    i, j, down, right = running_bond(rows, cols, 32, 48)
    mine = pick(table, i, j)
    down, right = down + 1.6 * (mine[..., 0] - 0.5), right + 2.0 * (mine[..., 1] - 0.5)
    inside = box_distance(down, right, 13.2, 21.0, corner=5.0) + 1.1 * canvas.noise(9, 3)
    body = ramp(-0.6, 0.8, inside)
    chisel, speckle = canvas.noise(7, 3), canvas.noise(2.4, 2)
    tilt = 0.03 * ((mine[..., 2] - 0.5) * down + (mine[..., 3] - 0.5) * right)
    stone = 5.2 * ramp(-0.8, 7.5, inside) ** 0.6 + 0.9 * chisel + tilt * body + 0.8 * (mine[..., 4] - 0.5)
    sand = 0.9 + 0.5 * canvas.noise(3, 2)
    surface = mix(sand, stone + 0.8, body)
    granite = palette("4f5157 6d6e72 8a8886 a59f98 b9ab9f", 0.2 + 0.55 * mine[..., 5] + 0.2 * chisel)
    crystals = palette("26272b 8d8985 e4dfd8", 0.5 + 0.75 * speckle)
    granite = paint(granite, crystals, 0.45 * ramp(0.1, 0.6, np.abs(speckle)))
    grit = palette("6f6250 96866c b8a98c", 0.5 + 0.6 * canvas.noise(2.6, 2))
    colour = paint(grit, granite, body)
    worn = ramp(3.5, 6.5, surface)
    roughness = mix(
        0.93 + 0.05 * canvas.noise(4), 0.72 - 0.3 * worn * (0.4 + 0.6 * mine[..., 6]) + 0.14 * speckle, body
    )
    occlusion = np.exp(-0.28 * np.maximum(blur(surface, 4) - surface, 0))
    slope = normals(surface)
    # OpenGL's convention: red to the right, green up the picture, blue out of it.
    normal = 0.5 + 0.5 * np.stack([slope[..., 1], -slope[..., 0], slope[..., 2]], axis=-1)
    return {
        "colour": develop(canvas, colour, grain=1.0, uneven=0.0),
        "normal": _stored(normal),
        "height": _stored(surface / RELIEF),
        "roughness": _stored(roughness),
        "occlusion": _stored(occlusion),
    }


def _stored(values: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 as uint8, without the margin."""
    inner = values[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return np.clip(np.rint(255 * inner), 0, 255).astype(np.uint8)
