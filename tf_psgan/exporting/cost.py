"""What a pixel of an exported model costs, for servers that limit their load."""

import time
from collections.abc import Callable

from tf_psgan.latents.scene import Scene
from tf_psgan.plane.plane import DETAIL_PIXELS, TexturePlane

_ROUNDS = 3


def per_pixel(plane: TexturePlane) -> float:
    """The time of a pixel of a window, measured here, as a multiple of the time of one that the network makes alone.

    With a detail stage that of a single window of 512 x 512 pixels, including the generator's picture around it;
    without one exactly 1, as for the signature `serving_default` of any model.

    Args:
      plane: with its detail stage if it has one.
    """
    if plane.exemplar is None:
        return 1.0
    chunk = (plane.chunk_cells * plane.pixels_per_cell) ** 2
    ways: list[tuple[int, Callable[[int], object]]] = [
        (DETAIL_PIXELS**2, lambda seed: plane.window(DETAIL_PIXELS, DETAIL_PIXELS, seed=seed)),
        (chunk, lambda seed: plane.chunk(Scene(seed), 0, 0)),
    ]
    best = [float("inf")] * len(ways)
    for seed in range(_ROUNDS):
        for i, (pixels, make) in enumerate(ways):
            plane.clear_cache()
            start = time.perf_counter()
            make(seed)
            best[i] = min(best[i], (time.perf_counter() - start) / pixels)
    return max(1.0, round(best[0] / best[1], 1))
