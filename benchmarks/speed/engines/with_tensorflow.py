"""TensorFlow: this project's network, plane and exported SavedModel in a session, and plain Keras.

The session is of the kind that TensorFlow Serving uses, without a server.
"""

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from engines.work import DTYPES, Way, Work, middle
from tf_psgan import geometry
from tf_psgan.exporting import saved_model
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.plane.plane import TexturePlane


class Exports:
    """The network exported once for each compute type and loaded as a server loads it."""

    def __init__(self, work: Work) -> None:
        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.folded = {dtype: work.folded(dtype) for dtype in DTYPES}
        self.planes = {dtype: TexturePlane(folded) for dtype, folded in self.folded.items()}
        self.models = {
            dtype: SessionModel(saved_model.write(folded, folder / dtype, {}, {}))
            for dtype, folded in self.folded.items()
        }


def ways(work: Work, exports: Exports, pixels: int) -> list[Way]:
    """All variants for a picture of one size."""
    latents = work.latents(pixels)
    made = [_plain(work, latents, dtype) for dtype in DTYPES]
    for dtype, folded in exports.folded.items():
        network, model = _network(folded), exports.models[dtype]
        constant = tf.constant(latents)
        run = _blocking(network, constant)

        def run_export(model: SessionModel = model) -> np.ndarray:
            return model.run("serving_default", latents=latents)

        def network_picture(run: Callable[[], np.ndarray] = run) -> np.ndarray:
            return middle(run()[0])

        def export_picture(run: Callable[[], np.ndarray] = run_export) -> np.ndarray:
            return middle(run()[0])

        made += [
            Way("here, network", "network", dtype, run, network_picture),
            Way("export in a session, serving_default", "network", dtype, run_export, export_picture),
            *_pictures(exports.planes[dtype], model, dtype, pixels),
        ]
    return made


def _blocking(network: Callable[[Any], Any], latents: Any) -> Callable[[], Any]:
    return lambda: network(latents).numpy()


def _network(folded: FoldedGenerator) -> Callable[[Any], Any]:
    return tf.function(
        lambda latents: inference.generate_strips(chunks.cast(folded.blocks, folded.dtype), latents, folded.dtype)
    )


def _pictures(plane: TexturePlane, model: SessionModel, dtype: str, pixels: int) -> list[Way]:
    seeds = itertools.count()  # a new seed for each call, because the plane caches chunks
    window = {"texture": 0, "top": 0, "left": 0, "height": pixels, "width": pixels}
    if not np.array_equal(plane.window(seed=-1, **window), model.run("window", seed=-1, **window)):
        raise ValueError(
            f"the export's {pixels} x {pixels} window in {dtype} differs from the plane's; they must be identical."
        )
    return [
        Way("here, plane", "picture", dtype, lambda: plane.window(seed=next(seeds), **window)),
        Way("export in a session, window", "picture", dtype, lambda: model.run("window", seed=next(seeds), **window)),
    ]


def _plain(work: Work, latents: np.ndarray, dtype: str) -> Way:
    """A network of the same widths built from Conv2DTranspose; zero padding changes the pixels near the edges."""
    x = inputs = keras.Input((None, None, latents.shape[-1]))
    side = work.config.kernel_size
    for filters in work.config.filters:
        x = keras.layers.Conv2DTranspose(filters, side, 2, "same", use_bias=False, dtype=DTYPES[dtype])(x)
        x = keras.layers.BatchNormalization(epsilon=0.0, dtype=DTYPES[dtype])(x)
        x = keras.layers.ReLU(dtype=DTYPES[dtype])(x)
    last = keras.layers.Conv2DTranspose(3, side, 2, "same", activation="tanh", dtype=DTYPES[dtype])
    model = keras.Model(inputs, last(x))
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer, kernel in zip(layers, work.kernels, strict=True):
        layer.kernel.assign(np.swapaxes(kernel, 2, 3))
    for norm, bias in zip(norms, work.biases, strict=False):
        norm.beta.assign(bias)
    last.bias.assign(work.biases[-1])
    constant = tf.constant(latents[:, geometry.HALO : -geometry.HALO, geometry.HALO : -geometry.HALO])
    network = tf.function(lambda x: model(x, training=False))
    # Keras pads a 5x5 kernel by one pixel before and two after: each layer shifts the picture by one of its pixels.
    shift = 0 if side == 6 else work.cell - 1

    def picture() -> np.ndarray:
        return np.roll(tf.cast(network(constant)[0], tf.float32).numpy(), (-shift, -shift), (0, 1))

    return Way("plain Keras, zero-padded", "network", dtype, _blocking(network, constant), picture, 3 * work.cell)
