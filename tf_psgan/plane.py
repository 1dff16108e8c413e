"""The plane: one question, "show me this window", and the same pixels whoever asks, in any order.

A texture is a function on an infinite plane: (model, seed, texture) -> a colour at every
integer pixel, negative coordinates included. A convolution's summation order follows its
shape, so the last bits of a pixel would depend on the window's size. The plane is therefore
made in tiles of one fixed shape on a fixed grid, and every window is put together from them.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import geometry, images, noise, waves
from tf_psgan.generator import SpatialGenerator, latent_field, paint

MAX_PIXEL = 2**40
"""Largest distance of a window from the origin, in pixels; far beyond any screen, safely inside int64."""

TILE_PIXELS = 512
"""Side of a tile: for large pictures a third faster than 256 and within 4 % of 1024 (benchmarks/tiles.py)."""


class Plane:
    """A trained generator's textures as infinite planes.

    Args:
      generator: with its batch statistics settled, and not trained on while the plane is in use.
      tile_cells: side of a tile in cells, 0 for `TILE_PIXELS`; planes of different tiles may differ in the last bit.
    """

    def __init__(self, generator: SpatialGenerator, tile_cells: int = 0) -> None:
        self.config = generator.config
        self.pixels_per_cell = generator.pixels_per_cell
        self.tile_cells = tile_cells or max(1, TILE_PIXELS // self.pixels_per_cell)
        self._generator = generator
        self._dtype = generator.compute_dtype
        # NumPy arrays become constants of the graph, 6 % faster than captured tensors; batch norm is folded in.
        self._weights = [(np.asarray(kernel), np.asarray(bias)) for kernel, bias in generator.folded()]
        self._textures: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}

    def window(self, seed: int, texture: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """The pixels of a window.

        Args:
          seed: which plane; any int64.
          texture: which global vector; any int64. Models without global channels have only one texture.
          top, left: the window's first pixel; any integers within `MAX_PIXEL`.
          height, width: extent in pixels, at least 1.

        Returns:
          uint8 [height, width, 3].

        Raises:
          ValueError: an extent below 1, or another value out of range.
        """
        for name, value, low, high in (
            ("height", height, 1, MAX_PIXEL),
            ("width", width, 1, MAX_PIXEL),
            ("top", top, -MAX_PIXEL, MAX_PIXEL),
            ("left", left, -MAX_PIXEL, MAX_PIXEL),
            ("seed", seed, -(2**63), 2**63 - 1),
            ("texture", texture, -(2**63), 2**63 - 1),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name}: {value} is outside {low} .. {high}; choose a value inside.")
        side = self.tile_cells * self.pixels_per_cell
        picture = np.empty((height, width, 3), np.uint8)
        for row in range(top // side, -(-(top + height) // side)):
            for col in range(left // side, -(-(left + width) // side)):
                tile = self.tile(seed, texture, row, col)
                down, right = row * side - top, col * side - left  # of the tile in the picture
                into = picture[max(down, 0) : down + side, max(right, 0) : right + side]
                from_row, from_col = max(-down, 0), max(-right, 0)
                into[...] = tile[from_row : from_row + into.shape[0], from_col : from_col + into.shape[1]]
        return picture

    def tile(self, seed: int, texture: int, row: int, col: int) -> np.ndarray:
        """Tile (row, col) of the grid: uint8 [side, side, 3], side = tile_cells * pixels_per_cell."""
        as_int64 = [tf.constant(value, tf.int64) for value in (seed, row, col)]
        return self._tile(*as_int64, *self._texture(texture)).numpy()

    def _texture(self, texture: int) -> tuple[tf.Tensor, tf.Tensor]:
        """A texture's global vector [channels] and wave numbers in fixed-point turns [waves, 2].

        Computed once and kept: far from the origin the slightest other wave number is another phase.
        """
        key = texture if self.config.global_channels else 0
        if key not in self._textures:
            z_global = noise.global_vector(key, self.config.global_channels)[tf.newaxis]
            numbers = np.asarray(self._generator.wave_numbers(z_global)[0])
            self._textures[key] = z_global[0], tf.constant(waves.turns(numbers))
        return self._textures[key]

    @tf.function
    def _tile(self, seed: Any, row: Any, col: Any, z_global: Any, wave_turns: Any) -> tf.Tensor:
        extent = self.tile_cells + 2 * geometry.HALO
        first_row = row * self.tile_cells - geometry.HALO
        first_col = col * self.tile_cells - geometry.HALO
        z_local = noise.local(seed, first_row, first_col, extent, extent, self.config.local_channels)
        phase = waves.radians(waves.phase_at(wave_turns, noise.phases(seed, self.config.waves), first_row, first_col))
        numbers = waves.radians(wave_turns)[tf.newaxis]
        z_periodic = waves.plane_waves(numbers, phase[tf.newaxis], extent, extent, self.config.quadrature)
        latents = latent_field(z_local[tf.newaxis], z_global[tf.newaxis, tf.newaxis, tf.newaxis], z_periodic)
        weights = [(tf.cast(kernel, self._dtype), tf.cast(bias, self._dtype)) for kernel, bias in self._weights]
        picture = paint(weights, latents, self._dtype)[0]
        side = self.tile_cells * self.pixels_per_cell
        return images.to_bytes(picture[geometry.HALO :, geometry.HALO :][:side, :side])
