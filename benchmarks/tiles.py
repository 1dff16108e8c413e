"""The time of a 1024 x 1024 picture by the side of the plane's tiles, interleaved in one run.

  python benchmarks/tiles.py [--flagfile=flags/honeycomb.cfg] [--sides=128,256,512,1024] [--rounds=9]
"""

import statistics
import sys
import time

from absl import flags

from tf_psgan import device
from tf_psgan import flags as edge
from tf_psgan.generator import SpatialGenerator
from tf_psgan.plane import Plane

USAGE = "Times a picture by the side of the plane's tiles."
PIXELS = 1024


def define(values: flags.FlagValues) -> None:
    """The settings of the generator, the sides to try, and how often."""
    edge.define_config(values)
    flags.DEFINE_list("sides", ["128", "256", "512", "1024"], "Sides in pixels.", flag_values=values)
    flags.DEFINE_integer("rounds", 9, "Timings of each side; the median is shown.", lower_bound=3, flag_values=values)
    flags.DEFINE_string("run", None, "Not used; here so that presets can be read.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Times all sides in turn; a Markdown table."""
    config = edge.read_config(values)
    threads = device.pin_threads(config.training.threads)
    generator = SpatialGenerator(config.model, dtype=device.compute_type(config.training.dtype))
    side = generator.pixels_per_cell
    planes = {pixels: Plane(generator, pixels // side) for pixels in map(int, values.sides)}
    for plane in planes.values():
        plane.window(0, 0, 0, 0, PIXELS, PIXELS)
    times: dict[int, list[float]] = {pixels: [] for pixels in planes}
    for _ in range(values["rounds"].value):
        for pixels, plane in planes.items():
            began = time.perf_counter()
            plane.window(0, 0, 0, 0, PIXELS, PIXELS)
            times[pixels].append(1e3 * (time.perf_counter() - began))
    lines = [f"{threads} threads, {generator.compute_dtype}", ""]
    lines += ["| tile, px | median ms | least ms |", "|---|---|---|"]
    lines += [f"| {pixels} | {statistics.median(t):.1f} | {min(t):.1f} |" for pixels, t in times.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
