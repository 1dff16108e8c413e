"""Times the detail stage of a run: its parts, whole windows, and on request another version of the same stage.

  python benchmarks/speed/detail.py --run=runs/NAME [--rounds=7] [--against=synthesis.py]

All are timed in turn in one process. The processor time counts all threads, so it changes little where other programs
run. --against names the file tf_psgan/detail/synthesis.py of a commit whose stage has the same inputs (git show
COMMIT:PATH > FILE). Its picture has to be the same, pixel by pixel; the program ends with an error where it is not.
"""

import importlib.util
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags
from engines.rounds import WARM, spread

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = "Times the parts of the detail stage, and windows with and without it."
PIXELS = 512


def define(values: flags.FlagValues) -> None:
    """Defines flags for the run, the rounds and the other version."""
    edge.define_run(values)
    flags.DEFINE_integer("rounds", 7, "Timings of each part.", 3, flag_values=values)
    flags.DEFINE_integer("threads", 0, "Cores to use; 0 for all.", 0, flag_values=values)
    flags.DEFINE_string("against", None, "File of another version of synthesis.py.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Returns a Markdown table: wall and processor time of each part."""
    with filtered_stderr():
        from tf_psgan.latents.scene import Scene
        from tf_psgan.loading import load_plane
        from tf_psgan.plane.plane import TexturePlane
        from tf_psgan.runtime import device
    threads = device.set_threads(values.threads)
    plane = load_plane(edge.path(values, "run"), values.dtype)
    if plane.exemplar is None:
        raise ValueError("run: has no detail stage; choose another run.")
    plain, seeds, places = TexturePlane(plane.folded), itertools.count(), itertools.count()
    inputs = stage_inputs(plane)
    arrange = stage(sys.modules["tf_psgan.detail.synthesis"], plane.exemplar)
    runs: dict[str, Callable[[], Any]] = {"stage alone": lambda: arrange(*inputs).numpy()}
    if path := values.against:
        other = stage(_module(Path(path)), plane.exemplar)
        if (other(*inputs).numpy() != runs["stage alone"]()).any():
            raise ValueError(f"against: the pictures of {path} are others.")
        runs["stage alone, other version"] = lambda: other(*inputs).numpy()
    runs |= {
        "one chunk of the generator": lambda: plain.chunk(Scene(next(seeds)), 0, 0),
        "window without the stage": lambda: plain.window(PIXELS, PIXELS, top=-100, left=-100, seed=next(seeds)),
        "window, first of a plane": lambda: plane.window(PIXELS, PIXELS, top=-100, left=-100, seed=next(seeds)),
        "window beside the last one": lambda: plane.window(PIXELS, PIXELS, left=PIXELS * next(places), seed=-1),
        "the same window again": lambda: plane.window(PIXELS, PIXELS, seed=-2),
    }
    processor = device.conditions(threads, "")["processor"]
    lines = [f"{threads} threads, {processor}, {plane.folded.dtype}; {PIXELS} x {PIXELS} pixels", ""]
    lines += ["| what | median ms | quartiles | processor ms |", "|---|---|---|---|"]
    for name, (wall, cpu) in _timed(runs, values.rounds).items():
        median, low, high = spread(wall)
        lines.append(f"| {name} | {median:.0f} | {low:.0f} to {high:.0f} | {spread(cpu)[0]:.0f} |")
    return "\n".join(lines)


def stage(module: Any, exemplar: Any) -> Callable[..., Any]:
    """The detail stage of a version of `synthesis` as one graph."""
    import tensorflow as tf

    detail = module.DetailStage(exemplar)
    return tf.function(detail, input_signature=detail.input_signature, autograph=False)


def stage_inputs(plane: Any) -> tuple[Any, ...]:
    """What the stage needs for a window of PIXELS x PIXELS (`TexturePlane.stage_inputs`)."""
    from tf_psgan.detail.synthesis import DetailStage
    from tf_psgan.latents.scene import Scene
    from tf_psgan.plane.plane import TexturePlane

    return TexturePlane(plane.folded).stage_inputs(DetailStage(plane.exemplar), Scene(), 0, 0, PIXELS, PIXELS)


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("other_synthesis", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"against: {path} is no Python file; give one.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _timed(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds of wall and of processor time of each function, one after the other in each round."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in runs}
    for i in range(WARM + rounds):
        for name, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if i >= WARM:
                times[name][0].append(1e3 * (time.perf_counter() - wall))
                times[name][1].append(1e3 * (time.process_time() - cpu))
    return times


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
