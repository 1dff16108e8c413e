"""Compares some steps of one, two and four training processes with the same batch, or kills workers at random.

  python -m benchmarks.reliability.workers
  python -m benchmarks.reliability.workers --kills=10 [--signal=STOP] [--workers=2]

The comparison is of Adam's moments after `--steps` steps in float32, as relative distances from those of one process.
The learning rate is a hundredth of the default: with that, the training of new networks is chaotic, and rounding alone
changes the moments by a third within twenty steps.
The spread of one process with other kernels is the measure: batch normalization by its formula instead of the fused
kernel, and TensorFlow without oneDNN. Workers with unsynchronised statistics show what an error would look like.

The kills are of a run with the smoke preset's settings and a checkpoint every three steps. Each is followed by the same
command; at the end every tensor is compared with those of an uninterrupted run of as many workers.
"""

import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

from benchmarks.reliability.children import Child, digest
from tf_psgan.cli import program
from tf_psgan.runtime import child_processes, launcher

USAGE = "Compares training processes with one process, or kills them at random."
VARIANTS = {
    "one process": (1, ""),
    "one process, batch normalization by its formula": (1, "formula"),
    "one process without oneDNN": (1, "no_one_dnn"),
    "two workers": (2, ""),
    "four workers": (4, ""),
    "two workers, unsynchronised statistics": (2, "unsynchronised"),
}
"""Number of processes, and what is different in them."""
FIRST = 1008
"""Number of the first step: the spectral loss has its full weight, and the R1 penalty is due in two of twenty steps."""
COMMAND = ("train", "--flagfile=flags/smoke.cfg", "--checkpoint_steps=3", "--samples=1", "--sample_pixels=64")


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("steps", 0, "Steps; 0 for 20 of the comparison and 120 of a killed run.", flag_values=values)
    flags.DEFINE_float("learning_rate", 2e-6, "Adam's learning rate of the comparison.", flag_values=values)
    flags.DEFINE_integer("kills", 0, "Kills; 0 for the comparison.", flag_values=values)
    flags.DEFINE_integer("workers", 2, "Workers of the killed run.", flag_values=values)
    flags.DEFINE_enum("signal", "KILL", ["KILL", "STOP"], "The signal to a worker.", flag_values=values)
    flags.DEFINE_float("wait", 1.0, "Seconds after a checkpoint at most.", flag_values=values)
    flags.DEFINE_integer("seed", 1, "Seed of the moments and of the victims.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs the experiment; its result."""
    return (
        _killed(values) if values.kills else _compared(values.steps or 20, values.flag_values_dict()["learning_rate"])
    )


def _compared(steps: int, rate: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, (count, change) in VARIANTS.items():
            out = Path(folder) / f"{len(found)}.npz"
            os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(change != "no_one_dnn"))
            about = json.loads(_launched(count, str(out), steps, rate, change))
            with np.load(out) as arrays:
                found[name] = dict(arrays), about
            print(name, about, file=sys.stderr, flush=True)
    reference = found["one process"][0]
    lines = [f"after {steps} steps: distance of all moments, of the worst variable; median ms a step; messages"]
    for name, (arrays, about) in found.items():
        parts = []
        for kind in ("momentum", "velocity"):
            own = [name for name in reference if name.endswith(f"_{kind}")]
            each = [(arrays[name].ravel(), reference[name].ravel()) for name in own]
            whole = _distance(*map(np.concatenate, zip(*each, strict=True)))
            parts.append(f"{kind} {whole:.1e} {max(_distance(*pair) for pair in each):.1e}")
        lines.append(f"{name}: {', '.join(parts)}; {about['ms']:.0f}; {about['messages']}")
    return "\n".join(lines)


def _launched(count: int, out: str, steps: int, rate: float, change: str) -> str:
    """Steps of so many processes; what the first one prints."""
    command = [sys.executable, "-m", __spec__.name, "member", out, str(steps), str(rate), change]
    outcome = launcher.launch(command, count, use_gpus=False)
    if outcome.code:
        raise RuntimeError(str(outcome))
    return outcome.output


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def _member(out: str, steps: int, rate: float, change: str) -> None:
    """Trains as one of the workers, and prints the time of a step and the messages in its graph."""
    child_processes.end_with_parent()
    import tensorflow as tf

    from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig
    from tf_psgan.data import crops
    from tf_psgan.networks import operations
    from tf_psgan.runtime.cluster import VARIABLE, from_json
    from tf_psgan.runtime.workers import Workers
    from tf_psgan.training.gan_step import GanStep

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if change == "formula":
        plain = operations.batch_normalise
        operations.batch_normalise = lambda x, gamma, beta, fused=True, over_workers=None: plain(x, gamma, beta, False)
    model = ModelConfig(filters=(64, 32, 16), discriminator_filters=(8, 16, 32, 64))
    config = Config(model, DataConfig(crop_cells=4, batch_size=8), TrainingConfig(learning_rate=rate))
    cluster = from_json(os.environ[VARIABLE])
    workers = Workers(cluster if len(cluster.addresses) > 1 else None)
    with workers.connected():
        picture = np.asarray(Image.open("textures/honeycomb.png").convert("RGB"))
        places = (tf.constant([value], tf.int64) for value in (0, *picture.shape[:2]))
        packed = crops.PackedImages(tf.constant(picture.reshape(-1, 3)), *places)
        step = GanStep(config, "float32", workers=workers)
        if change == "unsynchronised":
            for block in (*step.generator.blocks, *step.discriminator.blocks):
                block.over_workers = None
        step.set_wave_numbers(np.array([[0.9, 0.1], [0.2, -1.1]], np.float32))
        step.step.assign(FIRST)
        seconds = []
        for _ in range(steps):
            began = time.perf_counter()
            step(packed)
            seconds.append(time.perf_counter() - began)
        graph = step.__call__.get_concrete_function().graph.as_graph_def()
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        messages = sum(node.op == "CollectiveReduceV2" for node in nodes)
        workers.total(0, 0)
        workers.release()
    if workers.is_first:
        np.savez(out, **{name.replace("/", "|"): value.numpy() for name, value in step.state().items()})
        print(json.dumps({"ms": 1000 * statistics.median(seconds[2:]), "messages": messages}))


def _killed(values: flags.FlagValues) -> str:
    moments, steps = random.Random(values.seed), values.steps or 120
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        expected = _finish(folder / "uninterrupted", steps, values.workers)
        run, durations, codes = folder / "run", [], []
        while len(durations) < values.kills:
            child, before = _start(run, steps, values.workers), _newest(run)
            while child.runs() and _newest(run) <= before:
                time.sleep(0.002)
            time.sleep(moments.uniform(0, values.wait))
            victims = child.children()
            if not child.runs() or len(victims) < values.workers:  # it was finished
                shutil.rmtree(run)
                continue
            victim = moments.randrange(values.workers)
            began = time.monotonic()
            os.kill(victims[victim], getattr(signal, f"SIG{values.signal}"))
            codes.append(child.wait())
            durations.append(time.monotonic() - began)
            left = [pid for pid in victims if Path(f"/proc/{pid}").exists()]
            about = f"worker {victim} after step {_newest(run)}: ended in {durations[-1]:.1f} s, code {codes[-1]}"
            print(f"{about}, left {left}: {child.said().splitlines()[-1]}", file=sys.stderr, flush=True)
        same = _finish(run, steps, values.workers) == expected
    return (
        f"{len(durations)} SIG{values.signal}, {values.workers} workers: ended after {min(durations):.1f} to "
        f"{max(durations):.1f} s with codes {sorted(set(codes))}; resumed run {'equal' if same else 'DIFFERENT'}"
    )


def _start(run: Path, steps: int, workers: int) -> Child:
    size = f"--batch_size={max(2, workers)}"
    return Child([*COMMAND, size, f"--workers={workers}", f"--steps={steps}", f"--run={run}"])


def _finish(run: Path, steps: int, workers: int) -> str:
    """Trains to the end; a digest of the tensors."""
    child = _start(run, steps, workers)
    if child.wait():
        raise RuntimeError(f"{run}: {child.said()}")
    return digest(run)


def _newest(run: Path) -> int:
    return max((int(path.name[5:]) for path in (run / "checkpoints").glob("step-*")), default=-1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["member"]:
        _member(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
    else:
        sys.exit(program.run(sys.argv, USAGE, define, main))
