"""The texture plane: an infinite picture of which any window can be computed.

A texture is a function on an infinite plane: (generator, scene) -> a colour at every integer pixel, negative
coordinates included. Any window, requested in any order, has bit-identical pixels where windows overlap: windows are
assembled from chunks (`generator_plane`), or from what a detail stage makes of these. Seamless tiles, blends of
textures and animated noise are other scenes of the same plane.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

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
from tf_psgan.latents.scene import Scene
from tf_psgan.plane import chunks
from tf_psgan.plane.finished_pixels import FinishedPixels
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.plane.generator_plane import GeneratorPlane
from tf_psgan.plane.textures import Textures

DETAIL_PIXELS = 512
"""Side of the blocks in which the detail stage works; bounds its memory, and has no effect on the pixels."""

DETAIL_PIECE = 32
"""Side of the pieces in which the detail stage's pixels are kept: larger ones would cost more beyond a window's edges,
smaller ones more steps in Python. Where the coarsest pixel of the detail stage is larger, pieces have its side."""

RECENT_PIECES = 16384
"""Pieces kept in memory, 50 MB; fewer where they are larger."""

_AXES = ("x", "y", "xy")


class TexturePlane:
    """The textures of a trained generator as infinite planes.

    Methods may be called from several threads. A plane cannot be used inside a `tf.function`, nor in a process that was
    forked after the plane was made: TensorFlow's threads do not survive a fork. Such calls raise RuntimeError.

    Args:
      folded: the generator, with batch norm folded into the kernels; of a material, its colours are shown.
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
        self.folded = folded = folded.picture()
        self.config = self.folded.config
        self.pixels_per_cell = self.folded.pixels_per_cell
        self.chunk_cells = chunk_cells or chunks.cells(self.pixels_per_cell)
        self._textures = Textures(folded, names)
        self.names = self._textures.names
        self._generator = GeneratorPlane(folded, self._textures, self.chunk_cells)
        self.batch = self._generator.batch
        """Chunks that are computed together."""
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
        self._process = os.getpid()

    def clear_cache(self) -> None:
        """Forgets the pixels that are kept for further windows, about 100 MB at most."""
        self._generator.clear_cache()
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
        self._textures.check(scene)
        if self._detail is not None:
            make = functools.partial(self._block, self._detail, scene)
            return self._finished.window(scene, height, width, top, left, make)
        return self._generator.window(scene, height, width, top, left)

    def chunk(self, scene: Scene, row: int, col: int) -> np.ndarray:
        """Chunk (row, col) of the generator's picture, uint8 [side, side, 3], side = chunk_cells * pixels_per_cell.

        Read-only. On a torus the grid starts at the first cell of the torus; a chunk may extend beyond its last cell,
        where its pixels are not used.
        """
        self._check_context()
        return next(self._generator.chunks(scene, [(row, col)]))

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
        guide = np.zeros((0, 0, 3), np.uint8)
        if detail.uses_guide:
            guide = self._generator.window(scene, height, width, top, left)
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
        return self._generator.latents(scene, [(row, col)]).numpy()[0]

    def vector(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """The global vector of a texture, float32 [global channels].

        Raises:
          InputError: an unknown name, or a number or a vector out of range.
          TypeError, RuntimeError: as `window`.
        """
        self._check_context()
        return self._textures.vector(texture)

    def vectors(self, textures: Sequence[texture_fields.Texture]) -> np.ndarray:
        """`vector` of several textures at once, float32 [textures, global channels]."""
        self._check_context()
        return self._textures.vectors(textures)

    def wave_numbers(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """The wave numbers of a texture on the endless plane, float64 [waves, 2], radians per cell, (row, col) last."""
        return waves.wave_numbers(self.wave_steps(texture)).numpy()

    def wave_steps(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """`wave_numbers` on their grid, int64 [waves, 2], steps of 2**-32 turns per cell."""
        self._check_context()
        return self._textures.wave_steps(texture)

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
        self._textures.check(scene)
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

    def pixel_turns(self, scene: Scene, rows: Any, cols: Any, waves: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The phases of the first waves of a scene's first texture along rows and columns of pixels.

        Args:
          scene: its seed and its torus.
          rows, cols: int64, pixels of the plane.
          waves: how many.

        Returns:
          int64 [rows, waves] and [cols, waves], turns in units of 2**-64; a pixel's phase is their sum.
        """
        turns = self._textures.on_torus(scene.field.textures[0], scene.rows, scene.cols)[1][:waves]
        return chunks.pixel_turns(
            turns, noise.phases(scene.seed, waves), rows, cols, self.pixels_per_cell, (scene.rows, scene.cols)
        )
