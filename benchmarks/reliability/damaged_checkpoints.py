"""Damages checkpoints in many ways, restores, and compares every tensor with what was saved.

  python -m benchmarks.reliability.damaged_checkpoints --trials=2000

A run has three checkpoints. Each trial damages the newest one, and at times the one before, too. A trial is good if the
restored tensors are bit for bit those of the newest checkpoint whose own tensors can still be read, whatever that is,
or if the one error that says that none can be used names every rejected one.
"""

import collections
import hashlib
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from tf_psgan.cli import program
from tf_psgan.runs import checkpoint

USAGE = "Damages checkpoints in many ways and restores."
STEPS = (4, 8, 12)
SHAPES = {"kernel": (6, 6, 8, 16), "bias": (16,), "moment": (64, 64), "step": ()}


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("trials", 2000, "Damaged folders.", flag_values=values)
    flags.DEFINE_integer("seed", 1, "Seed of the damages.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs the experiment; a line for each kind of damage."""
    moments, counts = random.Random(values.seed), collections.Counter()
    with tempfile.TemporaryDirectory() as temporary:
        whole, damaged = Path(temporary, "whole"), Path(temporary, "damaged")
        saved = {step: _save(whole, step) for step in STEPS}
        for _ in range(values.trials):
            shutil.copytree(whole, damaged)
            name = moments.choice(list(DAMAGES))
            for step in STEPS[::-1][: moments.choice((1, 1, 1, 2, 3))]:
                DAMAGES[name](damaged / f"step-{step:08d}", moments)
            counts[name, _end(damaged, saved)] += 1
            shutil.rmtree(damaged)
    ends = sorted({end for _, end in counts})
    lines = [f"{name}: " + ", ".join(f"{counts[name, end]} {end}" for end in ends) for name in DAMAGES]
    return "\n".join([*lines, f"in all: {', '.join(f'{sum(counts[n, end] for n in DAMAGES)} {end}' for end in ends)}"])


def _variables() -> dict[str, tf.Variable]:
    return {name: tf.Variable(tf.zeros(shape)) for name, shape in SHAPES.items()}


def _save(folder: Path, step: int) -> str:
    variables, numbers = _variables(), np.random.default_rng(step)
    for variable in variables.values():
        variable.assign(numbers.normal(size=variable.shape))
    checkpoint.save(folder, step, variables, {"seconds": float(step)}, keep=len(STEPS))
    return _digest(variables)


def _digest(variables: dict[str, tf.Variable]) -> str:
    return hashlib.sha256(b"".join(variable.numpy().tobytes() for variable in variables.values())).hexdigest()


def _end(folder: Path, saved: dict[int, str]) -> str:
    variables = _variables()
    before = _digest(variables)
    try:
        found = checkpoint.restore(folder, variables)
    except checkpoint.NoGoodCheckpoint as error:
        named = all(f"step-{step:08d}" in str(error) for step in saved if (folder / f"step-{step:08d}").is_dir())
        return "refused" if named and _digest(variables) == before else "badly refused"
    except Exception as error:
        return f"other error ({type(error).__name__})"
    if found.path is None:
        return "no checkpoint left" if _digest(variables) == before else "wrong tensors"
    return f"step {found.step}" if _digest(variables) == saved.get(found.step) else "wrong tensors"


def _file(folder: Path, moments: random.Random) -> Path:
    return moments.choice(sorted(path for path in folder.iterdir() if path.is_file()))


def _cut(folder: Path, moments: random.Random) -> None:
    file = _file(folder, moments)
    file.write_bytes(file.read_bytes()[: moments.randrange(file.stat().st_size)])


def _flip(folder: Path, moments: random.Random) -> None:
    file = _file(folder, moments)
    data = bytearray(file.read_bytes())
    for _ in range(moments.randint(1, 4)):
        data[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
    file.write_bytes(data)


def _zero(folder: Path, moments: random.Random) -> None:
    file = _file(folder, moments)
    data = bytearray(file.read_bytes())
    start = moments.randrange(len(data))
    stop = min(len(data), start + 4096)
    data[start:stop] = bytes(stop - start)
    file.write_bytes(data)


def _grow(folder: Path, moments: random.Random) -> None:
    file = _file(folder, moments)
    file.write_bytes(file.read_bytes() + moments.randbytes(moments.randint(1, 4096)))


def _replace(folder: Path, moments: random.Random) -> None:
    _file(folder, moments).write_bytes(moments.randbytes(moments.randint(0, 8192)))


def _mix(folder: Path, moments: random.Random) -> None:
    file = _file(folder, moments)
    other = moments.choice([path for path in folder.parent.iterdir() if path != folder])
    shutil.copyfile(other / file.name, file)


def _remove(folder: Path, moments: random.Random) -> None:
    _file(folder, moments).unlink()


def _remove_all(folder: Path, moments: random.Random) -> None:
    shutil.rmtree(folder)
    if moments.random() < 0.5:
        folder.mkdir()


def _rename(folder: Path, moments: random.Random) -> None:
    folder.rename(folder.with_name(f"step-{moments.randrange(10**8):08d}"))


def _make_file(folder: Path, moments: random.Random) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(moments.randbytes(10))


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "a file cut short": _cut,
    "bits flipped": _flip,
    "up to 4096 bytes zero": _zero,
    "bytes added": _grow,
    "another file's bytes": _replace,
    "a file of another step": _mix,
    "a file missing": _remove,
    "the folder missing or empty": _remove_all,
    "renamed to another step": _rename,
    "a file instead of the folder": _make_file,
}

if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
