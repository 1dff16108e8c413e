"""Pictures and training steps a second, beside the plain Keras way, interleaved in one run.

  python benchmarks/speed.py [--flagfile=flags/honeycomb.cfg] [--rounds=15]

Plain: the same widths as keras.layers.Conv2DTranspose and Conv2D (5x5, stride two, zero-padded), batch norm, Keras's
own Adam, float32. Here: the plane's 512 x 512 window at both compute types, and `GanStep` at both.
"""

import dataclasses
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from tf_psgan import data, device, losses, noise
from tf_psgan import flags as edge
from tf_psgan.config import Config
from tf_psgan.frozen import freeze
from tf_psgan.gan_step import GanStep
from tf_psgan.plane import Plane

USAGE = "Times pictures and training steps beside plain Keras."
SIDE = 512


def define(values: flags.FlagValues) -> None:
    """The settings of the networks, and how often to time."""
    edge.define_config(values)
    flags.DEFINE_integer("rounds", 15, "Timings of each way; the median is shown.", lower_bound=3, flag_values=values)
    flags.DEFINE_string("run", None, "Not used; here so that presets can be read.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Times all ways in turn; a Markdown table."""
    config = edge.read_config(values)
    threads = device.pin_threads(config.training.threads)
    pictures, steps = _pictures(config), _steps(config)
    lines = [f"{threads} threads, TensorFlow {tf.__version__}, {device.conditions(threads, '')['processor']}", ""]
    lines += ["| way | median ms | spread ms | against plain Keras |", "|---|---|---|---|"]
    for title, ways in ((f"{SIDE} x {SIDE} picture", pictures), ("training step", steps)):
        times = _interleave(ways, values["rounds"].value)
        plain = statistics.median(times["plain Keras, float32"])
        for name, taken in times.items():
            median, low, high = statistics.median(taken), min(taken), max(taken)
            ratio = f"{plain / median:.2f} x as fast"
            lines.append(f"| {title}: {name} | {median:.1f} | {low:.1f} to {high:.1f} | {ratio} |")
    return "\n".join(lines)


def _interleave(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    for way in ways.values():
        way()
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append(1e3 * (time.perf_counter() - began))
    return times


def _pictures(config: Config) -> dict[str, Callable[[], object]]:
    plain = _plain_generator(config)
    cells = SIDE // 2 ** (len(config.model.filters) + 1)
    latents = tf.random.stateless_uniform((1, cells, cells, plain.input_shape[-1]), (1, 2), -1.0, 1.0)
    call = tf.function(lambda: plain(latents, training=False))
    ways: dict[str, Callable[[], object]] = {"plain Keras, float32": lambda: call().numpy()}
    for dtype in ("float32", "mixed_bfloat16"):
        step = GanStep(config, dtype)
        step.settle(noise.fold(0, 0))
        frozen = freeze(step.averaged)
        # A new network has equal output phases and biases of 0, which TensorFlow would make use of.
        random = np.random.default_rng(0)
        blocks = [tuple(p + random.normal(0, 0.02, p.shape).astype(np.float32) for p in b) for b in frozen.blocks]
        plane = Plane(dataclasses.replace(frozen, blocks=tuple(blocks)), cells)
        seeds = itertools.count()  # each time another picture: the plane keeps its newest tiles

        def window(plane: Plane = plane, seeds: Iterator[int] = seeds) -> object:
            return plane.window(next(seeds), 0, 0, 0, SIDE, SIDE)

        ways[f"plane, {dtype}"] = window
    return ways


def _steps(config: Config) -> dict[str, Callable[[], object]]:
    pixels = tf.cast(tf.random.stateless_uniform((384 * 384, 3), (1, 2), 0, 256, tf.int32), tf.uint8)
    whole = tf.constant([384], tf.int64)
    shelf = data.Shelf(pixels, tf.constant([0], tf.int64), whole, whole)
    ways: dict[str, Callable[[], object]] = {"plain Keras, float32": _plain_step(config, shelf)}
    for dtype in ("float32", "mixed_bfloat16"):
        step = GanStep(config, dtype)
        ways[f"GanStep, {dtype}"] = lambda step=step: float(step(shelf)["generator_loss"])  # type: ignore[misc]
    return ways


def _plain_generator(config: Config) -> keras.Model:
    model = config.model
    channels = model.local_channels + model.global_channels + (2 if model.quadrature else 1) * model.waves
    x = inputs = keras.Input((None, None, channels))
    for filters in model.filters:
        x = keras.layers.Conv2DTranspose(filters, 5, 2, "same")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Conv2DTranspose(3, 5, 2, "same", activation="tanh")(x))


def _plain_discriminator(config: Config) -> keras.Model:
    x = inputs = keras.Input((None, None, 3))
    for i, filters in enumerate(config.model.critic_filters):
        x = keras.layers.Conv2D(filters, 5, 2, "same", use_bias=False)(x)
        x = keras.layers.LeakyReLU(0.2)(keras.layers.BatchNormalization()(x) if i else x)
    return keras.Model(inputs, keras.layers.Conv2D(1, 5, 2, "same", use_bias=False)(x))


def _plain_step(config: Config, shelf: data.Shelf) -> Callable[[], object]:
    generator, discriminator = _plain_generator(config), _plain_discriminator(config)
    g_adam, d_adam = (keras.optimizers.Adam(2e-4, 0.5) for _ in range(2))
    batch, cells = config.data.batch, config.data.crop_cells
    side = cells * 2 ** (len(config.model.filters) + 1)
    counter = tf.Variable(0, dtype=tf.int64)

    @tf.function
    def step() -> tf.Tensor:
        key = noise.fold(1, counter.assign_add(1))
        real = tf.cast(data.crops(shelf, key, batch, side), tf.float32) / 127.5 - 1.0
        seeds = tf.stack([counter, counter])
        latents = tf.random.stateless_uniform((batch, cells, cells, generator.input_shape[-1]), seeds, -1.0, 1.0)
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = generator(latents, training=True)
            real_logits, fake_logits = discriminator(real, training=True), discriminator(fake, training=True)
            d_loss, g_loss = losses.discriminator(real_logits, fake_logits), losses.generator(fake_logits)
        for loss, tape, net, adam in ((d_loss, d_tape, discriminator, d_adam), (g_loss, g_tape, generator, g_adam)):
            variables = net.trainable_variables
            adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return g_loss

    return lambda: float(step())


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
