"""Times one training step of both networks here, in PyTorch and in plain Keras, interleaved in one run.

  python benchmarks/speed/training_step.py [--flagfile=flags/honeycomb.cfg] [--rounds=15] [--json=training_speed.json]
  python benchmarks/speed/training_step.py --filters=256,128,64 --discriminator_filters=64,128,256,512
  python benchmarks/speed/training_step.py --profile

A step performs the same numeric work in `GanStep` and in every form of PyTorch: cutting crops from a picture in memory,
drawing noise and phases, plane waves, one forward pass of the generator, the discriminator on real and fake pictures,
cross-entropy from logits, both gradients from that one forward pass, L2 penalty, the test that all gradients are
finite, Adam for both networks, and the moving average of the generator's weights. Networks and batch norm are identical
layer by layer. (PyTorch pads strided convolutions by 2 on every side, this project by 1 before and 2 after; the output
size is the same.) Plain Keras has the same layers, losses, Adam and average, but no test of the gradients, no penalty
and no waves. The spectral loss (--spectral_loss_weight) is included only in a separate row. R1, which applies to one
step in sixteen, is excluded everywhere.

PyTorch's best is the smallest median of its forms (`steps/torch_step.py`). Useful operations are those of
`steps/operations.py`; their rate is compared with the best matrix product of either library in the same run. With
--profile a second table divides the time of `GanStep` by kind of operation, from TensorFlow's trace: sums over
operations, several of which may run at a time.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags
from engines import matrix, rounds
from engines.work import DTYPES
from steps import operations
from steps.keras_step import KerasStep
from steps.profile import breakdown

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.config import Config
from tf_psgan.data import crops
from tf_psgan.runtime import device
from tf_psgan.training.gan_step import GanStep

USAGE = "Times a training step here, in PyTorch and in plain Keras."
SIDE = 384  # of the source picture, in pixels


def define(values: flags.FlagValues) -> None:
    """Defines flags for the networks, the variants to time and the number of rounds."""
    edge.define_config(values)
    flags.DEFINE_integer(
        "rounds", 15, "Timings of each variant; the median is reported.", lower_bound=3, flag_values=values
    )
    text = "Threads of one operation; 0: half of the cores, as in the project."
    flags.DEFINE_integer("within", 0, text, lower_bound=0, flag_values=values)
    flags.DEFINE_bool("torch", True, "Times PyTorch too.", flag_values=values)
    flags.DEFINE_bool(
        "compile", True, "Times PyTorch's compiled forms too; takes minutes and needs g++.", flag_values=values
    )
    flags.DEFINE_bool("profile", False, "Divides the time of GanStep by kind of operation.", flag_values=values)
    flags.DEFINE_string("json", None, "Writes all timings to this file.", flag_values=values)
    flags.DEFINE_string("run", None, "Not used; presets set it.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Times all variants, interleaved; returns Markdown tables."""
    config = edge.read_config(values)
    threads = device.set_threads(config.training.threads, values["within"].value)
    pixels = config.data.crop_cells * 2 ** (len(config.model.filters) + 1)
    if pixels > SIDE:
        raise ValueError(f"crop_cells: crops of {pixels} pixels, but the picture here has {SIDE}; lower --crop_cells.")
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    packed = _packed(picture)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, r1=0.0))
    bare = dataclasses.replace(config, training=dataclasses.replace(config.training, spectral_loss_weight=0.0))
    ours = {short: _runner(GanStep(bare, dtype), packed) for short, dtype in DTYPES.items()}
    ways = {("plain Keras", "float32"): KerasStep(config, packed)}
    ways |= {("GanStep", short): run for short, run in ours.items()}
    if config.training.spectral_loss_weight:
        with_spectra = {short: _runner(GanStep(config, dtype), packed) for short, dtype in DTYPES.items()}
        ways |= {("GanStep with the spectral loss", short): run for short, run in with_spectra.items()}
    if values["torch"].value:
        ways |= _torch_ways(config, picture, threads, values["compile"].value)
    products = matrix.products(("TensorFlow", "PyTorch") if values["torch"].value else ("TensorFlow",))
    timed = rounds.interleave(ways | products, values["rounds"].value)
    found: dict[str, Any] = {
        "conditions": device.conditions(threads, ""),
        "useful_operations": operations.useful(config),
        "matrix_rates": {short: _best_rate(timed, products, short) for short in DTYPES},
        "ways": [{"way": way[0], "dtype": way[1], "milliseconds": timed[way]} for way in ways],
        "profile": {short: breakdown(run) for short, run in ours.items()} if values["profile"].value else {},
    }
    if path := values["json"].value:
        Path(path).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return "\n".join([*_table(found), *_profile_tables(found["profile"])])


def _packed(picture: np.ndarray) -> crops.PackedImages:
    whole = tf.constant([SIDE], tf.int64)
    return crops.PackedImages(tf.constant(picture.reshape(-1, 3)), tf.constant([0], tf.int64), whole, whole)


def _runner(step: GanStep, packed: crops.PackedImages) -> Callable[[], object]:
    return lambda: float(step(packed)["generator_loss"])


def _torch_ways(config: Config, picture: np.ndarray, threads: int, compiled: bool) -> dict[Any, Callable[[], object]]:
    try:
        from steps import torch_step  # optional dependency
    except ImportError:
        raise ValueError("torch: PyTorch is not installed; pip install torch, or pass --notorch.") from None
    torch_step.set_threads(threads)
    return {
        (f"PyTorch, {form.name}", short): torch_step.TorchStep(config, picture, form)
        for short in DTYPES
        for form in torch_step.forms(short, compiled)
    }


def _best_rate(timed: dict[Any, list[float]], products: dict[Any, Any], short: str) -> float:
    """Rate of the best matrix product of a compute type, in 1e12 operations per second."""
    return max(matrix.operations(key[2]) / np.median(timed[key]) / 1e9 for key in products if key[1] == short)


def _table(found: dict[str, Any]) -> list[str]:
    conditions, useful, rates = found["conditions"], found["useful_operations"], found["matrix_rates"]
    best: dict[str, float] = {}
    for row in found["ways"]:
        if row["way"].startswith("PyTorch"):
            best[row["dtype"]] = min(best.get(row["dtype"], np.inf), np.median(row["milliseconds"]))
    lines = [
        f"{conditions['threads']} threads, TensorFlow {tf.__version__}, {conditions['processor']}.",
        f"Useful operations of a step: {useful / 1e9:.1f} G. Best matrix product: "
        + ", ".join(f"{rate:.2f} T/s in {short}" for short, rate in rates.items()) + ".",
        "",
        "| way | type | median ms | quartiles | against PyTorch's best | useful T/s | of the matrix product |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in found["ways"]:
        short, (median, low, high) = row["dtype"], rounds.spread(row["milliseconds"])
        against, rate = f"{median / best[short]:.2f}" if short in best else "-", useful / median / 1e9
        lines.append(
            f"| {row['way']} | {short} | {median:.1f} | {low:.1f} to {high:.1f} | {against} | {rate:.2f} "
            f"| {100 * rate / rates[short]:.0f} % |"
        )
    return lines


def _profile_tables(profiles: dict[str, list[tuple[str, str, float]]]) -> list[str]:
    lines = []
    for short, profile in profiles.items():
        total = sum(taken for _, _, taken in profile)
        lines += ["", f"GanStep in {short}: {total:.1f} ms of operations in a step.", ""]
        lines += ["| part | kind | ms | share |", "|---|---|---|---|"]
        lines += [f"| {part} | {kind} | {ms:.2f} | {100 * ms / total:.1f} % |" for part, kind, ms in profile]
    return lines


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
