"""Procedural textures without a lattice: pebbles, mud, wood, water; and a landscape, which is not a texture.

Each function draws one picture, uint8 [height, width, 3], from a seed. The landscape stands for a large photograph:
what a crop of it shows depends on its position.
"""

import numpy as np

from tf_psgan.procedural.brushes import (
    Canvas,
    blur,
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
)

# Colour in linear light [rows, cols, 3], and height in pixels [rows, cols].
Layers = tuple[np.ndarray, np.ndarray]


def pebbles(seed: int, height: int, width: int) -> np.ndarray:
    """Wet beach pebbles of many stones, about 30 pixels wide."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(8)
    rows, cols = canvas.rows + 2.0 * canvas.noise(22, 2), canvas.cols + 2.0 * canvas.noise(22, 2)
    stone = cells(table, rows, cols, ((26.0, 13.0), (0.0, 30.0)), jitter=11.0, roundness=2.0)
    mine = pick(table, stone.i, stone.j)
    dome = np.sqrt(np.clip(1 - (1 - np.minimum(stone.wall, 13) / 13) ** 2, 0, 1))
    own_rows, own_cols = canvas.rows + 400 * mine[..., 2], canvas.cols + 400 * mine[..., 3]
    speckle = gradient_noise(canvas.rng, own_rows / 2.4, own_cols / 2.4)
    turn = 2 * np.pi * mine[..., 4]
    layers = np.sin(turn) * stone.down + np.cos(turn) * stone.right + 1.5 * canvas.noise(9, 2)
    veins = ramp(0.8, 1.0, np.sin(layers * (0.25 + 0.4 * mine[..., 5]) + 9 * mine[..., 2])) * (mine[..., 6] > 0.6)
    surface = 9 * dome + 0.25 * canvas.noise(5, 2) + 0.15 * speckle
    kinds = "2f3234 4d4f50 6b6a66 8f8778 a8937a 7e6352 5a4a44 b9b2a4 d8d3c8"
    tint = palette(kinds, mine[..., 3] + 0.06 * canvas.noise(12, 3))
    tint = paint(tint * (1 + 0.35 * speckle * mine[..., 7])[..., np.newaxis], rgb("d9d5cb"), 0.5 * veins)
    colour = paint(rgb("1c1815") * np.ones_like(tint), tint, ramp(0.3, 2.2, stone.wall))
    bright = light(surface, ambient=0.38, crevice=0.14, shadow=10)
    shine = 0.22 * glint(surface, 50) * ramp(1, 3, stone.wall)
    return develop(canvas, 0.95 * colour * bright[..., np.newaxis] + shine[..., np.newaxis])


def mud(seed: int, height: int, width: int) -> np.ndarray:
    """Dried mud: plates about 46 pixels wide, cracked again into smaller ones."""
    canvas = Canvas(seed, height, width)
    table, small = canvas.table(6), canvas.table(4)
    rows, cols = canvas.rows + 4.5 * canvas.noise(30, 4), canvas.cols + 4.5 * canvas.noise(30, 4)
    plate = cells(table, rows, cols, ((46.0, 17.0), (0.0, 48.0)), jitter=20.0)
    part = cells(small, rows, cols, ((25.0, 9.0), (0.0, 24.0)), jitter=10.0)
    mine = pick(table, plate.i, plate.j)
    gap = 1.5 + 0.9 * canvas.noise(18, 2)
    # Fine cracks begin at the wide ones and end inside a plate.
    fine = ramp(1.3, 0.4, part.wall) * ramp(0.62, 0.35, mine[..., 2] + 0.3 * canvas.noise(25)) * ramp(15, 5, plate.wall)
    inside = ramp(gap - 0.6, gap + 0.8, plate.wall)
    curl = 2.2 * np.exp(-plate.wall / 6.0)
    tilt = 0.05 * ((mine[..., 3] - 0.5) * plate.down + (mine[..., 4] - 0.5) * plate.right)
    grit = canvas.noise(3, 2)
    surface = (7 + curl + tilt) * inside - 2.2 * fine + 0.5 * canvas.noise(12, 3) + 0.25 * grit
    tone = 0.5 + 0.3 * (mine[..., 5] - 0.5) + 0.3 * canvas.noise(28, 4) + 0.10 * grit + 0.12 * np.exp(-plate.wall / 5)
    clay = palette("7d6a52 a08a6c b9a486 cfbd9f ded0b6", tone)
    colour = paint(clay, rgb("2c2118"), np.maximum(1 - inside, 0.75 * fine))
    return develop(canvas, colour * light(surface, ambient=0.4, crevice=0.14, shadow=8)[..., np.newaxis])


def wood(seed: int, height: int, width: int) -> np.ndarray:
    """Walnut, its grain along the rows, with pores."""
    canvas = Canvas(seed, height, width)
    bend = canvas.rows + 10 * canvas.noise((60, 190), 2) + 1.5 * canvas.noise((14, 70))
    year = bend / 15 + 0.55 * gradient_noise(canvas.rng, bend / 22, canvas.cols / 900)
    ring = year - np.floor(year)
    late = ramp(0.25, 0.93, ring) * ramp(1.0, 0.93, ring)
    strength = 0.6 + 0.8 * gradient_noise(canvas.rng, np.floor(year) + 0.5, canvas.cols / 400)
    fibre = gradient_noise(canvas.rng, bend / 1.7, canvas.cols / 45)
    fibre = fibre + 0.6 * gradient_noise(canvas.rng, bend / 4, canvas.cols / 120)
    pores = ramp(0.34, 0.62, gradient_noise(canvas.rng, bend / 1.8, canvas.cols / 15))
    pores = pores * (0.35 + 0.65 * ramp(0.5, 0.0, ring))
    silk = canvas.noise((45, 16), 2)
    tone = 0.62 - 0.42 * late * strength + 0.16 * fibre + 0.12 * canvas.noise((30, 150), 2) + 0.07 * silk
    colour = palette("2a160c 4a2a18 6b4127 8a5a38 a77850", tone)
    colour = paint(colour, rgb("1d0f08"), 0.75 * pores)
    surface = -0.6 * pores + 0.12 * fibre
    bright = light(surface, ambient=0.4, shadow=0) * (1 + 0.12 * silk)
    return develop(canvas, colour * bright[..., np.newaxis] + 0.02)


def water(seed: int, height: int, width: int) -> np.ndarray:
    """Sunlight on the floor of a shallow sea: rays bent by the waves (Snell), counted where they arrive."""
    canvas = Canvas(seed, height, width)
    wave = 10 * canvas.noise(64) + 5.5 * canvas.noise(37) + 1.1 * canvas.noise(17)
    wave = blur(wave, 1.5)
    slope_rows, slope_cols = np.gradient(wave)
    arrived = np.zeros(canvas.rows.size)
    for depth, weight in ((15.0, 0.3), (18.0, 0.4), (21.0, 0.3)):
        for down in (-1 / 3, 0, 1 / 3):
            for right in (-1 / 3, 0, 1 / 3):
                row = canvas.rows - canvas.rows[0, 0] + down + depth * slope_rows
                col = canvas.cols - canvas.cols[0, 0] + right + depth * slope_cols
                arrived += weight / 9 * _count(row, col, canvas.rows.shape)
    rays = blur(arrived.reshape(canvas.rows.shape), 0.9)
    ripple = 0.6 * canvas.noise((22, 34), 3)
    tone = 0.5 + 0.35 * ripple + 0.25 * canvas.noise(70, 2) + 0.06 * canvas.noise(2.5)
    sand = palette("0e7f96 1d9fb0 45bcc4 7fd3d0", tone)
    white = 0.035 * np.maximum(rays - 1.2, 0)
    colour = sand * (0.45 + 0.5 * np.minimum(rays, 6))[..., np.newaxis] + white[..., np.newaxis]
    return develop(canvas, colour)


def landscape(seed: int, height: int, width: int) -> np.ndarray:
    """Farmland from the air: fields, hedges, a wood, a river, a road and a village, laid out to fit the extent."""
    canvas = Canvas(seed, height, width)
    table = canvas.table(10)
    rows, cols = canvas.rows + 14 * canvas.noise(150, 2), canvas.cols + 14 * canvas.noise(150, 2)
    field = cells(table, rows, cols, ((120.0, 45.0), (-30.0, 150.0)), jitter=45.0, reach=1)
    mine = pick(table, field.i, field.j)
    colour, surface = _fields(canvas, mine)
    river_at = width * 0.40 + 90 * np.sin(canvas.rows / 120 + 1.0) + 0.16 * canvas.rows + 22 * canvas.noise(110, 2)
    river = np.abs(canvas.cols - river_at) * 0.85
    road = np.abs(canvas.rows - height * 0.62 - 40 * np.sin(canvas.cols / 210) - 10 * canvas.noise(260)) * 0.97
    village = np.hypot(canvas.rows - height * 0.55, canvas.cols - width * 0.76) / 130 + 0.5 * canvas.noise(60, 2)
    lanes = np.minimum(field.wall + 40 * (mine[..., 6] > 0.5), road + 2)
    gravel = ramp(3.6, 2.2, np.minimum(road, lanes)) * ramp(8, 12, river)
    colour = paint(colour, palette("8f877a b9b0a0", 0.5 + 0.5 * canvas.noise(5, 2)), gravel)
    bank = ramp(26, 15, river + 5 * canvas.noise(20, 3))
    colour = paint(colour, palette("56683a 8f8a5e b5a67c", 0.5 + 0.6 * canvas.noise(12, 3)), bank * (1 - gravel))
    deep = palette("5e7668 3f6068 2c4c5a", ramp(14, 2, river) + 0.15 * canvas.noise(30, 2))
    deep = deep * (1 + 0.08 * canvas.noise((3, 7)))[..., np.newaxis]
    wet = ramp(14.5, 12.5, river + 2 * canvas.noise(25, 2)) * ramp(3.6, 4.6, road)
    colour, surface = paint(colour, deep, wet), surface * (1 - wet)
    forest = ramp(-0.05, 0.15, canvas.noise(330, 2) + 0.06 * canvas.noise(40) - 0.16)
    hedge = ramp(7.5, 4.5, field.wall + 2 * canvas.noise(14, 2)) * ramp(-0.35, 0.1, canvas.noise(60))
    hedge = hedge * (mine[..., 6] > 0.2)
    wooded = np.maximum(forest, hedge) * ramp(15, 20, river) * ramp(4, 8, lanes) * ramp(0.9, 1.1, village)
    colour = paint(colour, rgb("1b2912"), 0.9 * ramp(0.3, 0.6, wooded))
    colour, surface = _trees(canvas, colour, surface, wooded)
    colour, surface = _houses(canvas, colour, surface, ramp(1.0, 0.8, village) * ramp(9, 11, road))
    haze = light(surface, ambient=0.42, crevice=0.08, shadow=9)[..., np.newaxis]
    return develop(canvas, colour * haze + 0.02 * rgb("9fb4c8"), grain=1.2)


def _fields(canvas: Canvas, mine: np.ndarray) -> Layers:
    """Colour and height of crops, each field ploughed in its own direction."""
    turn = np.pi * mine[..., 2]
    across = np.sin(turn) * canvas.rows + np.cos(turn) * canvas.cols + 0.8 * canvas.noise(40)
    furrow = np.cos(2 * np.pi * across / (4 + 5 * mine[..., 3])) * (mine[..., 4] - 0.15)
    tram = ramp(0.965, 0.99, np.cos(2 * np.pi * across / (26 + 10 * mine[..., 5])))
    crops = "445a35 60764a 80905a a3a26c c4b585 af9876 8a7058 74885a 50683c"
    tone = mine[..., 4] + 0.07 * canvas.noise(50, 4) + 0.03 * canvas.noise(6, 2)
    colour = palette(crops, tone) * (1 + 0.13 * furrow + 0.10 * canvas.noise(3, 2))[..., np.newaxis]
    colour = paint(colour, 0.6 * colour, 0.8 * tram)
    return colour, 0.35 * furrow + 0.3 * canvas.noise(8, 3)


def _trees(canvas: Canvas, colour: np.ndarray, surface: np.ndarray, wooded: np.ndarray) -> Layers:
    """Plants round crowns, about 11 pixels wide, where `wooded` is 1."""
    table = canvas.table(4)
    rows, cols = canvas.rows + 1.3 * canvas.noise(6), canvas.cols + 1.3 * canvas.noise(6)
    crown = cells(table, rows, cols, ((10.0, 4.0), (0.0, 11.0)), jitter=4.5, roundness=0.6, reach=1)
    mine = pick(table, crown.i, crown.j)
    leaf = canvas.noise(2.6, 2)
    dome = np.sqrt(np.clip(crown.wall, 0, 5.5) / 5.5)
    stands = ramp(0.4, 0.6, wooded) * ramp(0.15, 0.5, dome)
    tone = 0.25 + 0.5 * mine[..., 2] + 0.25 * leaf + 0.15 * canvas.noise(60)
    green = palette("1a2814 2a3d20 40562c 5b6d3c 7c8450", tone)
    tall = (4.5 + 2.5 * mine[..., 3]) * dome + 0.7 * leaf
    return paint(colour, green, stands), mix(surface, tall, stands)


def _houses(canvas: Canvas, colour: np.ndarray, surface: np.ndarray, built: np.ndarray) -> Layers:
    """Gardens with gabled houses, about 20 by 13 pixels, where `built` is 1."""
    table = canvas.table(8)
    plot = cells(table, canvas.rows, canvas.cols, ((34.0, 6.0), (-6.0, 36.0)), jitter=5.0, reach=1)
    mine = pick(table, plot.i, plot.j)
    turn = 0.25 + np.pi / 2 * (mine[..., 2] > 0.6) + 0.3 * (mine[..., 3] - 0.5)
    along = np.cos(turn) * plot.right + np.sin(turn) * plot.down
    across = np.cos(turn) * plot.down - np.sin(turn) * plot.right
    half_long, half_wide = 8 + 4 * mine[..., 4], 5.5 + 2 * mine[..., 5]
    inside = np.minimum(half_long - np.abs(along), half_wide - np.abs(across))
    roof = ramp(-0.5, 0.5, inside) * (mine[..., 6] > 0.12)
    lawn = palette("3f5a2a 5d7a38 7d8f4c", 0.5 + 0.5 * canvas.noise(14, 3))
    rows_of_tiles = 1 + 0.12 * np.cos(2 * np.pi * across / 2.5)
    tiles = palette("6d3427 8f4a35 a8604a 7d756e", mine[..., 7]) * rows_of_tiles[..., np.newaxis]
    green = paint(colour, lawn, 0.85 * built)
    on = roof * ramp(0.45, 0.55, built)
    gable = 6 + 0.8 * (half_wide - np.abs(across))
    return paint(green, tiles, on), mix(surface, gable, on)


def _count(row: np.ndarray, col: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """How many of the points fall on each pixel; those outside wrap around into the margin."""
    row, col = np.rint(row).astype(np.int64) % shape[0], np.rint(col).astype(np.int64) % shape[1]
    return np.bincount((row * shape[1] + col).ravel(), minlength=shape[0] * shape[1])
