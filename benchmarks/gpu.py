"""Everything that this project does at the speed of a GPU, measured by one command in at most eight minutes.

  python benchmarks/gpu.py [--json=gpu.json] [--pictures=FOLDER]
  python benchmarks/gpu.py --small            # tiny networks and pictures: a trial of the benchmark itself, anywhere

Reports the device and the best matrix product; for the defaults and the presets `gpu` and `paper`, in bfloat16 and
float32, compiled and not: seconds to the first step (from the start of the process), steps a second, TFLOP/s of useful
operations, the share of the time in which the device computes, and peak memory; the same step in PyTorch where
that is installed, beside this project's without the spectral loss and R1, which the step in PyTorch has not; windows of
the plane, the exported `window` in a session, a `.tif`; and two pictures of a short training.

Each part runs in a process of its own with a time limit, so that the failure of one leaves the others. Parts for which
no time is left are listed as left out. Needs no network and no package beyond the project's own. Compiled programs are
kept in a temporary folder, so that the first row of a preset is without them; `again` is the same with them.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "speed")]

from tf_psgan.cli import flags as edge  # noqa: E402
from tf_psgan.cli import program  # noqa: E402
from tf_psgan.runtime import accelerator  # noqa: E402

USAGE = "Measures training steps and pictures on a GPU, in at most eight minutes."
BUDGET_SECONDS = 470.0
LEAST_SECONDS = 12.0
"""No part begins with less time left."""
SMALL = ("--filters=8,4", "--discriminator_filters=4,6", "--crop_cells=4", "--batch_size=2", "--local_channels=3")
"""Settings of --small, which replace those of a preset."""
SHARED_TERMS = ("--spectral_loss_weight=0", "--r1=0")
"""Leaves the terms of the loss that the step in PyTorch has, too."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the benchmark: a function of `gpu_parts`, its command line and its time limit.

    Args:
      title: in the tables.
      arguments: flags of the child process.
      seconds: after which it is ended.
    """

    kind: str
    title: str
    arguments: tuple[str, ...] = ()
    seconds: float = 75.0


def parts(is_small: bool = False) -> list[Part]:
    """All parts, the most important ones first; of a trial those that differ in more than their size."""

    def chosen(preset: str) -> tuple[str, ...]:
        return (f"--flagfile={ROOT / 'flags' / preset}.cfg",) if preset else ()

    def step(preset: str, dtype: str, form: str, note: str = "", settings: tuple[str, ...] = ()) -> Part:
        short = "bfloat16" if dtype == "mixed_bfloat16" else dtype
        title = f"{preset or 'default'}, {short}, {'compiled' if form == 'compiled' else 'not compiled'}{note}"
        arguments = (*chosen(preset), *settings, f"--dtype={dtype}", f"--form={form}")
        return Part("step", title, arguments, 200.0 if is_small else 75.0)  # processors compile for minutes

    def torch(preset: str) -> Part:
        return Part("torch_step", f"PyTorch, {preset or 'default'}", (*chosen(preset), *SHARED_TERMS), 90.0)

    narrow, wide = "mixed_bfloat16", "float32"
    if is_small:
        return [
            Part("device", "device", seconds=60.0),
            step("", narrow, "compiled"),
            step("paper", wide, "plain"),
            Part("windows", "pictures", ("--dtype=float32",), 120.0),
            torch(""),
            Part("look", "two pictures for a look", seconds=120.0),
        ]
    return [
        Part("device", "device", seconds=45.0),
        step("", narrow, "compiled"),
        step("gpu", narrow, "compiled"),
        Part("windows", "pictures", ("--dtype=mixed_bfloat16",), 70.0),
        torch("gpu"),
        step("gpu", narrow, "compiled", ", without spectral loss and R1", SHARED_TERMS),
        step("", narrow, "compiled", ", again"),
        step("paper", narrow, "compiled"),
        step("", narrow, "plain"),
        Part("look", "two pictures for a look", (f"--flagfile={ROOT / 'flags' / 'gpu.cfg'}",), 90.0),
        step("gpu", narrow, "plain"),
        torch(""),
        *(step(preset, wide, "compiled") for preset in ("", "gpu", "paper")),
        step("paper", narrow, "plain"),
        *(step(preset, wide, "plain") for preset in ("", "gpu", "paper")),
    ]


def define(values: flags.FlagValues) -> None:
    """Defines the flags of the command and, for the child processes, of a training."""
    edge.define_config(values)
    edge.define_device(values)
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_bool("small", False, "Tiny networks and pictures, for a trial without a GPU.", **where)
    flags.DEFINE_string("json", None, "Where to write all measurements.", **where)
    flags.DEFINE_string("pictures", None, "An existing folder for the two pictures; otherwise none are kept.", **where)
    flags.DEFINE_list("only", [], "Kinds of parts to run: device, step, windows, torch_step, look.", **where)
    flags.DEFINE_float(
        "limit", BUDGET_SECONDS, "Seconds for all parts; the limits of single parts follow.", 1.0, **where
    )
    flags.DEFINE_enum("form", "compiled", ["compiled", "plain"], "Form of the step; for a child process.", **where)
    flags.DEFINE_string("part", None, "The kind of part that this process is; for a child process.", **where)
    flags.DEFINE_string("run", None, "Not used; presets set it.", **where)


def main(values: flags.FlagValues) -> str:
    """Runs all parts one after the other; returns Markdown tables."""
    if values.part:
        return _child(values)
    offered = parts(values.small)
    known = {part.kind for part in offered}
    if wrong := sorted(set(values.only) - known):
        raise ValueError(f"only: {wrong[0]} is no kind of part; choose from {', '.join(sorted(known))}.")
    chosen = [part for part in offered if not values.only or part.kind in values.only]
    ends, found = time.monotonic() + values.limit, []
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen:
            left = ends - time.monotonic()
            limit = min(part.seconds * values.limit / BUDGET_SECONDS, left)
            result = _run(part, values, Path(folder), limit) if left > LEAST_SECONDS else None
            found.append({"part": part.kind, "title": part.title} | (result or {"problem": "left out: no time"}))
            if values.json:
                Path(values.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return "\n".join(_markdown(found))


def _run(part: Part, values: flags.FlagValues, folder: Path, seconds: float) -> dict[str, Any]:
    """The measurements of a part, as many as there were in time, and what went wrong, if anything."""
    out = folder / "part.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, __file__, f"--part={part.kind}", *part.arguments, f"--json={out}"]
    command += [f"--device={values.flag_values_dict()['device']}", f"--run={folder / 'run'}"]
    command += ["--small", *SMALL] if values.small else []
    command += [f"--pictures={values.pictures}"] if values.pictures else []
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder),
        "GPU_BENCHMARK_START": str(time.time()),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    problem = {}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            problem = {"problem": f"ended with {done.returncode}: {last[:300]}"}
    except subprocess.TimeoutExpired:
        problem = {"problem": f"not finished after {seconds:.0f} s"}
    try:
        return json.loads(out.read_text(encoding="utf-8")) | problem
    except (OSError, ValueError):
        return problem or {"problem": "measured nothing"}


def _child(values: flags.FlagValues) -> str:
    if values.part != "torch_step" and accelerator.has_driver():
        accelerator.keep_compiled_programs()
    import gpu_parts  # imports TensorFlow, in the child process only

    config, path = edge.read_config(values), Path(values.json)
    kept: dict[str, Any] = {}

    def keep(**measured: Any) -> None:
        """Writes what was measured so far: a part may be ended before its end."""
        kept.update(measured)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(path)

    options = gpu_parts.Options(
        config,
        device=values.flag_values_dict()["device"],
        is_small=values.small,
        is_compiled=values.form == "compiled",
        started=float(os.environ["GPU_BENCHMARK_START"]),
        run_folder=Path(values.run),
        pictures=Path(values.pictures) if values.pictures else None,
    )
    gpu_parts.PARTS[values.part](options, keep)
    return str(path)


def _markdown(found: list[dict[str, Any]]) -> Iterator[str]:
    about: dict[str, Any] = next((row for row in found if row["part"] == "device"), {})
    yield f"{about.get('device', 'unknown device')}, {about.get('versions', 'unknown versions')}."
    best = about.get("best_product", {})
    yield (
        "Best matrix product: "
        + (", ".join(f"{dtype} {rate:.3g} TFLOP/s" for dtype, rate in best.items()) or "-")
        + "."
    )
    yield ""
    yield "| step | first step, s | steps/s | ms | TFLOP/s | of the best product | device computes | peak, MB |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found:
        if row["part"] in ("step", "torch_step"):
            yield from _step_rows(row, best)
    yield ""
    yield "| picture | ms | megapixels/s |"
    yield "|---|---|---|"
    for row in found:
        for name, (milliseconds, pixels) in row.get("pictures", {}).items():
            yield f"| {name} | {milliseconds:.2f} | {pixels / milliseconds / 1e3:.1f} |"
    notes = [f"{row['title']}: {row['problem']}" for row in found if "problem" in row]
    notes += [f"{row['title']}: {note}" for row in found for note in row.get("notes", [])]
    if notes:
        yield from ["", *(f"- {note}" for note in notes)]


def _step_rows(row: dict[str, Any], best: dict[str, float]) -> Iterator[str]:
    for measured in row.get("steps", []):
        rate, top = measured["tflops"], best.get(measured["dtype"])
        cells = [
            f"{row['title']}{measured.get('form', '')}",
            _number(measured.get("first_step_seconds"), ".1f"),
            f"{measured['steps_per_second']:.1f}",
            f"{1e3 / measured['steps_per_second']:.2f}",
            f"{rate:.3g}",
            _number(rate / top if top else None, ".0%"),
            _number(measured.get("computes"), ".0%"),
            _number(measured.get("peak_megabytes"), ".0f"),
        ]
        yield f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
