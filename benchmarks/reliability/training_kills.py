"""Kills trainings at random moments, resumes them, and compares every tensor with those of an uninterrupted run.

  python -m benchmarks.reliability.training_kills --kills=100 --in_saves=20 [--signal=TERM] [--per_run=20]

The settings are those of the smoke preset with a checkpoint every three steps. A signal "inside a save" is sent while
the temporary folder of a checkpoint exists; the others up to `--wait` seconds after a new checkpoint.
"""

import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from benchmarks.reliability.children import Child, digest
from tf_psgan.cli import program

USAGE = "Kills trainings, resumes them, and compares the result with that of an uninterrupted run."
COMMAND = ("train", "--flagfile=flags/smoke.cfg", "--checkpoint_steps=3", "--samples=1", "--sample_pixels=64")


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("kills", 100, "Signals that must hit a training.", flag_values=values)
    flags.DEFINE_integer("in_saves", 20, "How many of them inside a save.", flag_values=values)
    flags.DEFINE_integer("steps", 300, "Steps of a run.", flag_values=values)
    flags.DEFINE_float("wait", 0.5, "Seconds after a checkpoint at most.", flag_values=values)
    flags.DEFINE_integer("per_run", 20, "Signals of one run.", flag_values=values)
    flags.DEFINE_enum("signal", "KILL", ["KILL", "TERM"], "The signal.", flag_values=values)
    flags.DEFINE_integer("seed", 1, "Seed of the moments.", flag_values=values)
    flags.DEFINE_string("folder", None, "Where the runs are written; otherwise a temporary folder.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs the experiment; one line with the counts."""
    with tempfile.TemporaryDirectory(dir=values.folder) as temporary:
        folder = Path(temporary)
        expected = _finish(folder / "uninterrupted", values.steps)
        moments = random.Random(values.seed)
        counts = {"hit": 0, "in_save": 0, "runs": 0, "different": 0, "codes": set()}
        while counts["hit"] < values.kills:
            run = folder / f"run-{counts['runs']}"
            for _ in range(min(values.per_run, values.kills - counts["hit"])):
                wanted = counts["in_save"] < values.in_saves and moments.random() < 0.5
                code, inside = _struck(run, values, wanted, moments)
                counts["codes"].add(code)
                counts["hit"] += code != 0 or values.signal == "TERM"
                counts["in_save"] += inside
            counts["runs"] += 1
            counts["different"] += _finish(run, values.steps) != expected
            shutil.rmtree(run)
            print(counts, file=sys.stderr, flush=True)
    return (
        f"SIG{values.signal}: {counts['hit']} hit, {counts['in_save']} of them inside a save, in {counts['runs']} runs "
        f"(exit codes {sorted(counts['codes'])}); runs whose tensors differ: {counts['different']}"
    )


def _start(run: Path, steps: int) -> Child:
    return Child([*COMMAND, f"--steps={steps}", f"--run={run}"])


def _finish(run: Path, steps: int) -> str:
    """Trains to the end; a digest of the tensors."""
    child = _start(run, steps)
    if child.wait():
        raise RuntimeError(f"{run}: {child.said()}")
    return digest(run)


def _struck(run: Path, values: flags.FlagValues, inside: bool, moments: random.Random) -> tuple[int, bool]:
    """Trains, sends a signal; the exit code, and whether a save was under way."""
    checkpoints, before = run / "checkpoints", _newest(run / "checkpoints")
    child = _start(run, values.steps)
    while child.runs() and _newest(checkpoints) <= before:
        time.sleep(0.002)
    writing = False
    if inside:
        while child.runs() and not (writing := any(checkpoints.glob(".step-*.tmp"))):
            pass
    else:
        time.sleep(moments.uniform(0, values.wait))
    child.send(getattr(signal, f"SIG{values.signal}"))
    code = child.wait()
    if values.signal == "KILL":
        writing = writing and any(checkpoints.glob(".step-*.tmp"))  # what the killed save left
    return code, writing


def _newest(checkpoints: Path) -> int:
    return max((int(path.name[5:]) for path in checkpoints.glob("step-*")), default=-1)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
