"""The same Keras model under JAX, on whatever device JAX has. TensorFlow is not imported.

Keras must have been told its backend before this file is imported.
"""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import keras
import numpy as np
from keras import ops

from engines.rounds import interleave, spread
from engines.work import DTYPES, Work, middle
from tf_psgan import geometry
from tf_psgan.networks import inference

PRODUCTS = ((1024, 1024, 1024), (8192, 8192, 8192))


def table(work: Work, sizes: list[int], batches: list[int], rounds: int, limit: int) -> Iterator[dict[str, Any]]:
    """A record for each size, batch, compute type and form; those above `limit` bytes are named and left out.

    Forms: `SpatialGenerator.call`, batch norm folded anew at each call, and `paint` with weights folded before, which
    also makes bytes. Latents are on the device before, pictures stay there. `apart`: of a picture of four cells.
    """
    expected = None
    for dtype in DTYPES:
        network = work.generator(dtype)
        folded = [tuple(ops.cast(part, dtype) for part in block) for block in network.folded()]
        state = [variable.value for variable in network.variables]
        forms = {
            "SpatialGenerator.call": functools.partial(_called(network), state),
            "paint, to bytes": functools.partial(_painted(dtype), folded),
        }
        few = ops.convert_to_tensor(work.latents(4 * work.cell))
        trial = middle(np.asarray(forms["SpatialGenerator.call"](few))[0])
        expected = trial if expected is None else expected
        apart = float(np.abs(trial - expected).max() * 127.5)
        for pixels in sizes:
            for batch in batches:
                for form, run in forms.items():
                    shown = {"pixels": pixels, "batch": batch, "dtype": dtype, "form": form, "apart": apart}
                    if (need := memory(work, pixels, batch, dtype)) > limit:
                        yield shown | {"left_out": f"needs about {need / 2**30:.1f} GiB"}
                        continue
                    yield shown | _timed(run, work, pixels, batch, rounds)


def memory(work: Work, pixels: int, batch: int, dtype: str) -> float:
    """Bytes for a picture's two largest tensors, twice, and the picture itself in float32."""
    value = 2 if dtype == "bfloat16" else 4
    widest = max(kernel.shape[3] / 4 ** (len(work.kernels) - 1 - i) for i, kernel in enumerate(work.kernels))
    return batch * pixels**2 * (4 * value * widest + 2 * 3 * 4)


def best_product(rounds: int) -> dict[str, float]:
    """Operations a second of the best matrix product, by compute type."""
    best = {}
    for dtype in DTYPES:
        found = []
        for rows, inner, cols in PRODUCTS[: 1 if jax.default_backend() == "cpu" else None]:
            a, b = (ops.cast(keras.random.normal(shape, seed=1), dtype) for shape in ((rows, inner), (inner, cols)))
            run = functools.partial(_ended, jax.jit(ops.matmul), a, b)
            found.append(2e3 * rows * inner * cols / spread(interleave({0: run}, rounds)[0])[0])
        best[dtype] = max(found)
    return best


def device() -> str:
    """What JAX computes on."""
    return f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, Keras {keras.__version__}"


def _called(network: Any) -> Any:
    @jax.jit
    def call(state: Any, latents: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(network.variables, state, strict=True))):
            return network(latents, training=False)

    return call


def _painted(dtype: str) -> Any:
    @jax.jit
    def call(folded: Any, latents: Any) -> Any:
        halo = geometry.HALO
        picture = inference.generate(folded, latents, dtype)[:, halo:-halo, halo:-halo]
        return ops.cast(ops.round((picture + 1.0) * 127.5), "uint8")

    return call


def _timed(run: Any, work: Work, pixels: int, batch: int, rounds: int) -> dict[str, Any]:
    latents = ops.convert_to_tensor(work.latents(pixels, batch))
    try:
        median, low, high = spread(interleave({0: functools.partial(_ended, run, latents)}, rounds)[0])
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"left_out": "not enough memory"}
    return {"median": median, "low": low, "high": high, "rate": batch * work.operations(pixels) / median * 1e3}


def _ended(function: Any, *inputs: Any) -> Any:
    return function(*inputs).block_until_ready()
