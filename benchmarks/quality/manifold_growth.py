"""Measures how quality decreases as one model is trained on more textures, at equal training.

  python -m tf_psgan.procedural --variations=56 --out=runs/many-pictures
  python benchmarks/quality/manifold_growth.py --out=runs/growth --images=runs/many-pictures [--counts=1,2,4,8,16,32,56]
                                       [--steps=1500] [--conditioning=class,none] [--threads=0] [--json=growth.json]

Trains `flags/many.cfg` once on the first 1, 2, 4, ... pictures of a folder. All runs have the same number of steps and
the same batch size, and so take the same time. Each run is evaluated as in `benchmarks/quality/manifold.py`. Procedural
variations are ordered by number, other pictures by name. The results of a finished run are read from its folder; an
interrupted run continues.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import manifold
from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.data.picture_formats import SUFFIXES
from tf_psgan.runs.run_folder import RunFolder

SETTINGS = {
    "class": (),
    "none": ("--waves=12", "--wave_lr_multiplier=0.25"),
}  # without conditioning all textures share the waves
USAGE = "Trains models of more and more textures for equally many steps and tabulates their quality."
ROOT = Path(__file__).parents[2]


def define(values: flags.FlagValues) -> None:
    """Defines flags for the output, the pictures, their counts and the duration."""
    flags.DEFINE_string("out", None, "Folder for the runs.", flag_values=values)
    flags.DEFINE_string("images", None, "Folder of the pictures.", flag_values=values)
    flags.DEFINE_list("counts", ["1", "2", "4", "8", "16", "32", "56"], "Textures in a model.", flag_values=values)
    flags.DEFINE_list("conditioning", ["class"], "class, or none (12 waves).", flag_values=values)
    flags.DEFINE_integer("steps", 1500, "Steps of each run.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 1, "Seed of all random numbers.", flag_values=values)
    flags.DEFINE_integer("threads", 0, "Threads; 0: one per core.", flag_values=values)
    flags.DEFINE_integer("textures", 64, "Random textures to evaluate.", lower_bound=1, flag_values=values)
    flags.DEFINE_string("json", "", "Where to write all metrics as JSON.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Trains the missing runs; returns a Markdown table of all runs."""
    out, folder = edge.path(values, "out"), edge.path(values, "images")
    found = sorted((file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES), key=_order)
    rows = []
    for conditioning in values["conditioning"].value:
        if conditioning not in SETTINGS:
            raise ValueError(f"conditioning: {conditioning!r} is not one of {', '.join(SETTINGS)}.")
        for count in map(int, values["counts"].value):
            if not 1 <= count <= len(found):
                raise ValueError(f"counts: {count} of {len(found)} pictures in {folder}; give 1 .. {len(found)}.")
            run = RunFolder(out / f"{conditioning}-{count}")
            shared = [f"--steps={values['steps'].value}", f"--seed={values['seed'].value}"]
            pictures = ",".join(str(file.resolve()) for file in found[:count])
            rows.append(_row(run, pictures, [*shared, f"--threads={values['threads'].value}"], conditioning, values))
    if values["json"].value:
        Path(values["json"].value).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    lines = ["| conditioning | textures | steps | minutes | mean distance | median | right | random: covered | sure |"]
    lines.append("|---" * 9 + "|")
    for row in rows:
        count = len(row["sources"])
        lines.append(
            f"| {row['conditioning']} | {count} | {row['run_steps']} | {row['minutes']:.1f} | "
            f"{row['mean_distance']:.2f} | {row['median_distance']:.2f} | {row['right']} of {count} | "
            f"{row['covered']} of {count} | {row['sure']} of {row['random']} |"
        )
    return "\n".join(lines)


def _row(run: RunFolder, pictures: str, length: list[str], conditioning: str, values: Any) -> dict[str, Any]:
    """Trains a run if it does not exist yet, and evaluates it."""
    if not (run.path / "report.md").exists():
        own = [f"--run={run.path.resolve()}", f"--images={pictures}", f"--conditioning={conditioning}"]
        fixed = [*SETTINGS[conditioning], "--minutes=0", "--evaluate_minutes=0"]
        command = [sys.executable, "train.py", "--flagfile=flags/many.cfg", *own, *length, *fixed]
        subprocess.run(command, check=True, cwd=ROOT)
    last = run.read_metrics()[-1]
    metrics = manifold.Manifold(run.path, values["textures"].value, 256).metrics()
    return metrics | {"run_steps": last["step"], "minutes": last["seconds"] / 60.0}


def _order(file: Path) -> tuple[int, str]:
    """Sort key: the number at the end of the name, then the name."""
    number = re.search(r"-(\d+)$", file.stem)
    return int(number[1]) if number else 0, file.name


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
