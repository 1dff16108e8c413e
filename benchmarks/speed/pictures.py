"""Times one picture here and with the same network in other engines, interleaved in one run.

  python benchmarks/speed/pictures.py [--flagfile=flags/paper.cfg] [--sizes=512] [--rounds=15] [--json=speed.json]
  python benchmarks/speed/pictures.py --sizes=4096 --parts=picture --types=bfloat16     # all variants need 23 GB
  python benchmarks/speed/pictures.py --backend=jax [--sizes=512,1024,2048,4096] [--batches=1,4,16,64]

All engines have the same randomly drawn weights and one thread per core. The part "network" computes a float picture
from latents in memory, including the plane's halo; "zero-padded" variants have no halo and therefore slightly less
work. The part "picture" computes uint8 pixels from a seed: noise, network, crop and conversion to bytes; this project
uses the plane's exact noise and waves, PyTorch uses `torch.rand`. Useful operations are those of the kernel's own
weights, without the halo. `training_step.py` times the training step. With --backend=jax the Keras model is timed under
JAX, on a GPU if there is one.
"""

import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program

USAGE = "Times pictures here and in PyTorch, onnxruntime, OpenVINO and plain Keras; or under JAX."
OTHERS = ("torch", "onnxruntime", "openvino")
PARTS, TYPES = ("picture", "network"), ("bfloat16", "float32")


def define(values: flags.FlagValues) -> None:
    """Defines flags for the network, the sizes, the parts to time and the number of rounds."""
    edge.define_config(values)
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_list("sizes", ["256", "512", "1024", "2048", "4096"], "Sides of the pictures in pixels.", **where)
    flags.DEFINE_list("parts", list(PARTS), "What to time; not with --backend=jax.", **where)
    flags.DEFINE_list("types", list(TYPES), "Number types to time; not with --backend=jax.", **where)
    flags.DEFINE_list("batches", ["1", "4", "16", "64"], "Pictures at a time, with --backend=jax.", **where)
    flags.DEFINE_integer("rounds", 15, "Timings of each variant; fewer above 512 pixels, at least 3.", 3, **where)
    flags.DEFINE_integer("within", 0, "Threads of one operation; 0: half of the cores, as in the project.", 0, **where)
    flags.DEFINE_enum("backend", "tensorflow", ["tensorflow", "jax"], "Keras backend of the model.", **where)
    flags.DEFINE_integer("compiled_up_to", 1024, "Largest side at which PyTorch is folded and compiled.", 0, **where)
    flags.DEFINE_float("gigabytes", 64.0, "Memory of the device, with --backend=jax.", 0.1, **where)
    flags.DEFINE_string("json", None, "Where to write all timings.", **where)
    flags.DEFINE_string("run", None, "Not used; presets set it.", **where)


def main(values: flags.FlagValues) -> str:
    """Times all variants, interleaved; returns a Markdown table."""
    config = edge.read_config(values)
    sizes, batches = (_numbers(values, name) for name in ("sizes", "batches"))
    if values["backend"].value == "jax":
        os.environ["KERAS_BACKEND"] = "jax"
    work: Any = importlib.import_module("engines.work").draw(config.model)
    for name, known in (("parts", PARTS), ("types", TYPES)):
        chosen = values[name].value
        if not chosen or not set(chosen) <= set(known):
            raise ValueError(f"{name}: {','.join(chosen)}: choose from {', '.join(known)}.")
    if wrong := [pixels for pixels in sizes if pixels % work.cell]:
        raise ValueError(f"sizes: {wrong[0]} is no multiple of the cell of {work.cell} pixels; give others.")
    compare = _jax if values["backend"].value == "jax" else _compare if len(sizes) == 1 else _apart_by_size
    found = compare(work, sizes, batches, values, config.training.threads)
    if path := values["json"].value:
        Path(path).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return "\n".join(_markdown(found))


def _apart_by_size(_: Any, sizes: list[int], *__: Any) -> dict[str, Any]:
    """Times each size in a separate process, because engines retain memory of one size while they compute the next."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for pixels in sizes:
            path = Path(folder, f"{pixels}.json")
            command = [sys.executable, *sys.argv, f"--sizes={pixels}", f"--json={path}"]
            if (code := subprocess.run(command, stdout=subprocess.DEVNULL).returncode) or not path.exists():
                raise ValueError(f"sizes: {pixels} ended with {code}; leave it out where memory is short.")
            found.append(json.loads(path.read_text(encoding="utf-8")))
    best = {dtype: max(one["best"][dtype] for one in found) for dtype in found[0]["best"]}
    return found[0] | {"best": best, "rows": [row for one in found for row in one["rows"]]}


def _compare(work: Any, sizes: list[int], _: list[int], values: flags.FlagValues, threads: int) -> dict[str, Any]:
    from engines import matrix, with_tensorflow
    from engines.rounds import interleave, spread

    from tf_psgan.runtime import device

    threads, rounds = device.set_threads(threads, values["within"].value), values["rounds"].value
    os.environ["OMP_NUM_THREADS"] = str(threads)
    missing, packages = [], {}
    for name in OTHERS:
        try:
            packages[name] = importlib.import_module(name).__version__
        except ImportError:
            missing.append(f"{name} is left out: pip install {name}.")
    if "torch" in packages:
        importlib.import_module("torch").set_num_threads(threads)
    exports, rows, best = with_tensorflow.Exports(work), [], {"float32": 0.0, "bfloat16": 0.0}
    (pixels,) = sizes
    ways = with_tensorflow.ways(work, exports, pixels) + list(
        _others(work, pixels, list(packages), threads, pixels <= values["compiled_up_to"].value)
    )
    reference = next(way for way in ways if way.name == "here, network" and way.dtype == "float32")
    ways = [way for way in ways if way.part in values["parts"].value and way.dtype in values["types"].value]
    expected = reference.picture() if any(way.picture for way in ways) else None
    products = matrix.products(("TensorFlow", "PyTorch") if "torch" in packages else ("TensorFlow",))
    times = interleave(dict(enumerate(way.run for way in ways)) | products, max(3, min(rounds, rounds * 512 // pixels)))
    for engine, dtype, shape in products:
        rate = matrix.operations(shape) / spread(times[engine, dtype, shape])[0] * 1e3
        best[dtype] = max(best[dtype], rate)
    for i, way in enumerate(ways):
        median, low, high = spread(times[i])
        rows.append({
            "pixels": pixels, "part": way.part, "dtype": way.dtype, "form": way.name, "median": median, "low": low,
            "high": high, "rate": work.operations(pixels) / median * 1e3, "apart": _apart(way, expected),
        })  # fmt: skip
    about = f"{threads} threads, {device.conditions(threads, '')['processor']}, " + ", ".join(
        f"{name} {version}" for name, version in {"tensorflow": device.tf.__version__, **packages}.items()
    )
    return {"about": about, "missing": missing, "best": best, "network": _called(work), "rows": rows}


def _others(work: Any, pixels: int, packages: list[str], threads: int, folded: bool) -> Iterator[Any]:
    if "torch" in packages:
        yield from importlib.import_module("engines.with_torch").ways(work, pixels, folded)
    for name in ("onnxruntime", "openvino"):
        if name in packages:
            yield from importlib.import_module("engines.with_onnx").ways(name, work, pixels, threads)


def _apart(way: Any, expected: np.ndarray | None) -> float | None:
    """Largest difference between a picture and the float32 reference, in 8-bit values."""
    if way.picture is None or expected is None:
        return None
    cut = slice(way.inside, len(expected) - way.inside)
    return float(np.abs(way.picture()[cut, cut] - expected[cut, cut]).max() * 127.5)


def _jax(work: Any, sizes: list[int], batches: list[int], values: flags.FlagValues, _: int) -> dict[str, Any]:
    engine: Any = importlib.import_module("engines.with_jax")
    rows = list(engine.table(work, sizes, batches, values["rounds"].value, int(values["gigabytes"].value * 2**30)))
    about = f"{engine.device()}, {platform.machine()}"
    best = engine.best_product(values["rounds"].value)
    return {"about": about, "missing": [], "best": best, "network": _called(work), "rows": rows}


def _called(work: Any) -> str:
    widths = ", ".join(str(kernel.shape[2]) for kernel in work.kernels)
    return (
        f"{widths}, 3 channels, kernel {work.config.kernel_size}; {work.operations(512) / 1e9:.2f} GFLOP at 512 x 512"
    )


def _numbers(values: flags.FlagValues, name: str) -> list[int]:
    try:
        numbers = [int(item) for item in values[name].value]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ValueError(f"{name}: {','.join(values[name].value)} are no sizes; give whole numbers, as in 512,1024.")
    return numbers


def _markdown(found: dict[str, Any]) -> Iterator[str]:
    best = found["best"]
    yield f"{found['about']}"
    yield f"Network: {found['network']}."
    yield "Best matrix product: " + ", ".join(f"{dtype} {best[dtype] / 1e9:.0f} GFLOP/s" for dtype in best) + "."
    yield from found["missing"]
    yield ""
    columns = "pixels", "what", "type", "way", "median ms", "quartiles", "useful GFLOP/s", "over the best product"
    yield f"| {' | '.join(columns)} | difference, 8-bit values |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in sorted(found["rows"], key=_order):
        what = row.get("part") or f"batch {row['batch']}"
        start = f"| {row['pixels']} | {what} | {row['dtype']} | {row['form']} |"
        if "left_out" in row:
            yield f"{start} left out: {row['left_out']} | | | | |"
            continue
        apart = "" if row["apart"] is None else f"{row['apart']:.2g}"
        limit = best[row["dtype"]] / row["rate"]
        spread = f"{row['low']:.1f} to {row['high']:.1f}"
        yield f"{start} {row['median']:.2f} | {spread} | {row['rate'] / 1e9:.0f} | {limit:.2f} | {apart} |"


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    """Sort key: size, batch and part, then the median time."""
    return row["pixels"], row.get("batch", 1), row.get("part", ""), row.get("median", np.inf)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
