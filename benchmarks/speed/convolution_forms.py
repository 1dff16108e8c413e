"""Times a large picture by side of the chunks, chunks at a time, callers, and form of the up-convolution.

All variants compute 2048 x 2048 pixels (see --side) with the same network, interleaved in one run.

  python benchmarks/speed/convolution_forms.py [--flagfile=flags/honeycomb.cfg] [--rounds=7] [--side=2048]
"""

import concurrent.futures
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from tf_psgan import geometry
from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.data import images
from tf_psgan.networks import layers
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane.folded_generator import FoldedGenerator, fold
from tf_psgan.runtime import device

USAGE = "Times a large picture by the way its chunks are computed."
WAYS = [  # side of a chunk in pixels, chunks at a time, callers, form
    (128, 1, 1, "one convolution"),
    (256, 1, 1, "one convolution"),
    (256, 4, 1, "one convolution"),
    (512, 1, 1, "one convolution"),
    (512, 2, 1, "one convolution"),
    (512, 4, 1, "one convolution"),
    (1024, 1, 1, "one convolution"),
    (512, 1, 2, "one convolution"),
    (512, 1, 1, "one convolution, ReLU last"),
    (512, 1, 1, "two convolutions"),
    (512, 1, 1, "four convolutions"),
    (512, 1, 1, "transposed"),
    (512, 1, 1, "patches times matrix"),
]


def define(values: flags.FlagValues) -> None:
    """Defines flags for the generator, the side of the picture and the number of rounds."""
    edge.define_config(values)
    flags.DEFINE_integer(
        "rounds", 7, "Timings of each variant; the median is reported.", lower_bound=3, flag_values=values
    )
    flags.DEFINE_integer("side", 2048, "Side of the picture in pixels.", lower_bound=1024, flag_values=values)
    flags.DEFINE_string("run", None, "Not used; presets set it.", flag_values=values)


def one_convolution(x: Any, kernel: Any, bias: Any, relu: bool) -> Any:
    """The project's form, except that it merges the last two layers in bfloat16: 3x3, bias, ReLU, depth to space."""
    return layers.convolve(x, kernel, bias, relu)


def relu_last(x: Any, kernel: Any, bias: Any, relu: bool) -> Any:
    """The same with the bias as a separate sum, and ReLU after depth to space."""
    x = layers.depth_to_space(tf.nn.conv2d(x, kernel, 1, "VALID") + bias)
    return tf.nn.relu(x) if relu else x


def two_convolutions(x: Any, kernel: Any, bias: Any, relu: bool) -> Any:
    """One 3x3 convolution per output row: columns are already in order, only rows are interleaved."""
    upper, lower = _parts(x, kernel, bias, relu, 2)
    batch, rows, cols, twice = upper.shape
    return tf.reshape(tf.stack([upper, lower], axis=2), (batch, 2 * rows, 2 * cols, twice // 2))


def four_convolutions(x: Any, kernel: Any, bias: Any, relu: bool) -> Any:
    """One 3x3 convolution per output phase; the phases are then interleaved."""
    a, b, c, d = _parts(x, kernel, bias, relu, 4)
    batch, rows, cols, channels = a.shape
    together = tf.stack([tf.stack([a, b], axis=3), tf.stack([c, d], axis=3)], axis=2)
    return tf.reshape(together, (batch, 2 * rows, 2 * cols, channels))


def transposed(x: Any, kernel: Any, bias: Any, relu: bool) -> Any:
    """TensorFlow's transposed convolution, 6x6 with stride two, cropped to pixels that depend on real inputs only."""
    channels = kernel.shape[-1] // 4
    taps = tf.reshape(kernel, (3, 3, kernel.shape[2], 2, 2, channels))[::-1, ::-1]
    taps = tf.reshape(tf.transpose(taps, (0, 3, 1, 4, 5, 2)), (6, 6, channels, kernel.shape[2]))
    batch, rows, cols, _ = x.shape
    full = tf.nn.conv2d_transpose(x, taps, (batch, 2 * rows + 4, 2 * cols + 4, channels), 2, "VALID")
    x = tf.nn.bias_add(full[:, 4:-4, 4:-4], bias[:channels])
    return tf.nn.relu(x) if relu else x


def patches_times_matrix(x: Any, kernel: Any, bias: Any, relu: bool) -> Any:
    """All 3x3 patches as rows of one matrix, times the kernel."""
    patches = tf.image.extract_patches(x, (1, 3, 3, 1), (1, 1, 1, 1), (1, 1, 1, 1), "VALID")
    x = tf.nn.bias_add(patches @ tf.reshape(kernel, (-1, kernel.shape[-1])), bias)
    return layers.depth_to_space(tf.nn.relu(x) if relu else x)


def _parts(x: Any, kernel: Any, bias: Any, relu: bool, count: int) -> list[Any]:
    parts = zip(tf.split(kernel, count, axis=-1), tf.split(bias, count), strict=True)
    made = [tf.nn.bias_add(tf.nn.conv2d(x, k, 1, "VALID"), b) for k, b in parts]
    return [tf.nn.relu(part) for part in made] if relu else made


FORMS: dict[str, Callable[[Any, Any, Any, bool], Any]] = {
    "one convolution": one_convolution,
    "one convolution, ReLU last": relu_last,
    "two convolutions": two_convolutions,
    "four convolutions": four_convolutions,
    "transposed": transposed,
    "patches times matrix": patches_times_matrix,
}


def maker(folded: FoldedGenerator, form: str) -> Callable[[Any], Any]:
    """The network with its up-convolutions in a given form: latents to uint8 pictures without the halo."""

    @tf.function
    def make(latents: Any) -> Any:
        x = tf.cast(latents, folded.dtype)
        for i, block in enumerate(folded.blocks):
            x = FORMS[form](x, *(tf.cast(part, folded.dtype) for part in block), i + 1 < len(folded.blocks))
        x = tf.tanh(tf.cast(x, tf.float32))
        return images.to_bytes(x[:, geometry.HALO : -geometry.HALO, geometry.HALO : -geometry.HALO])

    return make


def main(values: flags.FlagValues) -> str:
    """Times all variants, interleaved; returns a Markdown table."""
    config = edge.read_config(values)
    threads = device.set_threads(config.training.threads)
    folded = fold(SpatialGenerator.from_model_config(config.model, dtype=device.compute_type(config.training.dtype)))
    channels, random = folded.blocks[0][0].shape[2], np.random.default_rng(0)
    # A new network has equal phases and biases of 0: TensorFlow would compute one phase only and drop the sums.
    blocks = [
        (random.normal(0, 0.02, kernel.shape), np.tile(random.normal(0, 0.1, len(bias) // 4), 4))
        for kernel, bias in folded.blocks
    ]
    folded = dataclasses.replace(folded, blocks=tuple((k.astype(np.float32), b.astype(np.float32)) for k, b in blocks))
    makers, side = {form: maker(folded, form) for form in FORMS}, values["side"].value
    trial = tf.constant(random.uniform(-1, 1, (1, 12, 12, channels)), tf.float32)
    expected = keras.ops.convert_to_numpy(makers["one convolution"](trial)).astype(int)
    for form, make in makers.items():
        assert np.abs(make(trial).numpy() - expected).max() <= 2, f"{form} makes another picture"

    def work(way: tuple[int, int, int, str]) -> Callable[[], None]:
        pixels, batch, callers, form = way
        extent = pixels // folded.pixels_per_cell + 2 * geometry.HALO
        latents = tf.constant(random.uniform(-1, 1, (batch, extent, extent, channels)), tf.float32)
        calls = (side // pixels) ** 2 // batch

        def once(_: int) -> None:
            makers[form](latents).numpy()

        def run() -> None:
            with concurrent.futures.ThreadPoolExecutor(callers) as pool:
                list(pool.map(once, range(calls)))

        return run

    works = {way: work(way) for way in WAYS}
    for run in works.values():
        run()
    times: dict[Any, list[float]] = {way: [] for way in WAYS}
    for _ in range(values["rounds"].value):
        for way, run in works.items():
            began = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - began)
    rounds = values["rounds"].value
    lines = [f"{threads} threads, {folded.dtype}, {side} x {side} pixels, median (least time) of {rounds}", ""]
    lines += ["| chunk, px | chunks at a time | callers | form | megapixels/s |", "|---|---|---|---|---|"]
    for (pixels, batch, callers, form), found in times.items():
        fast, best = (side**2 / 1e6 / seconds for seconds in (statistics.median(found), min(found)))
        lines.append(f"| {pixels} | {batch} | {callers} | {form} | {fast:.1f} ({best:.1f}) |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
