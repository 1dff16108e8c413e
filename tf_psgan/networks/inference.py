"""The generator in inference form: a function of folded weights and latents.

The same images as `SpatialGenerator.call` outside training, from kernels with batch normalization folded in.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from tf_psgan import geometry
from tf_psgan.networks import operations


def generate(weights: Sequence[tuple[Any, Any]], latents: Any, dtype: str) -> Any:
    """Latents [batch, rows + 4, cols + 4, channels] -> images [batch, side * rows + 4, side * cols + 4, 3].

    Args:
      weights: (kernel, bias) of each layer from `SpatialGenerator.folded`, already cast to `dtype`.
      dtype: of the convolutions, "float32" or "bfloat16".

    Returns:
      float32 in [-1, 1]; `side` is `SpatialGenerator.pixels_per_cell`.
    """
    x = ops.cast(latents, dtype)
    *hidden, last = weights
    # In bfloat16 products are cheap: spend some more on the last layer, and do not rearrange the largest tensor.
    across = hidden.pop() if dtype == "bfloat16" and hidden else None
    for layer in hidden:
        x = operations.convolve(x, *layer, relu=True)
    if across:
        x = operations.convolve_across(operations.convolve_to_phases(x, *across), *last)
    else:
        x = operations.convolve(x, *last)
    return ops.tanh(ops.cast(x, "float32"))


def generate_strips(
    weights: Sequence[tuple[Any, Any]],
    latents: Any,
    dtype: str,
    finish: Callable[[Any], Any] = lambda strip: strip,
) -> Any:
    """The images of `generate`, computed as an upper and a lower strip that do not depend on each other.

    Two cores can compute one strip each, which costs less than sharing the work of every layer. `finish` is applied to
    each strip and must work pixel by pixel.
    """
    spare, halo = 2 * geometry.HALO, geometry.HALO
    middle = (ops.shape(latents)[1] - spare) // 2
    if isinstance(middle, int) and middle == 0:
        return finish(generate(weights, latents, dtype))
    parts = latents[:, : middle + spare], latents[:, middle:]
    upper, lower = (finish(generate(weights, part, dtype)) for part in parts)
    return ops.concatenate([upper[:, :-halo], lower[:, halo:]], axis=1)
