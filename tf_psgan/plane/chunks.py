"""One tile of the plane as tensors: from a scene's numbers to latents, from latents to pixels.

The only place where pictures' pixels are made: `Plane` and the signatures of an export both call it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import ModelConfig
from tf_psgan.latents import noise, waves
from tf_psgan.networks import inference
from tf_psgan.networks.generator import latent_field

CHUNK_PIXELS = 512
"""Side of a tile; chosen by measurement, see docs/training.md."""


def cells(pixels_per_cell: int) -> int:
    """Side of a tile in cells."""
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
    """Local noise, the blended global vectors and the blended waves of a square of cells, with its halo.

    Args:
      seeds: int64 [1, 1], or [extent, extent] where cells take noise of other seeds.
      rows, cols: int64 [extent], cells in any order.
      phases: int64 [waves], at cell (0, 0), in units of 2**-64 turns.
      vectors: float32 [textures, global channels].
      wave_turns: int64 [textures, waves, 2], from `waves.turns`.
      weights: float32 [textures, extent, extent], sum 1 at every cell.
      change: None, or time and amount of a loop of the noise, see `noise.changed`.

    Returns:
      float32 [1, extent, extent, channels].
    """
    at = (seeds, rows[:, tf.newaxis], cols)
    z_local = noise.cells(*at, config.local_channels)
    if change is not None:
        z_local = noise.changed(z_local, *at, *change)
    extent = (len(rows), len(cols))
    z_global = tf.zeros((*extent, config.global_channels))
    z_periodic = tf.zeros((*extent, (2 if config.quadrature else 1) * config.waves))
    # One texture at a time, so that its waves have the same bits whatever is blended with them.
    for i in range(weights.shape[0]) if weights.shape[0] else tf.range(tf.shape(weights)[0]):
        weight = weights[i][..., tf.newaxis]
        z_global += weight * vectors[i]
        z_periodic += weight * waves.at_cells(wave_turns[i], phases, rows, cols, config.quadrature)
    return latent_field(*(field[tf.newaxis] for field in (z_local, z_global, z_periodic)))


def cast(blocks: Iterable[Sequence[Any]], dtype: str) -> list[tuple[Any, Any]]:
    """Weights in the type that they are computed in."""
    return [(tf.cast(kernel, dtype), tf.cast(bias, dtype)) for kernel, bias in blocks]


def pixels(blocks: list[tuple[Any, Any]], field: Any, dtype: str) -> tf.Tensor:
    """A tile from its latents: uint8 [side, side, 3], without the halo.

    Args:
      blocks: the network's weights, already of `dtype`.
      field: from `latents`.
    """
    # `images.to_bytes` without its clipping: a tanh stays inside. Bytes are cut, not floats: a quarter of the copying.
    picture = inference.generate_strips(
        blocks, field, dtype, lambda strip: tf.cast(tf.round((strip + 1.0) * 127.5), tf.uint8)
    )
    return picture[0, geometry.HALO : -geometry.HALO, geometry.HALO : -geometry.HALO]
