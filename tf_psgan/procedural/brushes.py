"""What the procedural textures are drawn with: random tables, gradient noise, cells, light and film grain.

Everything is a function of pixel coordinates, on a canvas a little larger than the picture, so that blurs and shadows
have no edges. Random numbers come from one Philox stream per picture, in tables whose extent does not depend on the
picture: a larger texture of the same seed continues the smaller one, except for its film grain. Gradient noise is
Perlin's (1985), cells are Worley's (1996).
"""

from typing import NamedTuple

import numpy as np

MARGIN = 24
TABLE = 512
# Towards the light: up and left in the picture, and out of it.
SUN = np.array([-0.46, -0.46, 0.76])

Vector = tuple[float, float]


class Canvas:
    """Pixel coordinates with `MARGIN` pixels around the picture, and the picture's random stream."""

    def __init__(self, seed: int, height: int, width: int) -> None:
        self.rng = np.random.Generator(np.random.Philox(seed))
        span = np.mgrid[-MARGIN : height + MARGIN, -MARGIN : width + MARGIN].astype(np.float64)
        self.rows, self.cols = span

    def table(self, channels: int) -> np.ndarray:
        """Numbers in [0, 1) for the elements of a lattice: [128, 128, channels], to be read by `pick`."""
        return self.rng.random((128, 128, channels))

    def noise(self, cell: float | Vector, octaves: int = 1) -> np.ndarray:
        """Noise around 0, mostly within [-1, 1], whose largest features are `cell` pixels (row, col)."""
        cell_rows, cell_cols = cell if isinstance(cell, tuple) else (cell, cell)
        total = np.zeros_like(self.rows)
        for scale in 2.0 ** np.arange(octaves):
            rows, cols = self.rows[:, :1] * scale / cell_rows, self.cols[:1] * scale / cell_cols
            total += gradient_noise(self.rng, rows, cols) / scale
        return total


class Cells(NamedTuple):
    """For each pixel: its cell's lattice indices, its offset from the cell's centre, its distance to the wall."""

    i: np.ndarray
    j: np.ndarray
    down: np.ndarray
    right: np.ndarray
    wall: np.ndarray


def pick(table: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """The table's entries for lattice elements: [..., channels]."""
    return table.reshape(len(table) ** 2, -1).take(i % len(table) * len(table) + j % len(table), axis=0)


def gradient_noise(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Perlin's noise on a unit lattice, scaled to a standard deviation of about 0.35; rows and cols may broadcast."""
    # Gradients are drawn from a square, not from a circle: five times faster, without a visible difference.
    slopes = 2.4 * rng.random((TABLE * TABLE, 2)).view(np.complex128)[:, 0] - (1.2 + 1.2j)
    row, col = np.floor(rows), np.floor(cols)
    down, right = rows - row, cols - col
    row, col = row.astype(np.int64), col.astype(np.int64)
    fade_rows, fade_cols = (t * t * t * (t * (t * 6 - 15) + 10) for t in (down, right))

    def corner(r: int, c: int) -> np.ndarray:
        slope = slopes.take((row + r) % TABLE * TABLE + (col + c) % TABLE)
        return slope.imag * (down - r) + slope.real * (right - c)

    upper = mix(corner(0, 0), corner(0, 1), fade_cols)
    lower = mix(corner(1, 0), corner(1, 1), fade_cols)
    return 1.4 * mix(upper, lower, fade_rows)


def cells(
    table: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    lattice: tuple[Vector, Vector],
    jitter: float,
    roundness: float = 0.5,
    reach: int = 2,
) -> Cells:
    """Voronoi cells around the points of a lattice, each point moved by up to `jitter` pixels per axis.

    Args:
      table: at least two channels, which move the points.
      lattice: the two lattice vectors, (row, col) in pixels.
      roundness: pixels; the larger, the rounder the corners of a cell.
      reach: neighbours looked at, each way; 2 is safe for jitter up to half a cell.
    """
    basis = np.array(lattice).T
    inverse = np.linalg.inv(basis)
    near_i = np.rint(inverse[0, 0] * rows + inverse[0, 1] * cols).astype(np.int64)
    near_j = np.rint(inverse[1, 0] * rows + inverse[1, 1] * cols).astype(np.int64)
    moves = np.ascontiguousarray(table[..., :2])
    steps = [(a, b) for a in range(-reach, reach + 1) for b in range(-reach, reach + 1)]

    def offset(a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        i, j = near_i + a, near_j + b
        move = (2 * pick(moves, i, j) - 1) * jitter
        down = rows - basis[0, 0] * i - basis[0, 1] * j - move[..., 0]
        return down, cols - basis[1, 0] * i - basis[1, 1] * j - move[..., 1]

    offsets = [offset(a, b) for a, b in steps]
    squares = np.array([down * down + right * right for down, right in offsets])  # [steps, rows, cols]
    best = np.argmin(squares, axis=0)
    nearest = np.min(squares, axis=0)
    own_down, own_right = (np.choose(best, [both[axis] for both in offsets]) for axis in (0, 1))
    total = np.zeros_like(nearest)
    for (down, right), square in zip(offsets, squares, strict=True):
        apart = np.hypot(down - own_down, right - own_right)
        to_wall = (square - nearest) / np.maximum(2 * apart, 1e-9)
        total += np.where(apart < 1e-6, 0, np.exp(-to_wall / roundness))
    wall = np.maximum(-roundness * np.log(total + 1e-300), 0)
    a, b = np.array(steps).T[:, best]
    return Cells(near_i + a, near_j + b, own_down, own_right, wall)


class Stone(NamedTuple):
    """For each pixel of a running bond: its stone's course and number in it, and its offset from the stone's centre."""

    i: np.ndarray
    j: np.ndarray
    down: np.ndarray
    right: np.ndarray


def running_bond(rows: np.ndarray, cols: np.ndarray, course: int, length: int) -> Stone:
    """Courses of stones of an even length, every other course moved by half a stone; all in pixels."""
    i = np.floor(rows / course).astype(np.int64)
    cols = cols - length // 2 * (i % 2)
    j = np.floor(cols / length).astype(np.int64)
    return Stone(i, j, rows - course * i - course // 2, cols - length * j - length // 2)


def box_distance(
    down: np.ndarray, right: np.ndarray, half_height: float, half_width: float, corner: float
) -> np.ndarray:
    """Pixels to the edge of a rounded rectangle around 0, positive inside."""
    a = np.abs(down) - half_height + corner
    b = np.abs(right) - half_width + corner
    return corner - np.hypot(np.maximum(a, 0), np.maximum(b, 0)) - np.minimum(np.maximum(a, b), 0)


def mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """From a (t = 0) to b (t = 1)."""
    return a + (b - a) * t


def paint(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """`mix` of two colours or pictures [rows, cols, 3] by a mask [rows, cols]."""
    return mix(a, b, t[..., np.newaxis])


def ramp(low: float | np.ndarray, high: float | np.ndarray, value: np.ndarray) -> np.ndarray:
    """A smooth step from 0 at `low` to 1 at `high`; it falls where low > high."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def rgb(code: str) -> np.ndarray:
    """Linear light [3] of a display colour 'rrggbb' (gamma 2.2)."""
    return (np.frombuffer(bytes.fromhex(code), np.uint8) / 255.0) ** 2.2


def palette(codes: str, t: np.ndarray) -> np.ndarray:
    """Colours interpolated along a list of codes separated by blanks, t in [0, 1]: [..., 3]."""
    stops = np.array([rgb(code) for code in codes.split()])
    at = np.clip(t, 0, 1) * (len(stops) - 1)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, k]) for k in range(3)], axis=-1)


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur along the first two axes; it wraps around, which the margin hides."""
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        picture = sum(w * np.roll(picture, k - reach, axis) for k, w in enumerate(weights))
    return picture


def light(height: np.ndarray, ambient: float = 0.35, crevice: float = 0.12, shadow: int = 8) -> np.ndarray:
    """Light on a surface of that height (pixels); 1 where it is flat.

    Args:
      ambient: share of the light that comes from the sky.
      crevice: how fast hollows darken, per pixel below the surroundings.
      shadow: steps of the walk towards the sun; 0 for no cast shadows.
    """
    sun = np.maximum(normals(height) @ SUN, 0) / SUN[2]
    rise = SUN[2] / -SUN[0]
    hidden = np.zeros_like(height)
    for step in range(1, shadow + 1):
        hidden = np.maximum(hidden, np.roll(height, (step, step), (0, 1)) - step * rise - height)
    sky = np.exp(-crevice * np.maximum(blur(height, 4) - height, 0))
    return sky * (ambient + (1 - ambient) * sun * (1 - ramp(0, 2, hidden)))


def glint(height: np.ndarray, sharpness: float) -> np.ndarray:
    """Specular light in [0, 1] (Blinn 1977) of a surface of that height, seen from above."""
    half = SUN / np.linalg.norm(SUN) + [0, 0, 1]
    return np.maximum(normals(height) @ (half / np.linalg.norm(half)), 0) ** sharpness


def develop(canvas: Canvas, colour: np.ndarray, grain: float = 1.6, uneven: float = 0.05) -> np.ndarray:
    """Linear light to a photograph: uneven light, a soft lens, film grain (in 8-bit values); the margin is cut off."""
    colour = colour * (1 + uneven * canvas.noise(110))[..., np.newaxis]
    screen = 255 * np.clip(blur(np.maximum(colour, 0), 0.5), 0, None) ** (1 / 2.2)
    # A soft shoulder: highlights approach white instead of being clipped.
    screen = np.where(screen > 215, 215 + 40 * np.tanh((screen - 215) / 40), screen)
    screen = screen[MARGIN:-MARGIN, MARGIN:-MARGIN]
    screen = screen + grain * canvas.rng.standard_normal(screen.shape[:2])[..., np.newaxis]
    return np.clip(np.rint(screen), 0, 255).astype(np.uint8)


def normals(height: np.ndarray) -> np.ndarray:
    """Unit normals of a surface of that height (pixels), [rows, cols, 3]: down, right, out of the picture."""
    down, right = np.gradient(height)
    normal = np.stack([-down, -right, np.ones_like(height)], axis=-1)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)
