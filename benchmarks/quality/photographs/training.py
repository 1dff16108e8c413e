"""The runs of the benchmark: processes of `psgan train` with no settings but picture, folder, seed and budget."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.methods import results, schedule
from tf_psgan.runs.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Training:
    """One run.

    Args:
      picture: the photograph.
      folder: of the run.
      seed: of the run.
      steps, minutes: the budget; 0 and 0 for the trainer's own.
      flags: further flags of `psgan train`, for experiments.
    """

    picture: Path
    folder: Path
    seed: int
    steps: int = 0
    minutes: float = 0.0
    flags: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """The process that trains the run, or continues it."""
        budget = [f"--steps={self.steps}", f"--minutes={self.minutes:g}"] if self.steps or self.minutes else []
        where = [f"--images={self.picture.absolute()}", f"--run={self.folder.absolute()}", f"--seed={self.seed}"]
        return [sys.executable, str(schedule.ROOT / "train.py"), *where, *budget, *self.flags]

    def is_finished(self) -> bool:
        """Whether the run has reached the budget. An interrupted or failed one has not."""
        run = RunFolder(self.folder)
        if not run.exists or not (self.folder / "report.md").exists():
            return False
        own, rows = run.read_config().training, run.read_metrics()
        steps, minutes = (self.steps, self.minutes) if self.steps or self.minutes else (own.steps, own.minutes)
        if not rows:
            return False
        return bool((steps and rows[-1]["step"] >= steps) or (minutes and rows[-1]["seconds"] >= 60 * minutes))


def train(trainings: Sequence[Training], workers: int, threads: int) -> list[str]:
    """Trains what is not finished; a line for each run that failed. Progress goes to standard error.

    Args:
      trainings: in this order.
      workers: runs side by side.
      threads: of the libraries of each.
    """
    missing = [training for training in trainings if not training.is_finished()]
    schedule.print_progress(f"{len(trainings) - len(missing)} of {len(trainings)} runs are trained.")
    return schedule.run([(t.folder.name, t.command()) for t in missing], workers, threads, schedule.print_progress)


def check_flags(file: Path, flags: Sequence[str]) -> None:
    """Keeps the further flags of all runs of a folder in a file, so that runs of different flags are never mixed.

    Raises:
      ValueError: the runs that are there were trained with other flags.
    """
    before = results.read(file)
    if before.get("train_flags", list(flags)) != list(flags):
        there = " ".join(before["train_flags"]) or "none"
        raise ValueError(f"{file.parent}: its runs were trained with other flags ({there}); choose another folder.")
    results.write(file, {"train_flags": list(flags)})
