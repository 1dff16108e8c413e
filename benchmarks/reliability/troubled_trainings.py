"""Trainings in one process in which numbers are not finite, whose clock jumps, or that are told to stop.

  python -m benchmarks.reliability.troubled_trainings --nonfinite=100 --clocks=20 --terms=20

A training with NaN or infinity is good if it ends at its last step with finite tensors, or with the error that says
that it diverged and leaves a good checkpoint. One whose system clock jumps by up to ten years at every call is good if
its tensors are those of an undisturbed one; the monotonic clock, which all schedules use, cannot jump. One that gets
SIGTERM inside a step or inside a save is good if it returns, and if the same call then ends with the tensors of an
undisturbed one.
"""

import collections
import functools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.reliability.children import digest
from tests.support.small_run import changed, picture
from tests.support.traced_steps import ObservedStep
from tf_psgan.cli import program
from tf_psgan.runs import checkpoint
from tf_psgan.training import training_loop

USAGE = "Trains with numbers that are not finite, and with a clock that jumps."
STEPS, YEARS = 24, 10
CONFIG = {"steps": STEPS, "checkpoint_steps": 3, "checkpoint_minutes": 0.0, "max_nonfinite_steps": 3}


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("nonfinite", 100, "Trainings with numbers that are not finite.", flag_values=values)
    flags.DEFINE_integer("clocks", 20, "Trainings whose clock jumps.", flag_values=values)
    flags.DEFINE_integer("terms", 20, "SIGTERMs, every second one inside a save.", flag_values=values)
    flags.DEFINE_integer("seed", 1, "Seed of the moments.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs both experiments; a line for each."""
    moments = random.Random(values.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = picture(folder / "grating.png")
        ends = collections.Counter(_poisoned(folder / f"run-{i}", image, moments) for i in range(values.nonfinite))
        expected = _train(folder / "undisturbed", image, lambda step, losses: losses)
        stopped = collections.Counter(
            _stopped(folder / f"stop-{i}", image, moments, bool(i % 2), expected) for i in range(values.terms)
        )
        same = sum(_jumping(folder / f"clock-{i}", image, moments) == expected for i in range(values.clocks))
    return (
        f"not finite: {', '.join(f'{count} {end}' for end, count in ends.items())}\n"
        f"SIGTERM: {', '.join(f'{count} {end}' for end, count in stopped.items())}\n"
        f"clock jumps: {same} of {values.clocks} with the tensors of an undisturbed training"
    )


def _train(run: Path, image: str, after) -> str:
    """Trains; a digest of the tensors."""
    before = training_loop.GanStep
    training_loop.GanStep = functools.partial(ObservedStep, after)  # type: ignore[assignment, misc]
    try:
        training_loop.train(changed(images=(image,), **CONFIG), run)
    finally:
        training_loop.GanStep = before  # type: ignore[misc]
    return digest(run)


def _poisoned(run: Path, image: str, moments: random.Random) -> str:
    """Puts NaN or infinity into random variables after random steps; how the training ends."""
    steps = set(moments.sample(range(1, STEPS + 1), moments.randint(1, 6)))
    again = moments.random() < 0.3  # every time that the step comes, so that roll-backs do not help

    def after(step, losses):
        if int(step.step) in steps:
            if not again:
                steps.discard(int(step.step))
            name = moments.choice([name for name, each in step.state().items() if each.dtype.is_floating])
            value = step.state()[name]
            poisoned = value.numpy()
            poisoned.flat[moments.randrange(poisoned.size)] = moments.choice((np.nan, np.inf, -np.inf))
            value.assign(poisoned)
        return losses

    try:
        _train(run, image, after)
    except training_loop.DivergedError:
        end = "ended with the error and a good checkpoint"
    except Exception as error:
        return f"lost ({type(error).__name__}: {error})"
    else:
        end = "trained to the end"
    found = training_loop.checkpoint.restore(
        run / "checkpoints", training_loop._gan_step(changed(images=(image,), **CONFIG), _no_pictures()).state()
    )
    complete = found.path is not None and (end.startswith("ended") or found.step == STEPS)
    return end if complete else f"lost (step {found.step})"


def _no_pictures():
    return training_loop.manifest.Manifest(())


def _jumping(run: Path, image: str, moments: random.Random) -> str:
    """Trains while `time.time` jumps at every call; a digest of the tensors."""
    right = time.time
    time.time = lambda: right() + moments.uniform(-YEARS, YEARS) * 365 * 86400  # type: ignore[assignment]
    try:
        return _train(run, image, lambda step, losses: losses)
    finally:
        time.time = right  # type: ignore[assignment]


def _stopped(run: Path, image: str, moments: random.Random, in_save: bool, expected: str) -> str:
    """Sends SIGTERM at a random moment inside a step or a save, and trains again; how that ends."""
    at, timers = moments.randrange(1, STEPS), []
    write = checkpoint._write

    def send_soon() -> None:
        if not timers:
            timers.append(threading.Timer(moments.uniform(0, 0.01), os.kill, (os.getpid(), signal.SIGTERM)))
            timers[0].start()

    def writing(path: Path, tensors) -> None:
        if in_save and int(path.parent.name.split(".")[1].removeprefix("step-")) >= at:
            send_soon()
        write(path, tensors)

    def after(step, losses):
        if not in_save and int(step.step) == at:
            send_soon()
        return losses

    checkpoint._write = writing
    try:
        _train(run, image, after)
    finally:
        checkpoint._write = write
    before = max(int(path.name[5:]) for path in (run / "checkpoints").glob("step-*"))
    same = _train(run, image, lambda step, losses: losses) == expected
    end = f"in a {'save' if in_save else 'step'}, {'stopped early' if before < STEPS else 'at its end'}"
    return f"{end}, then {'the same' if same else 'OTHER'} tensors"


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
