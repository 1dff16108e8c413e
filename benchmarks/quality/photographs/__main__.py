"""Trains one run per photograph and seed with the defaults, and measures and shows them beside image quilting.

  python -m benchmarks.quality.photographs --folder=PHOTOS --out=OUT [--steps=N | --minutes=M] [--seeds=1,2,3]
                                           [--vgg=WEIGHTS] [--only=a,b] [--skip=c] [--train-flags="--waves=0"]
  python -m benchmarks.quality.photographs --folder=PHOTOS --out=OUT --runs=RUNS [--vgg=WEIGHTS]

PHOTOS holds pictures; --only and --skip name them without their suffix. A run is OUT/runs/NAME-SEED. A finished run is
not trained again and an interrupted one continues; a larger budget continues all. With --runs nothing is trained: the
folders RUNS/NAME and RUNS/NAME-SEED are measured, as far as they exist.

Written: OUT/measured/NAME.json (all metrics, see `measuring.py`), OUT/sheets/NAME.png (source, result of the first run
and quilting under letters), OUT/keys.json (which is which), OUT/pictures/ (all windows) and OUT/report.md (the total
table and the targets). What was measured on the same checkpoints is not measured again; after a change of the code that
renders or measures, choose another OUT or delete OUT/measured.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.methods import results, schedule, sources, textures
from benchmarks.quality.photographs import blind_sheet, measuring, summary, training
from tf_psgan.evaluation.vgg_features import VggFeatures


def main(arguments: Sequence[str]) -> int:
    """Prints the report; 1 where a run or a photograph failed, 2 and one line where the arguments cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        photographs = choose(options.folder, options.only, options.skip)
        features = VggFeatures(options.vgg) if options.vgg else None
        runs, failures = (_existing(options, photographs), []) if options.runs else _train(options, photographs)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    records = []
    for photograph in photographs:
        if not runs[photograph]:
            continue
        try:
            records.append(_measure(photograph, runs[photograph], features, options))
            schedule.print_progress(f"{photograph.stem}: measured")
        except (ValueError, OSError) as error:
            failures.append(f"{photograph.stem}: {error}")
            schedule.print_progress(failures[-1])
    if records:
        text = summary.of_records(records)
        (options.out / "report.md").write_text(text + "\n", encoding="utf-8")
        print(f"{text}\n\n{options.out / 'report.md'}")
    if failures or not records:
        failed = failures or ["no photograph has a run"]
        print(f"{len(failed)} failed, the first {failed[0]}; the same command tries again.", file=sys.stderr)
        return 1
    return 0


def choose(folder: Path, only: Sequence[str], skip: Sequence[str]) -> list[Path]:
    """The pictures of a folder, by name without suffix.

    Raises:
      ValueError: no such folder, an unknown name, two pictures of one name, or none left.
    """
    every = [Path(path) for path in textures.in_folder(folder)]
    names = [path.stem for path in every]
    if unknown := [name for name in (*only, *skip) if name not in names]:
        raise ValueError(f"{folder}: no picture is named {unknown[0]!r}; there are {', '.join(names) or 'none'}.")
    chosen = [path for path in every if (not only or path.stem in only) and path.stem not in skip]
    if twice := [path.stem for path in chosen if names.count(path.stem) > 1]:
        raise ValueError(f"{folder}: {twice[0]!r} is the name of two pictures; rename one.")
    if not chosen:
        raise ValueError(f"{folder}: no pictures; name another folder.")
    return chosen


def _train(options: argparse.Namespace, photographs: list[Path]) -> tuple[dict[Path, list[Path]], list[str]]:
    """Trains what is missing, seed by seed; the finished runs of each photograph, and what failed."""
    flags = tuple(shlex.split(options.train_flags))
    training.check_flags(options.out / "flags.json", flags)
    jobs = {
        (photograph, seed): training.Training(
            photograph, options.out / "runs" / f"{photograph.stem}-{seed}", seed, options.steps, options.minutes, flags
        )
        for seed in options.seeds
        for photograph in photographs
    }
    threads = max(1, (os.cpu_count() or 1) // options.workers)
    failures = training.train(list(jobs.values()), options.workers, threads)
    failed = {failure.partition(":")[0] for failure in failures}
    return {
        photograph: [
            jobs[photograph, seed].folder for seed in options.seeds if f"{photograph.stem}-{seed}" not in failed
        ]
        for photograph in photographs
    }, failures


def _existing(options: argparse.Namespace, photographs: list[Path]) -> dict[Path, list[Path]]:
    """The runs that are in a folder, by photograph; tells of each photograph without one."""
    found = {}
    for photograph in photographs:
        names = [photograph.stem, *(f"{photograph.stem}-{seed}" for seed in options.seeds)]
        found[photograph] = [
            options.runs / name for name in names if any((options.runs / name).glob("checkpoints/step-*"))
        ]
        if not found[photograph]:
            schedule.print_progress(f"{photograph.stem}: no run in {options.runs}, left out")
    return found


def _measure(
    photograph: Path, runs: list[Path], features: VggFeatures | None, options: argparse.Namespace
) -> dict[str, Any]:
    """The record of a photograph, measured and shown now unless it is there."""
    file, name = options.out / "measured" / f"{photograph.stem}.json", photograph.stem
    key = measuring.key(photograph, runs, options.vgg)
    key["order_seed"] = options.order_seed
    if (known := results.read(file)).get("key") == key:
        return known
    found = measuring.measure(photograph, runs, features)
    rows, cols = found.source.shape[:2]
    result = found.windows[runs[0].name][0][:rows, :cols]
    pictures = {"source": found.source, "result": result, "quilting": found.quilted}
    letters = blind_sheet.letters(name, options.order_seed, sorted(pictures))
    for folder in ("sheets", "pictures"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    sources.write_picture(options.out / "sheets" / f"{name}.png", blind_sheet.page(pictures, letters))
    sources.write_picture(options.out / "pictures" / f"{name}-source.png", found.source)
    sources.write_picture(options.out / "pictures" / f"{name}-quilting.png", found.quilted)
    for run, windows in found.windows.items():
        for place, window in zip(("origin", "far"), windows, strict=True):
            sources.write_picture(options.out / "pictures" / f"{run}-{place}.png", window)
    results.write(options.out / "keys.json", results.read(options.out / "keys.json") | {name: letters})
    results.write(file, found.record | {"key": key})
    return found.record


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.photographs", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--folder", type=Path, required=True, help="the photographs")
    parser.add_argument("--out", type=Path, required=True, help="folder for everything that is written")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--steps", type=int, default=0, help="training steps of each run; the trainer's own budget")
    budget.add_argument("--minutes", type=float, default=0.0, help="or minutes; the trainer's own budget")
    parser.add_argument("--seeds", type=_seeds, default=[1, 2, 3], help="seeds, separated by commas; 1,2,3")
    parser.add_argument("--vgg", type=Path, help="VGG-19 weights, see tf_psgan/evaluation/vgg_weights.py")
    parser.add_argument("--only", type=_names, default=[], help="only these photographs, separated by commas")
    parser.add_argument("--skip", type=_names, default=[], help="without these photographs, separated by commas")
    parser.add_argument("--runs", type=Path, help="folder of trained runs, named after the photographs; trains nothing")
    parser.add_argument("--train-flags", default="", help="further flags of `psgan train`, in one string")
    parser.add_argument("--workers", type=_positive, default=1, help="runs side by side; more distort --minutes")
    parser.add_argument("--order-seed", type=int, default=1, help="decides the order of the pictures on the sheets")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
