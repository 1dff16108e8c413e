"""The plane: one question, "show me this window", and the same pixels whoever asks, in any order.

A texture is a function on an infinite plane: (model, scene) -> a colour at every integer
pixel, negative coordinates included. A convolution's summation order follows its shape, so
the last bits of a pixel would depend on the window's size. The plane is therefore made in
tiles of one fixed shape on a fixed grid, and every window is put together from them. Exact
tiles, blends and loops are other scenes of the same plane.
"""

import collections
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.latents import noise, texture_fields, torus, waves
from tf_psgan.latents.scene import CORNER, Scene
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator, fold

MAX_PIXEL = 2**40
"""Largest distance of a window from the origin, in pixels; far beyond any screen, safely inside int64."""

RECENT_CHUNKS = 64
"""Tiles that are kept, 50 MB: windows that follow each other mostly overlap."""


class Plane:
    """A trained generator's textures as infinite planes. May be asked from several threads.

    Args:
      generator: folded, or with its batch statistics settled; what it learns later does not show.
      chunk_cells: side of a tile in cells, 0 for `tiles.CHUNK_PIXELS`; planes of different tiles may differ in the last
        bit.
      names: global vectors that may be asked for by name.
    """

    def __init__(
        self,
        generator: SpatialGenerator | FoldedGenerator,
        chunk_cells: int = 0,
        names: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.folded = generator if isinstance(generator, FoldedGenerator) else fold(generator)
        self.config = self.folded.config
        self.pixels_per_cell = self.folded.pixels_per_cell
        self.chunk_cells = chunk_cells or chunks.cells(self.pixels_per_cell)
        self.names = dict(names or {})
        self._anchors: dict[tuple[texture_fields.Texture, int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._recent: collections.OrderedDict[tuple[Scene, int, int], np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def window(
        self, seed: int, texture: texture_fields.Texture, top: int, left: int, height: int, width: int
    ) -> np.ndarray:
        """The pixels of a window of one texture.

        Args:
          seed: which plane; any int64.
          texture: which global vector: any int64, a name, or the vector itself. Models without global channels have
            only one texture.
          top, left: the window's first pixel; any integers within `MAX_PIXEL`.
          height, width: extent in pixels, at least 1.

        Returns:
          uint8 [height, width, 3].

        Raises:
          ValueError: an extent below 1, or another value out of range.
        """
        return self.show(Scene(seed, texture_fields.Uniform(texture)), top, left, height, width)

    def torus(
        self, seed: int, texture: texture_fields.Texture, height: int, width: int, top: int = 0, left: int = 0
    ) -> np.ndarray:
        """An exact tile: a picture whose right edge goes on at its left edge and whose bottom goes on at its top.

        Args:
          seed, texture: as for `window`.
          height, width: extent in pixels, multiples of `pixels_per_cell`.
          top, left: the tile's pixel that comes first; the picture is rolled by as much.

        Returns:
          uint8 [height, width, 3].

        Raises:
          ValueError: a value out of range, or an extent that the texture's waves do not fit (`torus.strain`).
        """
        rows, cols = self.cells("height", height), self.cells("width", width)
        scene = Scene(seed, texture_fields.Uniform(texture), rows, cols)
        self.check_fit(scene)
        return self.show(scene, top, left, height, width)

    def show(self, scene: Scene, top: int, left: int, height: int, width: int) -> np.ndarray:
        """The pixels of a window of a scene: uint8 [height, width, 3]; ValueError as `window`."""
        scene.check()
        for name, value, low in (("height", height, 1), ("width", width, 1), ("top", top, None), ("left", left, None)):
            low = -MAX_PIXEL if low is None else low
            if not low <= value <= MAX_PIXEL:
                raise ValueError(f"{name}: {value} is outside {low} .. {MAX_PIXEL}; choose a value inside.")
        for texture in scene.field.textures:
            self._anchor(texture, scene.rows, scene.cols)
        side = self.chunk_cells * self.pixels_per_cell
        picture = np.empty((height, width, 3), np.uint8)
        across = list(_runs(left, width, side, scene.cols * self.pixels_per_cell))
        for down, row, from_row, rows in _runs(top, height, side, scene.rows * self.pixels_per_cell):
            for right, col, from_col, cols in across:
                part = self.tile(scene, row, col)[from_row : from_row + rows, from_col : from_col + cols]
                picture[down : down + rows, right : right + cols] = part
        return picture

    def tile(self, scene: Scene, row: int, col: int) -> np.ndarray:
        """Tile (row, col) of a scene's grid, read-only uint8 [side, side, 3], side = chunk_cells * pixels_per_cell.

        On a torus tiles lie from its first cell on; what lies beyond its last one goes on for the halo only.
        """
        key = (scene, row, col)
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        made = self._paint(self._latents(scene, row, col)).numpy()
        made.setflags(write=False)
        with self._lock:
            self._recent[key] = made
            while len(self._recent) > RECENT_CHUNKS:
                self._recent.popitem(last=False)
        return made

    def latents(self, scene: Scene, row: int, col: int) -> np.ndarray:
        """What the network sees of tile (row, col): float32 [cells, cells, channels], with two cells more on each side.

        Local noise, the blended global vectors and the blended waves, in this order.
        """
        return self._latents(scene, row, col).numpy()[0]

    def vector(self, texture: texture_fields.Texture) -> np.ndarray:
        """A texture's global vector, float32 [global channels].

        Raises:
          ValueError: an unknown name, or a number or a vector out of range.
        """
        channels = self.config.global_channels
        if isinstance(texture, str):
            if texture not in self.names:
                stored = ", ".join(sorted(self.names)) or "none"
                raise ValueError(f"texture: {texture!r} is no number and no stored name (there: {stored}); choose one.")
            texture = tuple(self.names[texture])
        if isinstance(texture, tuple):
            if len(texture) != channels or not all(-1.0 <= value <= 1.0 for value in texture):
                raise ValueError(f"texture: a vector of {len(texture)}; give {channels} numbers from -1 to 1.")
            return np.asarray(texture, np.float32)
        if not -(2**63) <= texture < 2**63:
            raise ValueError(f"texture: {texture} is outside {-(2**63)} .. {2**63 - 1}; choose a value inside.")
        return noise.global_vector(int(texture), channels).numpy()

    def wave_numbers(self, texture: texture_fields.Texture) -> np.ndarray:
        """A texture's wave numbers on the endless plane, float64 [waves, 2] radians per cell."""
        return self.folded.wave_numbers(self.vector(texture))

    def cells(self, name: str, pixels: int) -> int:
        """How many cells a torus of so many pixels has along an axis; ValueError where that is no whole number."""
        side = self.pixels_per_cell
        if pixels < side or pixels % side:
            below, above = max(side, pixels // side * side), (max(pixels, 0) // side + 1) * side
            near = f"{below} or {above}" if below < above else f"{above}"
            raise ValueError(f"{name}: {pixels} is no multiple of the model's cell of {side} pixels; give {near}.")
        return pixels // side

    def check_fit(self, scene: Scene) -> None:
        """Raises ValueError with the nearest good extents where a torus would change the look of a texture's waves."""
        numbers = {texture: self.wave_numbers(texture) for texture in scene.field.textures}
        strains = {texture: torus.strain(found, scene.rows, scene.cols) for texture, found in numbers.items()}
        worst = max(strains, key=strains.__getitem__)
        if strains[worst] <= 1.0:
            return
        least = 2 * geometry.HALO + 1 if scene.edges else 1
        good = torus.good_extents(list(numbers.values()), scene.rows, scene.cols, least)
        side = self.pixels_per_cell
        near = ", ".join("x".join(str(n * side) for n in extent if n) for extent in good) or "none within 64 cells"
        asked = "x".join(str(n * side) for n in (scene.rows, scene.cols) if n)
        which = "the texture" if len(numbers) == 1 else f"texture {worst}"
        raise ValueError(
            f"tile: {asked} pixels would bend the waves of {which} {strains[worst]:.1f} times as far as its look "
            f"bears; the nearest extents that do not: {near}."
        )

    def _anchor(self, texture: texture_fields.Texture, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
        """A texture's global vector [channels] and wave numbers in fixed-point turns [waves, 2].

        Computed once and kept: far from the origin the slightest other wave number is another phase.
        """
        key = (texture if self.config.global_channels else 0, rows, cols)
        if key not in self._anchors:
            vector = self.vector(texture)
            numbers = torus.snap(self.folded.wave_numbers(vector), rows, cols)
            self._anchors[key] = vector, waves.turns(numbers)
        return self._anchors[key]

    def _latents(self, scene: Scene, row: int, col: int) -> tf.Tensor:
        """The latents of a tile with its halo: [1, extent, extent, channels]."""
        extent = self.chunk_cells + 2 * geometry.HALO
        first = row * self.chunk_cells - geometry.HALO, col * self.chunk_cells - geometry.HALO
        rows, cols = scene.wrapped(*first, extent)
        seeds = tf.constant([[scene.seed]], tf.int64)  # [1, 1]: of all cells; or [extent, extent]
        wave_seed = seeds[0, 0]
        if scene.edges is not None:
            corner = noise.edge(CORNER, 0)
            # Edges across from each other are one edge of two tiles: top and bottom share, left and right share.
            own = [noise.edge(CORNER + 1 + i % 2, colour) for i, colour in enumerate(scene.edges)]
            seeds = tf.gather(tf.stack([wave_seed, corner, *own]), scene.zones(*first, extent))
            wave_seed = corner
        shares = scene.field.shares(rows, cols, self.pixels_per_cell)
        anchors = [self._anchor(texture, scene.rows, scene.cols) for texture, _ in shares]
        vectors, wave_turns = (tf.constant(np.stack(part)) for part in zip(*anchors, strict=True))
        weights = tf.constant(np.stack([weight for _, weight in shares]))
        change = tuple(tf.constant(value, tf.float32) for value in (scene.time, scene.amount)) if scene.time else None
        at = tf.constant(rows), tf.constant(cols)
        return self._fields(seeds, wave_seed, *at, vectors, wave_turns, weights, change)

    @tf.function(reduce_retracing=True)
    def _fields(
        self, seeds: Any, wave_seed: Any, rows: Any, cols: Any, vectors: Any, wave_turns: Any, weights: Any, change: Any
    ) -> tf.Tensor:
        phases = noise.phases(wave_seed, self.config.waves)
        return chunks.latents(self.config, seeds, rows, cols, phases, vectors, wave_turns, weights, change)

    @tf.function
    def _paint(self, latents: Any) -> tf.Tensor:
        # NumPy arrays become constants of the graph, 6 % faster than captured tensors.
        return chunks.pixels(chunks.cast(self.folded.blocks, self.folded.dtype), latents, self.folded.dtype)


def _runs(first: int, length: int, side: int, period: int) -> Iterator[tuple[int, int, int, int]]:
    """Cuts a stretch of an axis where tiles meet: (place in the stretch, tile, place in the tile, pixels) of each part.

    With a period the axis begins anew after so many pixels.
    """
    done = 0
    while done < length:
        place = (first + done) % period if period else first + done
        tile, offset = divmod(place, side)
        part = min(side - offset, length - done, period - place if period else length)
        yield done, tile, offset, part
        done += part
