"""Kills the process that writes a picture of any extent at random moments, resumes it, and compares the files.

  python -m benchmarks.reliability.raster_kills --kills=50 [--suffix=.tif]

The pixels are cheap to compute and the blocks small, so that most of the time goes into writing.
"""

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from tf_psgan.cli import program

USAGE = "Kills the writing of a large picture, resumes it, and compares the files."
SIDE = 4096
CODE = """
import sys, numpy as np
from pathlib import Path
from tf_psgan.rendering.raster import writer
def view(top, left, height, width):
    rows, cols = np.mgrid[top : top + height, left : left + width]
    return np.stack([rows * cols % 251, rows % 256, cols % 256], axis=-1).astype(np.uint8)
writer.write(Path(sys.argv[1]), view, int(sys.argv[2]), int(sys.argv[2]), {"seed": "1"}, side=64)
"""


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("kills", 50, "Kills that must hit.", flag_values=values)
    flags.DEFINE_enum("suffix", ".tif", [".tif", ".zarr", ".dzi"], "The format.", flag_values=values)
    flags.DEFINE_float("wait", 0.5, "Seconds between the first block and a kill at most.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs the experiment; one line with the counts."""
    moments, hit, pictures, different = random.Random(1), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole", f"a{values.suffix}")
        whole.parent.mkdir()
        _start(whole).wait()
        expected = digest(whole.parent)
        while hit < values.kills:
            out = Path(folder, f"{pictures}", f"a{values.suffix}")
            out.parent.mkdir()
            while not out.exists():
                process = _start(out)
                partial = out.with_name(f"{out.name}.partial")
                while hit < values.kills and process.poll() is None and not (partial / "journal").exists():
                    time.sleep(0.002)
                if hit < values.kills:
                    time.sleep(moments.uniform(0, values.wait))
                    process.kill()
                hit += process.wait() < 0
            pictures += 1
            different += digest(out.parent) != expected
    return f"{values.suffix}: {hit} kills hit in {pictures} pictures; pictures that differ or leave a file: {different}"


def digest(folder: Path) -> str:
    """A digest of all files below a folder and of their names."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def _start(out: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", CODE, out, str(SIDE)], stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
