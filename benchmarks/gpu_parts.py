"""The parts of `gpu.py`, each for a process of its own."""

import concurrent.futures
import dataclasses
import functools
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan.config import Config

SIDE = 512  # of the picture that crops are cut from
EIGHT = 8

Keep = Callable[..., None]
"""Takes measurements by name, as soon as they are there."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a part needs to know.

    Args:
      device: as of `tf_psgan.runtime.device.choose`.
      is_small: a trial with tiny sizes.
      is_compiled: the form of the training step.
      started: when the process was started, as of `time.time`.
      run_folder: for a training.
      pictures: folder for pictures; None for none.
    """

    config: Config
    device: str
    is_small: bool
    is_compiled: bool
    started: float
    run_folder: Path
    pictures: Path | None


def device(options: Options, keep: Keep) -> None:
    """The device, the versions, and the rate of the best matrix product of some sizes."""
    tf, found = _tensorflow(options)
    build = tf.sysconfig.get_build_info()
    cuda = f", CUDA {build.get('cuda_version', '-')}, cuDNN {build.get('cudnn_version', '-')}" if found.gpus() else ""
    keep(device=next(map(found.name, found.gpus()), "processor"), versions=f"TensorFlow {tf.__version__}{cuda}")
    best: dict[str, float] = {}
    for dtype in ("bfloat16", "float32"):
        for extent in (256,) if options.is_small else (4096, 8192):
            best[dtype] = max(best.get(dtype, 0.0), _product_rate(tf, extent, dtype) / 1e12)
            keep(best_product=best)


def step(options: Options, keep: Keep) -> None:
    """Time of the training step in one form, from the start of the process to the first step and after that."""
    tf, found = _tensorflow(options)
    from steps import operations

    from tf_psgan.training.compiled_steps import CompiledSteps
    from tf_psgan.training.gan_step import GanStep

    config, packed = options.config, _packed(tf)
    trained = GanStep(config, found.compute_type(config.training.dtype))
    if config.model.waves:
        trained.set_wave_numbers(np.full((config.model.waves, 2), 0.5, np.float32))
    compiled = CompiledSteps(trained)
    at_a_time = min(25, compiled.most) if options.is_compiled else 1

    def advance(count: int) -> None:
        report = compiled(packed, tf.constant(count)) if options.is_compiled else trained(packed)
        float(report["generator_loss"])  # waits for the device

    advance(1)
    first = time.time() - options.started
    for _ in range(2):  # the other half of alternating updates
        advance(at_a_time)
    rate = _rate(lambda: advance(at_a_time), 0.5 if options.is_small else 4.0) * at_a_time
    measured = {
        "dtype": "bfloat16" if config.training.dtype == "mixed_bfloat16" else "float32",
        "first_step_seconds": first,
        "steps_per_second": rate,
        "tflops": operations.useful(config) * _halves(config) * rate / 1e12,
    }
    keep(steps=[measured])
    if found.gpus():
        measured["peak_megabytes"] = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
        keep(steps=[measured])
        measured["computes"] = _computing(tf, lambda: [advance(at_a_time) for _ in range(-(-10 // at_a_time))])
        keep(steps=[measured])


def torch_step(options: Options, keep: Keep) -> None:
    """The same step in PyTorch, eager and compiled with CUDA graphs."""
    try:
        import torch
    except ImportError:
        keep(notes=["left out: PyTorch is not installed"])
        return
    from steps import operations, torch_step

    config, where = options.config, "cuda" if torch.cuda.is_available() else "cpu"
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    steps: list[dict[str, Any]] = []
    notes = [f"PyTorch {torch.__version__}; its step has neither spectral loss nor R1"]
    forms = torch_step.forms("bfloat16", compiled=where == "cuda")
    for form in sorted(forms, key=lambda form: not form.compiled):  # the fastest first: there may be no time for all
        try:
            run = torch_step.TorchStep(config, picture, form, where)
            run()
            first = time.time() - options.started
            for _ in range(3):
                run()
            run.wait()
            count, seconds = (1, 0.5) if options.is_small else (10, 3.0)
            rate = count * _rate(functools.partial(_several, run, count), seconds)
        except Exception as error:  # whatever a compiler raises: the other forms are measured all the same
            notes.append(f"{form.name}: {type(error).__name__}: {str(error).splitlines()[0][:200]}")
        else:
            tflops = operations.useful(config) * rate / 1e12
            measured = {"dtype": "bfloat16", "form": f", {form.name}", "steps_per_second": rate, "tflops": tflops}
            steps.append(measured | ({"first_step_seconds": first} if not steps else {}))
        keep(steps=steps, notes=notes)


def windows(options: Options, keep: Keep) -> None:
    """Windows of the plane, the exported `window` in a session, and a `.tif`, of a network with random weights."""
    tf, found = _tensorflow(options)
    from engines import work

    from tf_psgan.exporting import saved_model
    from tf_psgan.exporting.session_model import SessionModel
    from tf_psgan.plane.plane import TexturePlane
    from tf_psgan.rendering.raster import spans, writer

    dtype = found.compute_type(options.config.training.dtype)
    folded = work.draw(options.config.model).folded("bfloat16" if dtype == "mixed_bfloat16" else "float32")
    plane, seeds, pictures = TexturePlane(folded), itertools.count(), {}
    seconds = 0.2 if options.is_small else 3.0
    for side in (64, 128) if options.is_small else (512, 2048, 8192):
        plane.window(side, side, seed=next(seeds))  # traces
        rate = _rate(lambda side=side: plane.window(side, side, seed=next(seeds)), seconds)
        pictures[f"window, {side} x {side}"] = (1e3 / rate, side**2)
        keep(pictures=pictures)
    side = 64 if options.is_small else 512
    with tempfile.TemporaryDirectory() as folder:
        tall = 600 if options.is_small else 16384
        began = time.perf_counter()
        view = spans.batched(_view(plane, next(seeds)), plane.batch, tall, tall)
        writer.write(Path(folder, "big.tif"), view, tall, tall, {})
        pictures[f".tif, {tall} x {tall}"] = (1e3 * (time.perf_counter() - began), tall**2)
        keep(pictures=pictures)
        with SessionModel(saved_model.write(folded, Path(folder, "model"), {}, {})) as model:

            def ask(seed: int) -> Any:
                return model.run("window", seed=seed, texture=0, top=0, left=0, height=side, width=side)

            ask(next(seeds))
            rate = _rate(lambda: ask(next(seeds)), seconds)
            pictures[f"exported window, {side} x {side}, one at a time"] = (1e3 / rate, side**2)
            keep(pictures=pictures)
            with concurrent.futures.ThreadPoolExecutor(EIGHT) as pool:
                eight = _rate(
                    lambda: list(pool.map(ask, itertools.islice(seeds, EIGHT))), 0.2 if options.is_small else 3.0
                )
            pictures[f"exported window, {side} x {side}, eight at a time"] = (1e3 / eight / EIGHT, side**2)
            keep(pictures=pictures)
    if found.gpus():
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
        keep(notes=[f"peak memory, plane and session together: {peak:.0f} MB"])


def look(options: Options, keep: Keep) -> None:
    """Trains for half a minute and stores two pictures."""
    _tensorflow(options)
    from PIL import Image

    from tf_psgan import presets
    from tf_psgan.loading import Plane
    from tf_psgan.training.training_loop import train

    limit = {"minutes": 0.0, "steps": 2} if options.is_small else {"minutes": 0.5, "steps": 0}
    training = dataclasses.replace(options.config.training, evaluate_minutes=0.0, **limit)
    data = dataclasses.replace(options.config.data, images=(str(presets.textures_folder() / "honeycomb.png"),))
    began = time.perf_counter()
    train(dataclasses.replace(options.config, data=data, training=training), options.run_folder)
    plane, notes = Plane.from_run(options.run_folder), []
    notes.append(f"trained for {time.perf_counter() - began:.0f} s with checkpoints, metrics and report")
    keep(notes=notes)
    for seed in range(2):
        picture = plane.window(512, 512, seed=seed)
        notes.append(f"picture {seed}: mean {picture.mean():.1f}, standard deviation {picture.std():.1f}")
        if options.pictures:
            Image.fromarray(picture).save(options.pictures / f"gpu-{seed}.png")
        keep(notes=notes)


PARTS: dict[str, Callable[[Options, Keep], None]] = {
    "device": device,
    "step": step,
    "torch_step": torch_step,
    "windows": windows,
    "look": look,
}
"""By kind."""


def _several(run: Any, count: int) -> None:
    for _ in range(count):
        run()
    run.wait()


def _tensorflow(options: Options) -> tuple[Any, Any]:
    """TensorFlow and `tf_psgan.runtime.device`, with the device chosen."""
    import tensorflow as tf

    from tf_psgan.runtime import device

    device.choose(options.device)
    device.set_threads(options.config.training.threads)
    return tf, device


def _packed(tf: Any) -> Any:
    from tf_psgan.data import crops

    picture = np.random.default_rng(0).integers(0, 256, (SIDE * SIDE, 3)).astype(np.uint8)
    with tf.device("CPU:0"):
        whole = tf.constant([SIDE], tf.int64)
        return crops.PackedImages(tf.constant(picture), tf.constant([0], tf.int64), whole, whole)


def _view(plane: Any, seed: int) -> Callable[[int, int, int, int], np.ndarray]:
    return lambda top, left, height, width: plane.window(height, width, top=top, left=left, seed=seed)


def _halves(config: Config) -> float:
    """The part of the useful operations of both updates that an average step needs."""
    return 0.5 if config.training.updates == "alternating" else 1.0


def _rate(run: Callable[[], object], seconds: float) -> float:
    """Calls a second, over so many seconds and at least three calls."""
    began, count = time.perf_counter(), 0
    while count < 3 or time.perf_counter() - began < seconds:
        run()
        count += 1
    return count / (time.perf_counter() - began)


def _product_rate(tf: Any, extent: int, dtype: str) -> float:
    """Operations a second of products of square matrices, each of the one before."""
    random = tf.random.stateless_normal((extent, extent), (1, 2)) / extent**0.5
    right = tf.cast(random, dtype)
    chain = 20

    @tf.function
    def run(left: Any) -> Any:
        for _ in range(chain):
            left = left @ right
        return tf.reduce_sum(tf.cast(left, tf.float32))

    run(right)
    return 2.0 * extent**3 * chain * _rate(lambda: float(run(right)), 1.0)


def _computing(tf: Any, run: Callable[[], object]) -> float | None:
    """The share of the time in which a kernel runs on the GPU, from TensorFlow's trace; None without kernels in it."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            run()
        space = xplane_pb2.XSpace()
        for trace in Path(folder).rglob("*.xplane.pb"):
            space.ParseFromString(trace.read_bytes())
    return busy_share(space)


def busy_share(space: Any) -> float | None:
    """The union of the intervals of the streams of GPU 0 in a trace, divided by their extent."""
    times: list[tuple[int, int]] = []
    for plane in space.planes:
        if plane.name.startswith("/device:GPU:0"):
            for line in plane.lines:
                if line.name.startswith("Stream"):
                    start = line.timestamp_ns * 1000
                    times += [(start + e.offset_ps, start + e.offset_ps + e.duration_ps) for e in line.events]
    if not times:
        return None
    times.sort()
    busy, reached = 0, times[0][0]
    for begin, end in times:
        busy += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return busy / (reached - times[0][0])
