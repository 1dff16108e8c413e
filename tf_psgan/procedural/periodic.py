"""Procedural textures on a lattice: honeycomb, brick, weave, scales, tiles, knit, plate, herringbone.

Each function draws one picture, uint8 [height, width, 3], from a seed. The lattice is exact (`catalogue.TEXTURES` lists
the periods); every element differs in shape, colour and light.
"""

import numpy as np

from tf_psgan.procedural.brushes import (
    Canvas,
    box_distance,
    cells,
    develop,
    glint,
    gradient_noise,
    light,
    mix,
    paint,
    palette,
    pick,
    ramp,
    rgb,
    running_bond,
)

HEXAGONS = ((18 * 3**0.5, 18.0), (0.0, 36.0))


def honeycomb(seed: int, height: int, width: int) -> np.ndarray:
    """Wax cells, 36 pixels apart, filled with more or less honey."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows = canvas.rows + 0.9 * canvas.noise(23)
    cols = canvas.cols + 0.9 * canvas.noise(23)
    cell = cells(table, rows, cols, HEXAGONS, jitter=1.0, roundness=1.5)
    mine = pick(table, cell.i, cell.j)
    thick = 2.3 + 0.5 * canvas.noise(14) + 0.5 * (mine[..., 2] - 0.5)
    rim = ramp(thick + 0.9, thick - 0.5, cell.wall)
    full = 0.75 * mine[..., 3] + 0.25 * ramp(-0.5, 0.5, canvas.noise(120))
    depth = 9 - 5 * full
    pit = ramp(thick - 0.8, thick + 5.5, cell.wall)
    surface = -depth * pit + 0.8 * np.sqrt(rim) + 0.25 * canvas.noise(4, 2) * rim
    wax = palette("b97a26 e3b45c f4d893", 0.5 + 0.8 * canvas.noise(9, 3))
    wax = paint(wax, rgb("7a4a14"), 0.5 * ramp(0.2, 0.9, canvas.noise(30, 2)))
    tone = 0.12 + 0.7 * full + 0.35 * (mine[..., 4] - 0.5) + 0.12 * canvas.noise(8, 2)
    honey = palette("3a1503 7c3606 b8640c e39a1e f3bd45", tone)
    # Light that went through the wax walls comes back out of the honey on the side away from the sun.
    across = (cell.down + cell.right) / 25
    glow = 0.75 + 0.7 * np.clip(across, -0.8, 1.2) * (0.5 + full) + 0.35 * ramp(12, 4, cell.wall)
    honey = honey * glow[..., np.newaxis]
    colour = paint(honey, wax, ramp(0.15, 0.85, rim + 0.35 * ramp(7, 2, cell.wall)))
    colour = colour * light(surface, ambient=0.5, crevice=0.10, shadow=6)[..., np.newaxis]
    swell = 0.8 * canvas.noise(12) + 1.5 * (mine[..., 5] - 0.5)
    spot_down = cell.down + 6.0 + 4 * (mine[..., 6] - 0.5) + swell
    spot_right = cell.right + 5.5 + 5 * (mine[..., 7] - 0.5)
    along = (spot_down - spot_right) / 1.4
    over = (spot_down + spot_right) / 1.4 + 0.05 * along**2
    spot = np.exp(-((along / 4.0) ** 2) - (over / 1.5) ** 2) * ramp(0.15, 0.8, mine[..., 5] * (0.4 + full)) * (1 - rim)
    shine = 0.75 * spot + 0.16 * rim * glint(surface, 12) + 0.05 * ramp(6, 3, cell.wall) * ramp(0, 1, across)
    return develop(canvas, colour + shine[..., np.newaxis] * rgb("fff3d8"))


def brick(seed: int, height: int, width: int) -> np.ndarray:
    """A running bond of red bricks: courses of 20 pixels, bricks of 56."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows, cols = canvas.rows + 0.6 * canvas.noise(18, 2), canvas.cols + 0.6 * canvas.noise(18, 2)
    i, j, down, right = running_bond(rows, cols, 20, 56)
    mine = pick(table, i, j)
    down, right = down + 0.8 * (mine[..., 0] - 0.5), right + 1.6 * (mine[..., 1] - 0.5)
    inside = box_distance(down + 0.02 * (mine[..., 2] - 0.5) * right, right, 8.3, 26.2, corner=2.0)
    inside = inside + 0.7 * canvas.noise(7, 3)
    body = ramp(-0.7, 0.7, inside)
    rough = canvas.noise(6, 3)
    pits = ramp(0.45, 0.7, canvas.noise(5, 2)) * body
    surface = 2.6 * ramp(-0.8, 2.2, inside) + 0.45 * rough + 0.5 * canvas.noise(3) * (1 - body) - 0.9 * pits
    tone = 0.15 + 0.7 * mine[..., 3] ** 1.3 + 0.18 * canvas.noise(16, 3)
    clay = palette("5a2e28 7c3c31 93493a a5604b b27c63", tone)
    clay = paint(clay, rgb("4a3836"), 0.55 * ramp(0.86, 0.95, mine[..., 4]) * ramp(-0.6, 0.5, canvas.noise(20, 2)))
    clay = paint(clay, rgb("cdb5a3"), 0.35 * ramp(0.2, 0.9, canvas.noise(12, 3)))
    mortar = palette("8f877c aba396 c2bbae", 0.5 + 0.5 * canvas.noise(5, 3))
    colour = paint(mortar, clay, body) * (1 + 0.16 * canvas.noise(2.2))[..., np.newaxis]
    return develop(canvas, colour * light(surface, crevice=0.25)[..., np.newaxis])


def weave(seed: int, height: int, width: int) -> np.ndarray:
    """Straw strips, 22 pixels wide, that go over and under each other."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows, cols = canvas.rows + 0.8 * canvas.noise(30), canvas.cols + 0.8 * canvas.noise(30)
    i, j = np.floor(rows / 22).astype(np.int64), np.floor(cols / 22).astype(np.int64)
    down, right = rows / 22 - i - 0.5, cols / 22 - j - 0.5
    up = np.where((i + j) % 2 == 0, 1.0, -1.0)
    lying = pick(table, i, 0 * j) + 0.25 * (pick(table, i, (j + i) // 2) - 0.5)
    standing = pick(table, j, 0 * i + 7) + 0.25 * (pick(table, j, (i + j + 1) // 2 + 40) - 0.5)

    def strip(across: np.ndarray, along: np.ndarray, side: np.ndarray, mine: np.ndarray, fibre: np.ndarray) -> tuple:
        across = across + 0.06 * (mine[..., 0] - 0.5)
        edge = 0.455 + 0.03 * (mine[..., 1] - 0.5)
        surface = 3.0 * side * np.cos(np.pi * along) - 9 * across**2 + 0.35 * fibre
        surface = surface - 1.1 * np.exp(-(((np.abs(across) - 0.17) / 0.025) ** 2))
        tone = 0.25 + 0.5 * mine[..., 2] + 0.35 * fibre + 0.15 * canvas.noise(25, 2)
        colour = palette("8d7a4c b5a26c d0c18d e3d8ab efe8c8", tone)
        return np.where(np.abs(across) < edge, surface, -7.0), colour

    flat, flat_colour = strip(down, right, up, lying, canvas.noise((2.5, 50), 2))
    tall, tall_colour = strip(right, down, -up, standing, canvas.noise((50, 2.5), 2))
    surface = np.maximum(np.maximum(flat, tall), -6.5)
    colour = paint(flat_colour, tall_colour, ramp(-0.4, 0.4, tall - flat))
    colour = paint(colour, rgb("3a2d18"), ramp(-4.0, -6.5, surface))
    bright = light(surface, ambient=0.4, crevice=0.16)[..., np.newaxis]
    return develop(canvas, 0.92 * colour * bright + 0.10 * glint(surface, 20)[..., np.newaxis])


def scales(seed: int, height: int, width: int) -> np.ndarray:
    """A lizard's scales, 32 pixels apart, each row half covering the next, 20 pixels below."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows, cols = canvas.rows + 1.2 * canvas.noise(40), canvas.cols + 1.2 * canvas.noise(40)
    surface = np.full_like(rows, -9.0)
    colour = np.zeros((*rows.shape, 3))
    skin = canvas.noise(7, 3)
    blotch = canvas.noise(70, 2)
    top = np.floor(rows / 20).astype(np.int64)
    for i in (top, top - 1, top - 2):
        j = np.rint((cols - 16 * (i % 2)) / 32).astype(np.int64)
        mine = pick(table, i, j)
        down = rows - 20 * i + 1.6 * (mine[..., 0] - 0.5)
        right = cols - 16 * (i % 2) - 32 * j + 1.4 * (mine[..., 1] - 0.5)
        long = 40 + 1.5 * (mine[..., 2] - 0.5)
        tip = long * (1 - np.minimum(np.abs(right) / 17.2, 1) ** 2.2) ** 0.62
        inside = (tip - down) * 0.8
        keel = np.exp(-np.abs(right) / 1.6) * ramp(4, 14, down)
        bulge = 0.17 * down - 0.016 * right**2 + 1.1 * keel + 0.25 * skin
        bulge = bulge - 3.2 * ramp(3.2, 0, inside) + 0.5 * (mine[..., 3] - 0.5)
        tone = 0.34 + 0.32 * (mine[..., 4] - 0.5) + 0.16 * skin + 0.22 * blotch + 0.012 * (down - 20)
        tint = palette("12200f 2c4a1d 4b7429 7b9c3d b9c46b", tone)
        tint = paint(tint, rgb("d8cf92"), 0.55 * ramp(3.6, 1.2, inside) * ramp(-0.6, 0.2, inside))
        # Rows further up lie on top: they are drawn last.
        on = ramp(-0.6, 0.6, inside)
        surface, colour = mix(surface, bulge, on), paint(colour, tint, on)
    bright = light(surface, ambient=0.4, crevice=0.2, shadow=5)[..., np.newaxis]
    shine = 0.20 * glint(surface, 26) * (1 + 0.5 * skin)
    return develop(canvas, colour * bright + shine[..., np.newaxis] * rgb("e9f2dc"))


def tiles(seed: int, height: int, width: int) -> np.ndarray:
    """A mosaic of glazed blue tiles, 28 pixels apart."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(10)
    rows, cols = canvas.rows, canvas.cols
    i, j = np.floor(rows / 28).astype(np.int64), np.floor(cols / 28).astype(np.int64)
    mine = pick(table, i, j)
    down = rows - 28 * i - 14 + 1.0 * (mine[..., 0] - 0.5)
    right = cols - 28 * j - 14 + 1.0 * (mine[..., 1] - 0.5)
    turn = 0.06 * (mine[..., 2] - 0.5)
    down, right = down + turn * right, right - turn * down
    inside = box_distance(down, right, 12.1, 12.1, corner=2.5) + 0.35 * canvas.noise(9, 2)
    body = ramp(-0.6, 0.6, inside)
    swell = 0.5 * canvas.noise(17, 2)
    tilt = 0.09 * ((mine[..., 3] - 0.5) * down + (mine[..., 4] - 0.5) * right)
    surface = 3.2 * np.sqrt(ramp(-0.5, 4.5, inside)) + tilt + swell + 0.5 * canvas.noise(3, 2) * (1 - body)
    tone = 0.14 + 0.6 * mine[..., 5] + 0.12 * canvas.noise(9, 3) - 0.25 * ramp(4, 0, inside)
    glaze = palette("0b1c4a 14357c 1f57a8 3c86c4 86bcd9", tone)
    cracks = ramp(0.03, 0.0, np.abs(canvas.noise(16, 2))) * (mine[..., 6] > 0.6)
    glaze = paint(glaze, rgb("0c1a38"), 0.4 * cracks)
    grout = palette("8c8f8e a9aba8 c3c4bf", 0.5 + 0.6 * canvas.noise(4, 3))
    colour = paint(grout, glaze, body) * light(surface, ambient=0.5, crevice=0.25)[..., np.newaxis]
    window = glint(surface + 0.15 * canvas.noise(6), 60) * (0.35 + 0.8 * mine[..., 7])
    return develop(canvas, colour + (0.75 * body * window)[..., np.newaxis] * rgb("eef5ff"))


def knit(seed: int, height: int, width: int) -> np.ndarray:
    """Plum wool in stocking stitch: columns of 28 pixels, rows of 22."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows, cols = canvas.rows + 0.9 * canvas.noise(26), canvas.cols + 0.9 * canvas.noise(26)
    surface = np.full_like(rows, -6.0)
    colour = np.zeros((*rows.shape, 3)) + rgb("1a0a16")
    fuzz = canvas.noise((3, 2.5), 2)
    dye = canvas.noise(45, 2)
    j = np.floor(cols / 28).astype(np.int64)
    for step in (2, 1, 0, -1):
        i = np.floor(rows / 22).astype(np.int64) + step
        for side in (-1, 1):
            mine = pick(table, 2 * i + (side > 0), j)
            down = rows - 22 * i - 11 + 1.2 * (mine[..., 0] - 0.5)
            right = cols - 28 * j - 14 - side * 6.9 + 0.9 * (mine[..., 1] - 0.5)
            # One leg of the V leans outwards at its top; it is longer than a row, so that rows interlock.
            along, across = 0.90 * down - side * 0.44 * right, 0.90 * right + side * 0.44 * down
            across = across + side * 0.012 * along**2
            shape = 1 - (along / 18.5) ** 2 - (across / 6.3) ** 2
            round_up = 7.0 * np.sqrt(np.maximum(shape, 0)) - 0.12 * down
            twist = np.cos(2 * np.pi * (along + 1.5 * side * across) / 5.2 + 6 * mine[..., 2])
            tone = 0.26 + 0.16 * mine[..., 3] + 0.08 * twist + 0.16 * fuzz + 0.08 * dye + 0.26 * ramp(0, 0.8, shape)
            on = ramp(0, 0.12, shape) * ramp(-0.8, 0.8, round_up - surface)
            surface = mix(surface, round_up + 0.55 * twist + 0.4 * fuzz, on)
            colour = paint(colour, palette("220d24 512249 83406f a96a97 cfa3c2", tone), on)
    bright = light(surface, ambient=0.42, crevice=0.13)[..., np.newaxis]
    hairs = 0.05 * ramp(0.35, 0.8, canvas.noise((6, 3), 2) + canvas.noise((3, 8)))
    return develop(canvas, colour * bright + hairs[..., np.newaxis] * rgb("e2b9d6"))


def plate(seed: int, height: int, width: int) -> np.ndarray:
    """Steel with raised bars that point at each other's sides; equal bars are 40 pixels apart."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(6)
    apart = 20 * 2**0.5
    turned_rows, turned_cols = (canvas.rows - canvas.cols) / 2**0.5, (canvas.rows + canvas.cols) / 2**0.5
    i, j = np.rint(turned_rows / apart).astype(np.int64), np.rint(turned_cols / apart).astype(np.int64)
    mine = pick(table, i, j)
    down = turned_rows - apart * i + 0.7 * (mine[..., 0] - 0.5)
    right = turned_cols - apart * j + 0.7 * (mine[..., 1] - 0.5)
    lying = (i + j) % 2 == 0
    along, across = np.where(lying, right, down), np.where(lying, down, right)
    lens = 5.0 * (1 - (along / 14.5) ** 2) - np.abs(across) + 0.15 * canvas.noise(6, 2)
    surface = 2.6 * ramp(-1.0, 3.4, lens) + 0.35 * canvas.noise(40) + 0.10 * canvas.noise(3, 2)
    drag = 0.4 * canvas.rows + canvas.cols
    scratches = ramp(0.5, 1.0, 1.4 * gradient_noise(canvas.rng, (canvas.rows - 0.4 * canvas.cols) / 1.9, drag / 45))
    dirt = ramp(0.0, 1.1, canvas.noise(24, 4) + 0.8 * ramp(1.2, -0.8, lens) * ramp(-4.0, -0.5, lens))
    steel = palette("4b5056 6c7278 8d9297 a9adaf", 0.55 + 0.3 * canvas.noise(12, 4) + 0.15 * canvas.noise(2.5))
    steel = paint(steel, rgb("39342e"), 0.6 * dirt)
    worn = ramp(1.0, 3.8, lens) * (0.6 + 0.5 * mine[..., 2])
    steel = paint(steel, rgb("c9ccd0"), 0.5 * worn + 0.14 * scratches)
    bright = light(surface, ambient=0.45, crevice=0.2, shadow=5)
    shine = 0.5 * glint(surface, 24) * ramp(-1, 1, lens) * (1 - 0.5 * dirt)
    return develop(canvas, steel * bright[..., np.newaxis] + shine[..., np.newaxis])


def herringbone(seed: int, height: int, width: int) -> np.ndarray:
    """Rose and cream tweed: bands of 24 pixels, whose twill of 12 pixels turns from band to band."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(6)
    rows, cols = canvas.rows + 0.7 * canvas.noise(28), canvas.cols + 0.7 * canvas.noise(28)
    band = np.floor(cols / 24).astype(np.int64)
    right = cols - 24 * band
    slanted = rows + np.where(band % 2 == 0, right, 24 - right)
    line = np.floor(slanted / 6).astype(np.int64)
    # Threads cross the slant in short floats; each is a small bulge.
    thread = np.floor(right / 4).astype(np.int64)
    mine = pick(table, line + 31 * band, thread)
    over = slanted / 6 - line - 0.5
    beside = right / 4 - thread - 0.5
    fuzz = canvas.noise((2.6, 2.6), 2)
    surface = 1.8 * np.cos(np.pi * over) + 0.9 * np.cos(np.pi * beside) + 0.5 * fuzz + 0.7 * (mine[..., 0] - 0.5)
    rose = palette("5a1626 8c2a40 b24a5d cc7583", 0.2 + 0.5 * mine[..., 1] + 0.2 * fuzz + 0.2 * canvas.noise(30, 2))
    cream = palette("a98f80 cfb9a8 e6d7c8 f3ebe2", 0.2 + 0.5 * mine[..., 2] + 0.2 * fuzz)
    cream = paint(cream, rgb("b9807f"), 0.7 * ramp(0.8, 0.9, mine[..., 3]))
    colour = paint(rose, cream, ramp(-0.15, 0.15, np.sin(np.pi * (slanted / 6))))
    bright = light(surface, ambient=0.35, crevice=0.5, shadow=3)[..., np.newaxis]
    hairs = 0.06 * ramp(0.4, 0.9, canvas.noise((9, 3)) + canvas.noise((3, 9)))
    return develop(canvas, colour * bright + hairs[..., np.newaxis])
