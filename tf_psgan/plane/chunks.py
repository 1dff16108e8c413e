"""A chunk of the plane as tensors: from positions and seeds to latents, from latents to pixels.

A chunk is the plane's unit of computation, a square of a fixed number of cells. All pixels, of `TexturePlane` and of
the signatures of an export, are computed here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import ModelConfig
from tf_psgan.latents import noise, waves
from tf_psgan.networks import inference
from tf_psgan.networks.generator import latent_field

GPU_BATCH = 8
"""Chunks computed together on a GPU, which one chunk does not occupy. Always so many, because the last bits of a pixel
depend on the extent of the batch."""

CHUNK_PIXELS = 512
"""Approximate side of a chunk in pixels; chosen by measurement, see docs/research/speed.md."""


UNROLLED = 8
"""Textures up to which the graph has a part for each; tracing hundreds of parts would take longer than the picture."""


def cells(pixels_per_cell: int) -> int:
    """Side of a chunk in cells."""
    return max(1, CHUNK_PIXELS // pixels_per_cell)


def latents(
    config: ModelConfig,
    seeds: Any,
    rows: Any,
    cols: Any,
    phases: Any,
    vectors: Any,
    wave_turns: Any,
    weights: Any,
    change: Any = None,
) -> tf.Tensor:
    """The network's input for a square of cells: local noise, blended global vectors and blended waves.

    Or for several squares at once, which have the same textures: then rows, cols and the extents of seeds and weights
    have an axis [batch] in front.

    Args:
      seeds: int64 [1, 1]; or [extent, extent] where cells differ in the seed of their noise.
      rows, cols: int64 [extent], the cells of the chunk and of its halo, in any order.
      phases: int64 [waves], at cell (0, 0), turns in units of 2**-64.
      vectors: float32 [textures, global channels].
      wave_turns: int64 [textures, waves, 2], turns per cell in units of 2**-64, from `torus.turns`.
      weights: float32 [textures, extent, extent], sum 1 at every cell.
      change: None, or time and amount of animated noise (`noise.changed`); where one is 0 it is the plane's own.

    Returns:
      float32 [1 or batch, extent, extent, channels].
    """
    at = (seeds, rows[..., :, tf.newaxis], cols[..., tf.newaxis, :])
    z_local = noise.cells(*at, config.local_channels)
    if change is not None:
        still, (time, amount) = z_local, change
        z_local = tf.cond((time > 0) & (amount > 0), lambda: noise.changed(still, *at, time, amount), lambda: still)
    extent = z_local.shape[:-1]
    z_global = tf.zeros((*extent, config.global_channels))
    z_periodic = tf.zeros((*extent, (2 if config.quadrature else 1) * config.waves))
    # One texture at a time, so that its waves have the same bits whatever is blended with them.
    is_few = weights.shape[0] and weights.shape[0] <= UNROLLED
    for i in range(weights.shape[0]) if is_few else tf.range(tf.shape(weights)[0]):
        weight = weights[i][..., tf.newaxis]
        z_global += weight * vectors[i]
        z_periodic += weight * waves.at_cells(wave_turns[i], phases, rows, cols, config.quadrature)
    fields = (z_local, z_global, z_periodic)
    return latent_field(*(fields if len(rows.shape) > 1 else (field[tf.newaxis] for field in fields)))


def pixel_turns(
    wave_turns: Any, phases: Any, rows: Any, cols: Any, pixels_per_cell: int, torus: tuple[Any, Any]
) -> tuple[tf.Tensor, tf.Tensor]:
    """The phases of waves along rows and columns of pixels.

    Args:
      wave_turns: int64 [waves, 2], turns per cell in units of 2**-64, from `torus.turns`.
      phases: int64 [waves], at cell (0, 0), in the same units.
      rows, cols: int64 [rows] and [cols], pixels of the plane.
      pixels_per_cell: a power of two.
      torus: rows and columns of the torus in cells; 0 along an endless axis.

    Returns:
      int64 [rows, waves] and [cols, waves]; a pixel's phase is their sum, modulo 2**64.
    """
    parts = []
    for axis, (pixels, closed) in enumerate(zip((rows, cols), torus, strict=True)):
        pixels = tf.cast(pixels, tf.int64)
        period = tf.cast(closed, tf.int64) * pixels_per_cell
        pixels = tf.where(period > 0, pixels % tf.maximum(period, 1), pixels)[:, tf.newaxis]
        turns = tf.cast(wave_turns, tf.int64)[:, axis]
        # The turns per pixel are rounded down, so a cell's pixels count from the cell's own phase.
        parts.append(pixels // pixels_per_cell * turns + pixels % pixels_per_cell * (turns // pixels_per_cell))
    return parts[0] + tf.cast(phases, tf.int64), parts[1]


def patch_keys(seed: Any, rows: Any, cols: Any, side: int, pixels_per_cell: int, torus: tuple[Any, Any]) -> tf.Tensor:
    """The keys of the detail stage's blocks (`noise.patch_keys`).

    Args:
      seed: of the plane, int64 scalar.
      rows, cols: int64 [height] and [width], consecutive pixels of the plane from a block's first one.
      side: of a block in pixels, a divisor of `pixels_per_cell`.
      pixels_per_cell: a power of two.
      torus: rows and columns of the torus in cells; 0 along an endless axis.

    Returns:
      int64 [height / side, width / side].
    """
    blocks = [
        _blocks(pixels, side, period)
        for pixels, period in zip((rows, cols), _periods(torus, side, pixels_per_cell), strict=True)
    ]
    return noise.patch_keys(seed, blocks[0][:, tf.newaxis], blocks[1])


def squares(
    rows: Any, cols: Any, side: int, pixels_per_cell: int, torus: tuple[Any, Any], blocks: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The squares of blocks into which the detail stage divides the plane (`detail.patches`).

    Args:
      rows, cols, side, pixels_per_cell, torus: as of `patch_keys`.
      blocks: side of a square. On a torus squares are smaller where its period is no multiple of that.

    Returns:
      Of each row and each column of blocks, int32 [height / side, 2] and [width / side, 2]: how many blocks its square
      begins before it, and the square's side.
    """
    found = []
    for pixels, period in zip((rows, cols), _periods(torus, side, pixels_per_cell), strict=True):
        at = _blocks(pixels, side, period)
        length = tf.where(period > 0, period, blocks)
        count = (length + blocks - 1) // blocks
        square = at % length * count // length
        first, following = (-(-(number * length) // count) for number in (square, square + 1))
        found.append(tf.cast(tf.stack([at % length - first, following - first], axis=1), tf.int32))
    return found[0], found[1]


def _periods(torus: tuple[Any, Any], side: int, pixels_per_cell: int) -> list[tf.Tensor]:
    """Rows and columns of a torus in blocks of `side` pixels, int64; 0 along an endless axis."""
    return [tf.cast(closed, tf.int64) * (pixels_per_cell // side) for closed in torus]


def _blocks(pixels: Any, side: int, period: tf.Tensor) -> tf.Tensor:
    """The blocks that begin at every `side`-th of these pixels, modulo the period where there is one: int64 [n]."""
    block = tf.cast(pixels, tf.int64)[::side] // side
    return tf.where(period > 0, block % tf.maximum(period, 1), block)


def cast(blocks: Iterable[Sequence[Any]], dtype: str) -> list[tuple[Any, Any]]:
    """Kernels and biases in the type in which convolutions are computed."""
    return [(tf.cast(kernel, dtype), tf.cast(bias, dtype)) for kernel, bias in blocks]


def pixels(blocks: list[tuple[Any, Any]], field: Any, dtype: str, factor: int = 1) -> tf.Tensor:
    """The pixels of a chunk from its latents: uint8 [side, side, 3], without the halo.

    Args:
      blocks: kernels and biases of the network, already of `dtype`.
      field: float32 [1, extent, extent, channels], from `latents`.
      dtype: of the convolutions.
      factor: by which the network's picture is enlarged, `ModelConfig.downsampling`.
    """
    # `images.to_bytes` without its clipping, since tanh stays inside. The halo is cut from bytes, not from floats: a
    # quarter of the copying.
    picture = inference.generate_strips(
        blocks, field, dtype, lambda strip: tf.cast(tf.round((strip + 1.0) * 127.5), tf.uint8)
    )
    return _without_halo(picture, factor)[0]


def batch_pixels(blocks: list[tuple[Any, Any]], fields: Any, dtype: str, factor: int = 1) -> tf.Tensor:
    """`pixels` of several chunks at once: [batch, extent, extent, channels] -> uint8 [batch, side, side, 3]."""
    pictures = tf.cast(tf.round((inference.generate(blocks, fields, dtype) + 1.0) * 127.5), tf.uint8)
    return _without_halo(pictures, factor)


def _without_halo(pictures: tf.Tensor, factor: int) -> tf.Tensor:
    """The chunks in the network's pictures, uint8 [batch, rows, cols, 3], enlarged by linear interpolation."""
    halo = geometry.HALO * factor
    if factor > 1:
        extent = factor * tf.shape(pictures)[1:3]
        enlarged = tf.image.resize(tf.cast(pictures, tf.float32), extent, "bilinear")
        pictures = tf.cast(tf.round(enlarged), tf.uint8)
    return pictures[:, halo:-halo, halo:-halo]
