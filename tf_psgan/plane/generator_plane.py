"""The generator's own picture of a scene, computed in chunks of one fixed shape on a fixed grid.

The summation order of a convolution depends on the shape of its input, so the last bits of a pixel would depend on the
extent of the window. Windows are therefore assembled from chunks, the latest of which are kept.
"""

import collections
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.latents import noise, texture_fields
from tf_psgan.latents.scene import CORNER, Scene
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.plane.textures import Textures
from tf_psgan.runtime import device

RECENT_CHUNKS = 64
"""Chunks kept in memory, 50 MB: successive windows mostly overlap."""


class _Square(NamedTuple):
    """What the latents of a chunk are made from."""

    seeds: np.ndarray  # int64 [1, 1]: of all cells; or [extent, extent]
    rows: np.ndarray  # int64 [extent]
    cols: np.ndarray
    textures: tuple[texture_fields.Texture, ...]
    weights: np.ndarray  # float32 [textures, extent, extent]


class _Group(NamedTuple):
    """Chunks that are computed together."""

    places: Sequence[tuple[int, int]]
    known: dict[tuple[int, int], np.ndarray]  # by place
    missing: list[tuple[int, int]]
    painted: tf.Tensor | None  # uint8 [missing, side, side, 3]


class GeneratorPlane:
    """The pictures of a generator on infinite planes.

    Args:
      folded: the generator, with batch norm folded into the kernels.
      textures: its textures.
      chunk_cells: side of a chunk in cells.

    Attributes:
      batch: number of chunks that are computed together.
    """

    def __init__(self, folded: FoldedGenerator, textures: Textures, chunk_cells: int) -> None:
        self._folded, self._config, self._textures = folded, folded.config, textures
        self._cells = chunk_cells
        self._recent: collections.OrderedDict[tuple[Scene, int, int], np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()
        self.batch = chunks.GPU_BATCH if device.gpus() else 1

    def clear_cache(self) -> None:
        """Forgets the chunks that are kept."""
        with self._lock:
            self._recent.clear()

    def window(self, scene: Scene, height: int, width: int, top: int, left: int) -> np.ndarray:
        """A window of a scene, uint8 [height, width, 3]; all lengths in pixels."""
        side = self._cells * self._folded.pixels_per_cell
        picture = np.empty((height, width, 3), np.uint8)
        down = list(_runs(top, height, side, scene.rows * self._folded.pixels_per_cell))
        across = list(_runs(left, width, side, scene.cols * self._folded.pixels_per_cell))
        parts = list(itertools.product(down, across))
        found = self.chunks(scene, [(row, col) for (_, row, _, _), (_, col, _, _) in parts])
        for ((at_row, _, from_row, rows), (at_col, _, from_col, cols)), chunk in zip(parts, found, strict=True):
            part = chunk[from_row : from_row + rows, from_col : from_col + cols]
            picture[at_row : at_row + rows, at_col : at_col + cols] = part
        return picture

    def chunks(self, scene: Scene, places: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Chunks in order, `batch` at a time; on a GPU the next ones are under way while these are copied and used.

        Args:
          scene: seed, textures and topology of the plane.
          places: (row, col) of the chunks on the grid.

        Yields:
          uint8 [side, side, 3] for each place, read-only.
        """
        under_way: collections.deque[_Group] = collections.deque()
        for first in range(0, len(places), self.batch):
            under_way.append(self._begin(scene, places[first : first + self.batch]))
            if len(under_way) > 1 or self.batch == 1:
                yield from self._end(scene, under_way.popleft())
        while under_way:
            yield from self._end(scene, under_way.popleft())

    def latents(self, scene: Scene, places: Sequence[tuple[int, int]]) -> tf.Tensor:
        """The latents of chunks with their halos: [chunks, extent, extent, channels].

        Those of chunks with the same textures are made in one call: on a GPU they take as long as those of one chunk.
        """
        squares = [self._square(scene, *place) for place in places]
        if len({square.textures for square in squares}) > 1:
            return tf.concat([self._squares_latents(scene, [square]) for square in squares], axis=0)
        return self._squares_latents(scene, squares)

    def _begin(self, scene: Scene, places: Sequence[tuple[int, int]]) -> _Group:
        known, missing = {}, []
        with self._lock:
            for place in places:
                if (key := (scene, *place)) in self._recent:
                    self._recent.move_to_end(key)
                    known[place] = self._recent[key]
                else:
                    missing.append(place)
        if not missing:
            return _Group(places, known, missing, None)
        if self.batch == 1:
            return _Group(places, known, missing, self._paint(self.latents(scene, missing))[tf.newaxis])
        filled = missing + missing[-1:] * (self.batch - len(missing))
        return _Group(places, known, missing, self._paint_batch(self.latents(scene, filled))[: len(missing)])

    def _end(self, scene: Scene, group: _Group) -> Iterator[np.ndarray]:
        if group.painted is not None:
            for place, pixels in zip(group.missing, group.painted.numpy(), strict=True):
                pixels.setflags(write=False)
                group.known[place] = pixels
            with self._lock:
                for place in group.missing:
                    self._recent[(scene, *place)] = group.known[place]
                while len(self._recent) > RECENT_CHUNKS:
                    self._recent.popitem(last=False)
        yield from (group.known[place] for place in group.places)

    def _squares_latents(self, scene: Scene, squares: Sequence[_Square]) -> tf.Tensor:
        anchors = [self._textures.on_torus(texture, scene.rows, scene.cols) for texture in squares[0].textures]
        vectors, wave_turns = (tf.constant(np.stack(part)) for part in zip(*anchors, strict=True))
        wave_seed = tf.constant(scene.seed, tf.int64) if scene.edges is None else noise.edge(CORNER, 0)
        change = tuple(tf.constant(value, tf.float32) for value in (scene.time, scene.amount)) if scene.time else None
        if len(squares) == 1:
            seeds, rows, cols, _, weights = squares[0]
            make = self._fields
        else:
            seeds, rows, cols = (np.stack([square[part] for square in squares]) for part in range(3))
            weights = np.stack([square.weights for square in squares], axis=1)
            make = self._batch_fields
        at = tf.constant(seeds), wave_seed, tf.constant(rows), tf.constant(cols)
        return make(*at, vectors, wave_turns, tf.constant(weights), change)

    def _square(self, scene: Scene, row: int, col: int) -> _Square:
        extent = self._cells + 2 * geometry.HALO
        first = row * self._cells - geometry.HALO, col * self._cells - geometry.HALO
        rows, cols = scene.wrapped(*first, extent)
        seeds = np.array([[scene.seed]])
        if scene.edges is not None:
            # Opposite edges are one edge of two tiles: top and bottom share, left and right share.
            edges = [noise.edge(CORNER + 1 + i % 2, colour) for i, colour in enumerate(scene.edges)]
            seeds = np.array([scene.seed, noise.edge(CORNER, 0), *edges])[scene.zones(*first, extent)]
        weighted = scene.field.weights(rows, cols, self._folded.pixels_per_cell)
        textures, weights = zip(*weighted, strict=True)
        return _Square(seeds, rows, cols, textures, np.stack(weights))

    @tf.function(reduce_retracing=True)
    def _fields(
        self, seeds: Any, wave_seed: Any, rows: Any, cols: Any, vectors: Any, wave_turns: Any, weights: Any, change: Any
    ) -> tf.Tensor:
        phases = noise.phases(wave_seed, self._config.waves)
        return chunks.latents(self._config, seeds, rows, cols, phases, vectors, wave_turns, weights, change)

    # Of several chunks: a function of its own, whose retracing cannot forget that of one chunk.
    _batch_fields = tf.function(_fields.python_function, reduce_retracing=True)

    @tf.function
    def _paint(self, latents: Any) -> tf.Tensor:
        # NumPy arrays become constants of the graph, 6 % faster than captured tensors.
        blocks = chunks.cast(self._folded.blocks, self._folded.dtype)
        return chunks.pixels(blocks, latents, self._folded.dtype, self._config.downsampling)

    @tf.function
    def _paint_batch(self, latents: Any) -> tf.Tensor:
        blocks = chunks.cast(self._folded.blocks, self._folded.dtype)
        return chunks.batch_pixels(blocks, latents, self._folded.dtype, self._config.downsampling)


def _runs(first: int, length: int, side: int, period: int) -> Iterator[tuple[int, int, int, int]]:
    """Splits a stretch of an axis at the borders of chunks: (offset, chunk, offset in the chunk, pixels) of each part.

    With a period the axis repeats after that many pixels.
    """
    done = 0
    while done < length:
        position = (first + done) % period if period else first + done
        chunk, offset = divmod(position, side)
        part = min(side - offset, length - done, period - position if period else length)
        yield done, chunk, offset, part
        done += part
