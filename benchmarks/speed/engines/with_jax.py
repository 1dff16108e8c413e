"""The same Keras model under JAX, on the default device of JAX. TensorFlow is not imported.

Set the environment variable KERAS_BACKEND=jax before importing this module.
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
    """One record per size, batch, compute type and form; records that need more than `limit` bytes are not timed.

    Forms: `SpatialGenerator.call`, which folds batch norm at each call, and `inference.generate` with weights folded in
    advance, which also converts to bytes. Latents and pictures are in the memory of the device. `apart` is the largest
    difference of a picture of four cells from float32, in 8-bit values.
    """
    expected = None
    for dtype in DTYPES:
        network = work.generator(dtype)
        folded = [tuple(ops.cast(part, dtype) for part in block) for block in network.folded()]
        state = [variable.value for variable in network.variables]
        forms = {
            "SpatialGenerator.call": functools.partial(_network(network), state),
            "paint, to bytes": functools.partial(_to_bytes(dtype), folded),
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
    """Estimated bytes: two tensors of the widest layer's size, twice, and the picture in float32, twice."""
    value = 2 if dtype == "bfloat16" else 4
    widest = max(kernel.shape[3] / 4 ** (len(work.kernels) - 1 - i) for i, kernel in enumerate(work.kernels))
    return batch * pixels**2 * (4 * value * widest + 2 * 3 * 4)


def best_product(rounds: int) -> dict[str, float]:
    """Rate of the best matrix product in operations per second, by compute type."""
    best = {}
    for dtype in DTYPES:
        found = []
        for rows, inner, cols in PRODUCTS[: 1 if jax.default_backend() == "cpu" else None]:
            a, b = (ops.cast(keras.random.normal(shape, seed=1), dtype) for shape in ((rows, inner), (inner, cols)))
            run = functools.partial(_blocking, jax.jit(ops.matmul), a, b)
            found.append(2e3 * rows * inner * cols / spread(interleave({0: run}, rounds)[0])[0])
        best[dtype] = max(found)
    return best


def device() -> str:
    """The device of JAX, with versions."""
    return f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, Keras {keras.__version__}"


def _network(network: Any) -> Any:
    @jax.jit
    def call(state: Any, latents: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(network.variables, state, strict=True))):
            return network(latents, training=False)

    return call


def _to_bytes(dtype: str) -> Any:
    @jax.jit
    def call(folded: Any, latents: Any) -> Any:
        halo = geometry.HALO
        picture = inference.generate(folded, latents, dtype)[:, halo:-halo, halo:-halo]
        return ops.cast(ops.round((picture + 1.0) * 127.5), "uint8")

    return call


def _timed(run: Any, work: Work, pixels: int, batch: int, rounds: int) -> dict[str, Any]:
    latents = ops.convert_to_tensor(work.latents(pixels, batch))
    try:
        median, low, high = spread(interleave({0: functools.partial(_blocking, run, latents)}, rounds)[0])
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"left_out": "not enough memory"}
    return {"median": median, "low": low, "high": high, "rate": batch * work.operations(pixels) / median * 1e3}


def _blocking(function: Any, *inputs: Any) -> Any:
    return function(*inputs).block_until_ready()
