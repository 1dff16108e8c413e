"""Measures when the honeycomb's lattice is learned: honeycomb.cfg with several seeds, and sgan.cfg for comparison.

  python benchmarks/quality/lattice.py --out=runs/lattice [--seeds=1,2,3,4,5] [--minutes=4] [--threads=0]

The results of a finished run are read from its folder. The lattice is learned when the samples' mean autocorrelation
peaks lie within 1.5 pixels of the source's and are at least 0.9 of their height, and the autocorrelation distance is at
most 0.10. "from" is the time of the first evaluation from which this remains true.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.runs.run_folder import RunFolder

USAGE = "Trains the honeycomb with several seeds and tabulates when its lattice was learned."
ROOT = Path(__file__).parents[2]


def define(values: flags.FlagValues) -> None:
    """Defines flags for the output, the seeds and the duration."""
    flags.DEFINE_string("out", None, "Folder for the runs.", flag_values=values)
    flags.DEFINE_list("seeds", ["1", "2", "3", "4", "5"], "Seeds, separated by commas.", flag_values=values)
    flags.DEFINE_float("minutes", 4.0, "Minutes of training.", lower_bound=0.1, flag_values=values)
    flags.DEFINE_integer("threads", 0, "Threads; 0: one per core.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Trains the missing runs; returns a Markdown table of all runs."""
    out = edge.path(values, "out")
    lines = ["| run | steps | from, s | peak offset, px | height | distance | spectrum | patches | wave lengths, px |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for preset, seeds in (("honeycomb", values.seeds), ("sgan", values.seeds[:1])):
        for seed in seeds:
            folder = RunFolder(out / f"{preset}-{seed}")
            if not (folder.path / "report.md").exists():
                shared = [f"--run={folder.path.resolve()}", f"--seed={seed}"]
                length = [f"--minutes={values.minutes}", f"--threads={values.threads}"]
                command = [sys.executable, "train.py", f"--flagfile=flags/{preset}.cfg", *shared, *length]
                subprocess.run(command, check=True, cwd=ROOT)
            lines.append(_row(folder))
    return "\n".join(lines)


def is_learned(row: dict[str, Any]) -> bool:
    """Whether the lattice is learned at an evaluation."""
    return bool(
        row["peak_offset_pixels"] <= 1.5 and row["peak_height"] >= 0.9 and row["autocorrelation_distance"] <= 0.10
    )


def _row(folder: RunFolder) -> str:
    rows = folder.read_metrics()
    since = ""
    for row in reversed(rows):
        if not is_learned(row):
            break
        since = f"{row['seconds']:.0f}"
    last = rows[-1]
    names = ("peak_offset_pixels", "peak_height", "autocorrelation_distance", "log_spectrum", "sliced_wasserstein")
    cells = [folder.path.name, str(last["step"]), since or "never", *(f"{last[name]:.3f}" for name in names)]
    lengths = ", ".join(f"{length:.2f}" for length in last["wave_lengths_pixels"])
    return f"| {' | '.join(cells)} | {lengths} |"


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
