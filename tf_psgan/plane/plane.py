"""The texture plane: an infinite picture of which any window can be computed.

A texture is a function on an infinite plane: (generator, scene) -> a colour at every integer pixel, negative
coordinates included. Any window, requested in any order, has bit-identical pixels where windows overlap. The summation
order of a convolution depends on the shape of its input, so the last bits of a pixel would depend on the extent of the
window. The plane is therefore computed in chunks of one fixed shape on a fixed grid, and every window is assembled from
chunks. Seamless tiles, blends of textures and animated noise are other scenes of the same plane.
"""

import collections
import functools
import itertools
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import check_detail
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.errors import InputError, SettingError
from tf_psgan.geometry import MAX_PIXEL
from tf_psgan.latents import noise, texture_fields, torus, waves
from tf_psgan.latents.arguments import int64, integer
from tf_psgan.latents.scene import CORNER, Scene
from tf_psgan.plane import chunks
from tf_psgan.plane.finished_pixels import FinishedPixels
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.runtime import device

RECENT_CHUNKS = 64
"""Chunks kept in memory, 50 MB: successive windows mostly overlap."""

DETAIL_PIXELS = 512
"""Side of the blocks in which the detail stage works; bounds its memory, and has no effect on the pixels."""

DETAIL_PIECE = 32
"""Side of the pieces in which the detail stage's pixels are kept: larger ones would cost more beyond a window's edges,
smaller ones more steps in Python. Where the coarsest pixel of the detail stage is larger, pieces have its side."""

RECENT_PIECES = 16384
"""Pieces kept in memory, 50 MB; fewer where they are larger."""

_AXES = ("x", "y", "xy")


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


class TexturePlane:
    """The textures of a trained generator as infinite planes.

    Methods may be called from several threads. A plane cannot be used inside a `tf.function`, nor in a process that was
    forked after the plane was made: TensorFlow's threads do not survive a fork. Such calls raise RuntimeError.

    Args:
      folded: the generator, with batch norm folded into the kernels.
      names: stored textures: global vectors, each of [global channels] numbers in [-1, 1], by name.
      chunk_cells: side of a chunk in cells, 0 for `chunks.CHUNK_PIXELS`; planes of different chunks may differ in the
        last bit of an 8-bit value.
      exemplar: photographs whose pixels a detail stage arranges after the generator's pictures; None for the
        generator's pictures themselves.

    Raises:
      SettingError: an exemplar for a generator of several textures.
    """

    def __init__(
        self,
        folded: FoldedGenerator,
        names: Mapping[str, Sequence[float]] | None = None,
        *,
        chunk_cells: int = 0,
        exemplar: Exemplar | None = None,
    ) -> None:
        self.folded = folded
        self.config = self.folded.config
        self.pixels_per_cell = self.folded.pixels_per_cell
        self.chunk_cells = chunk_cells or chunks.cells(self.pixels_per_cell)
        self.names = dict(names or {})
        self._anchors: dict[tuple[texture_fields.Texture, int, int], tuple[np.ndarray, np.ndarray]] = {}
        if exemplar is not None:
            check_detail(self.config)
        self.exemplar = exemplar
        self._detail = DetailStage(exemplar) if exemplar else None
        if self._detail:  # one graph for all extents
            signature = self._detail.input_signature
            self._arrange = tf.function(self._detail, input_signature=signature, autograph=False)
            piece = max(DETAIL_PIECE, self._detail.alignment)
            # A piece more, so that a window of DETAIL_PIXELS is one block wherever it lies.
            kept = RECENT_PIECES * DETAIL_PIECE**2 // piece**2
            self._finished = FinishedPixels(piece, DETAIL_PIXELS + piece, kept)
        self._recent: collections.OrderedDict[tuple[Scene, int, int], np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.batch = chunks.GPU_BATCH if device.gpus() else 1
        """Chunks that are computed together."""

    def clear_cache(self) -> None:
        """Forgets the pixels that are kept for further windows, about 100 MB at most."""
        with self._lock:
            self._recent.clear()
        if self._detail is not None:
            self._finished.clear()

    def window(
        self,
        height: SupportsIndex,
        width: SupportsIndex,
        *,
        top: SupportsIndex = 0,
        left: SupportsIndex = 0,
        seed: SupportsIndex = 0,
        texture: texture_fields.AnyTexture = 0,
    ) -> np.ndarray:
        """The pixels of a window of one texture.

        Args:
          height, width: extent in pixels, 1 to `MAX_PIXEL`.
          top, left: the window's first row and column on the plane, in pixels, -`MAX_PIXEL` to `MAX_PIXEL`.
          seed: which plane; any int64.
          texture: which global vector: any int64, the name of a stored texture, or the vector itself, [global channels]
            numbers in [-1, 1] as list, tuple or array. Models without global channels have a single texture.

        Returns:
          uint8 [height, width, 3], red first.

        Raises:
          InputError: a value out of range, or a texture that does not exist.
          TypeError: an argument of another type; integers may be NumPy integers.
          RuntimeError: called inside a `tf.function`, or in a process forked after the plane was made.
        """
        scene = Scene(int64("seed", seed), texture_fields.Uniform(texture))
        return self.render(scene, height, width, top=top, left=left)

    def tile(
        self,
        height: SupportsIndex,
        width: SupportsIndex,
        *,
        axes: str = "xy",
        seed: SupportsIndex = 0,
        texture: texture_fields.AnyTexture = 0,
        top: SupportsIndex = 0,
        left: SupportsIndex = 0,
    ) -> np.ndarray:
        """A seamless tile: a picture that continues at its opposite edge, exactly.

        Each wave number is moved to the nearest one that closes on the tile (`torus.turns`).

        Args:
          height, width: extent in pixels, multiples of `pixels_per_cell` along the seamless axes.
          axes: the seamless axes: "x" (left and right edge meet), "y" (top and bottom edge meet) or "xy".
          seed, texture: as for `window`.
          top, left: the pixel of the plane that comes first; along a seamless axis it rolls the picture.

        Returns:
          uint8 [height, width, 3], red first.

        Raises:
          InputError: as `window`; an extent that is not a multiple of `pixels_per_cell`, or one to which the texture's
            waves cannot be fitted without a visible change (`torus.strain`).
          TypeError, RuntimeError: as `window`.
        """
        if axes not in _AXES:
            raise SettingError(
                "axes", f"{axes!r} is not a choice of axes", f"give one of {', '.join(_AXES)}", value=axes,
                settings=("axes",),
            )  # fmt: skip
        rows = self.cells("height", height) if "y" in axes else 0
        cols = self.cells("width", width) if "x" in axes else 0
        scene = Scene(int64("seed", seed), texture_fields.Uniform(texture), rows, cols)
        self.check_fit(scene)
        return self.render(scene, height, width, top=top, left=left)

    def fitting_extent(
        self, height: SupportsIndex, width: SupportsIndex, *, texture: texture_fields.AnyTexture = 0
    ) -> tuple[int, int]:
        """The extent nearest to a wanted one at which `tile` can make a texture seamless along both axes.

        Args:
          height, width: the wanted extent in pixels.
          texture: as for `window`.

        Returns:
          height and width in pixels, multiples of `pixels_per_cell`.

        Raises:
          InputError: as `window`; or no extent within 64 cells fits the texture's waves (`torus.strain`).
        """
        side = self.pixels_per_cell
        rows, cols = (
            max(1, round(integer(name, pixels, 1, MAX_PIXEL) / side))
            for name, pixels in (("height", height), ("width", width))
        )
        for extent in torus.good_extents([self.wave_steps(texture)], rows, cols, count=1):
            return extent[0] * side, extent[1] * side
        problem = f"no extent within 64 cells of {rows * side}x{cols * side} pixels fits the texture's waves"
        raise InputError("tile", problem, "choose another extent", settings=("height", "width"))

    def render(
        self,
        scene: Scene,
        height: SupportsIndex,
        width: SupportsIndex,
        *,
        top: SupportsIndex = 0,
        left: SupportsIndex = 0,
    ) -> np.ndarray:
        """The pixels of a window of a scene.

        Args:
          scene: seed, textures and topology of the plane.
          height, width, top, left: as for `window`.

        Returns:
          uint8 [height, width, 3], red first.

        Raises:
          InputError, TypeError, RuntimeError: as `window`.
        """
        self._check_context()
        height, width = integer("height", height, 1, MAX_PIXEL), integer("width", width, 1, MAX_PIXEL)
        top, left = integer("top", top, -MAX_PIXEL, MAX_PIXEL), integer("left", left, -MAX_PIXEL, MAX_PIXEL)
        if self._detail and scene.edges is not None:
            problem = "the detail stage cannot make tiles that share edges: its pixels depend on more than the edge"
            raise SettingError("edges", problem, "make them without it", settings=("detail",))
        self._check_names(scene)
        if self._detail is not None:
            make = functools.partial(self._block, self._detail, scene)
            return self._finished.window(scene, height, width, top, left, make)
        return self._generated(scene, height, width, top, left)

    def chunk(self, scene: Scene, row: int, col: int) -> np.ndarray:
        """Chunk (row, col) of the generator's picture, uint8 [side, side, 3], side = chunk_cells * pixels_per_cell.

        Read-only. On a torus the grid starts at the first cell of the torus; a chunk may extend beyond its last cell,
        where its pixels are not used.
        """
        self._check_context()
        return next(self._chunks(scene, [(row, col)]))

    def _chunks(self, scene: Scene, places: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Chunks in order, `batch` at a time; on a GPU the next ones are under way while these are copied and used."""
        under_way: collections.deque[_Group] = collections.deque()
        for first in range(0, len(places), self.batch):
            under_way.append(self._begin(scene, places[first : first + self.batch]))
            if len(under_way) > 1 or self.batch == 1:
                yield from self._end(scene, under_way.popleft())
        while under_way:
            yield from self._end(scene, under_way.popleft())

    def _begin(self, scene: Scene, places: Sequence[tuple[int, int]]) -> "_Group":
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
            return _Group(places, known, missing, self._paint(self._latents(scene, missing))[tf.newaxis])
        filled = missing + missing[-1:] * (self.batch - len(missing))
        return _Group(places, known, missing, self._paint_batch(self._latents(scene, filled))[: len(missing)])

    def _end(self, scene: Scene, group: "_Group") -> Iterator[np.ndarray]:
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

    def _generated(self, scene: Scene, height: int, width: int, top: int, left: int) -> np.ndarray:
        """A window of the generator's picture, assembled from chunks."""
        side = self.chunk_cells * self.pixels_per_cell
        picture = np.empty((height, width, 3), np.uint8)
        down = list(_runs(top, height, side, scene.rows * self.pixels_per_cell))
        across = list(_runs(left, width, side, scene.cols * self.pixels_per_cell))
        parts = list(itertools.product(down, across))
        found = self._chunks(scene, [(row, col) for (_, row, _, _), (_, col, _, _) in parts])
        for ((at_row, _, from_row, rows), (at_col, _, from_col, cols)), chunk in zip(parts, found, strict=True):
            part = chunk[from_row : from_row + rows, from_col : from_col + cols]
            picture[at_row : at_row + rows, at_col : at_col + cols] = part
        return picture

    def _block(self, detail: DetailStage, scene: Scene, top: int, left: int, height: int, width: int) -> np.ndarray:
        """The detail stage's picture of a window whose corner and extent are multiples of `detail.alignment`."""
        return self._arrange(*self.stage_inputs(detail, scene, top, left, height, width)).numpy()

    def stage_inputs(
        self, detail: DetailStage, scene: Scene, top: int, left: int, height: int, width: int
    ) -> tuple[np.ndarray | tf.Tensor, ...]:
        """The arguments of a detail stage (`DetailStage.__call__`) for a window of the generator's picture.

        Args:
          detail: the stage, of this plane or another.
          scene: seed, textures and topology of the plane.
          top, left, height, width: of the stage's picture in pixels, multiples of its `alignment`.
        """
        margin = detail.margin
        top, left, height, width = top - margin, left - margin, height + 2 * margin, width + 2 * margin
        guide = self._generated(scene, height, width, top, left)
        rows, cols = top + np.arange(height), left + np.arange(width)
        torus_cells = (scene.rows, scene.cols)
        blocks = rows, cols, detail.alignment, self.pixels_per_cell, torus_cells
        keys, squares = chunks.patch_keys(scene.seed, *blocks), chunks.squares(*blocks, detail.square)
        row_turns, col_turns = self.pixel_turns(scene, rows, cols, len(detail.wave_offsets))
        return guide, keys, *squares, row_turns + detail.wave_offsets, col_turns

    def latents(self, scene: Scene, row: int, col: int) -> np.ndarray:
        """The network's input for chunk (row, col) of a scene's grid, with a halo of two cells on each side.

        Local noise, the blended global vectors and the blended waves, in this order.

        Returns:
          float32 [chunk_cells + 4, chunk_cells + 4, channels], in [-1, 1].
        """
        self._check_context()
        return self._latents(scene, [(row, col)]).numpy()[0]

    def vector(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """The global vector of a texture, float32 [global channels].

        Raises:
          InputError: an unknown name, or a number or a vector out of range.
          TypeError, RuntimeError: as `window`.
        """
        self._check_context()
        found = texture_fields.texture(texture)
        channels = self.config.global_channels
        if isinstance(found, str):
            if found not in self.names:
                stored = ", ".join(sorted(self.names)) or "none"
                problem = f"{found!r} is neither a number nor the name of a stored texture (stored: {stored})"
                raise SettingError("texture", problem, "choose one of them", value=found, settings=("texture",))
            found = tuple(self.names[found])
        if isinstance(found, int):
            return noise.global_vector(found, channels).numpy()
        if len(found) != channels or not all(-1.0 <= value <= 1.0 for value in found):
            problem, allowed = f"a vector of {len(found)} numbers", f"give {channels} numbers from -1 to 1"
            raise SettingError("texture", problem, allowed, value=found, settings=("texture",))
        return np.asarray(found, np.float32)

    def vectors(self, textures: Sequence[texture_fields.Texture]) -> np.ndarray:
        """`vector` of several textures at once, float32 [textures, global channels]."""
        found = np.empty((len(textures), self.config.global_channels), np.float32)
        numbers = [i for i, texture in enumerate(textures) if isinstance(texture, int)]
        if numbers:
            seeds = tf.constant([textures[i] for i in numbers], tf.int64)
            found[numbers] = noise.global_vector(seeds, self.config.global_channels).numpy()
        for i in set(range(len(textures))) - set(numbers):
            found[i] = self.vector(textures[i])
        return found

    def wave_numbers(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """The wave numbers of a texture on the endless plane, float64 [waves, 2], radians per cell, (row, col) last."""
        return waves.wave_numbers(self.wave_steps(texture)).numpy()

    def wave_steps(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """`wave_numbers` on their grid, int64 [waves, 2], steps of 2**-32 turns per cell."""
        return self.folded.wave_steps(self.vector(texture))

    def cells(self, name: str, pixels: SupportsIndex) -> int:
        """The extent in cells of a torus along an axis.

        Args:
          name: of the axis for the error, "height" or "width".
          pixels: extent in pixels.

        Raises:
          SettingError: `pixels` is not a positive multiple of `pixels_per_cell`.
        """
        side, pixels = self.pixels_per_cell, integer(name, pixels, 1, MAX_PIXEL)
        if pixels % side:
            below, above = max(side, pixels // side * side), (pixels // side + 1) * side
            near = f"{below} or {above}" if below < above else f"{above}"
            problem = f"{pixels} is not a multiple of the model's cell of {side} pixels"
            raise SettingError(name, problem, f"give {near}", value=pixels, settings=(name,))
        return pixels // side

    def check_fit(self, scene: Scene) -> None:
        """Checks that the waves of a scene's textures fit its torus without a visible change.

        Raises:
          InputError: they do not; names the nearest extents that fit (`torus.strain`).
        """
        self._check_names(scene)
        if not (scene.rows or scene.cols):
            return
        steps = {texture: self.wave_steps(texture) for texture in scene.field.textures}
        strains = {texture: float(torus.strain(k, [scene.rows], [scene.cols])[0, 0]) for texture, k in steps.items()}
        worst = max(strains, key=strains.__getitem__)
        if strains[worst] <= 1.0:
            return
        least = 2 * geometry.HALO + 1 if scene.edges else 1
        good = torus.good_extents(list(steps.values()), scene.rows, scene.cols, least)
        side = self.pixels_per_cell
        near = ", ".join("x".join(str(n * side) for n in extent if n) for extent in good) or "none within 64 cells"
        pixels = "x".join(str(n * side) for n in (scene.rows, scene.cols) if n)
        which = "the texture" if len(steps) == 1 else f"texture {worst}"
        raise InputError(
            "tile",
            f"{pixels} pixels would distort the waves of {which} {strains[worst]:.2f} times more than allowed",
            f"the nearest extents that fit: {near}",
            value=(scene.rows * side, scene.cols * side),
            settings=("height", "width"),
        )

    def _check_names(self, scene: Scene) -> None:
        """Raises SettingError for a name or a vector that is no texture. Numbers always are; there may be many."""
        for texture in scene.field.textures:
            if not isinstance(texture, int):
                self.vector(texture)

    def _check_context(self) -> None:
        """Raises RuntimeError where TensorFlow would hang or give a symbolic tensor."""
        if os.getpid() != self._process:
            raise RuntimeError(
                "TexturePlane: this process was forked after the plane was made, and TensorFlow does not work across a "
                "fork; load the plane inside a process started by 'spawn' or 'forkserver'."
            )
        if not tf.executing_eagerly():
            raise RuntimeError(
                "TexturePlane: called inside a tf.function or another graph, where its pixels are not known; call it "
                "outside, or wrap the call in tf.numpy_function."
            )

    def _anchor(self, texture: texture_fields.Texture, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
        """The global vector [channels] of a texture and its waves, int64 turns per cell [waves, 2]; kept for reuse."""
        key = (texture if self.config.global_channels else 0, rows, cols)
        if key not in self._anchors:
            vector = self.vector(texture)
            self._anchors[key] = vector, torus.turns(self.folded.wave_steps(vector), rows, cols).numpy()
        return self._anchors[key]

    def pixel_turns(self, scene: Scene, rows: Any, cols: Any, waves: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The phases of the first waves of a scene's first texture along rows and columns of pixels.

        Args:
          scene: its seed and its torus.
          rows, cols: int64, pixels of the plane.
          waves: how many.

        Returns:
          int64 [rows, waves] and [cols, waves], turns in units of 2**-64; a pixel's phase is their sum.
        """
        turns = self._anchor(scene.field.textures[0], scene.rows, scene.cols)[1][:waves]
        return chunks.pixel_turns(
            turns, noise.phases(scene.seed, waves), rows, cols, self.pixels_per_cell, (scene.rows, scene.cols)
        )

    def _latents(self, scene: Scene, places: Sequence[tuple[int, int]]) -> tf.Tensor:
        """The latents of chunks with their halos: [chunks, extent, extent, channels].

        Those of chunks with the same textures are made in one call: on a GPU they take as long as those of one chunk.
        """
        squares = [self._square(scene, *place) for place in places]
        if len({square.textures for square in squares}) > 1:
            return tf.concat([self._squares_latents(scene, [square]) for square in squares], axis=0)
        return self._squares_latents(scene, squares)

    def _squares_latents(self, scene: Scene, squares: Sequence[_Square]) -> tf.Tensor:
        anchors = [self._anchor(texture, scene.rows, scene.cols) for texture in squares[0].textures]
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
        extent = self.chunk_cells + 2 * geometry.HALO
        first = row * self.chunk_cells - geometry.HALO, col * self.chunk_cells - geometry.HALO
        rows, cols = scene.wrapped(*first, extent)
        seeds = np.array([[scene.seed]])
        if scene.edges is not None:
            # Opposite edges are one edge of two tiles: top and bottom share, left and right share.
            edges = [noise.edge(CORNER + 1 + i % 2, colour) for i, colour in enumerate(scene.edges)]
            seeds = np.array([scene.seed, noise.edge(CORNER, 0), *edges])[scene.zones(*first, extent)]
        weighted = scene.field.weights(rows, cols, self.pixels_per_cell)
        textures, weights = zip(*weighted, strict=True)
        return _Square(seeds, rows, cols, textures, np.stack(weights))

    @tf.function(reduce_retracing=True)
    def _fields(
        self, seeds: Any, wave_seed: Any, rows: Any, cols: Any, vectors: Any, wave_turns: Any, weights: Any, change: Any
    ) -> tf.Tensor:
        phases = noise.phases(wave_seed, self.config.waves)
        return chunks.latents(self.config, seeds, rows, cols, phases, vectors, wave_turns, weights, change)

    # Of several chunks: a function of its own, whose retracing cannot forget that of one chunk.
    _batch_fields = tf.function(_fields.python_function, reduce_retracing=True)

    @tf.function
    def _paint(self, latents: Any) -> tf.Tensor:
        # NumPy arrays become constants of the graph, 6 % faster than captured tensors.
        blocks = chunks.cast(self.folded.blocks, self.folded.dtype)
        return chunks.pixels(blocks, latents, self.folded.dtype, self.config.downsampling)

    @tf.function
    def _paint_batch(self, latents: Any) -> tf.Tensor:
        blocks = chunks.cast(self.folded.blocks, self.folded.dtype)
        return chunks.batch_pixels(blocks, latents, self.folded.dtype, self.config.downsampling)


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
