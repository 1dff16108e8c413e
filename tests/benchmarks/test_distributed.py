"""The simulation of `benchmarks/speed/distributed.py` finishes a whole picture."""

import numpy as np
import pytest
import tifffile
import zarr

from benchmarks.speed import distributed
from tf_psgan.cli import program
from tf_psgan.rendering.raster import shards


@pytest.mark.parametrize("suffix", [".zarr", ".tif"])
def test_a_simulated_picture_is_whole_at_all_levels(tmp_path, suffix):
    out, planned = tmp_path / f"a{suffix}", shards.plan(150, 133, {"seed": "1"}, shard=32, side=16)
    distributed._write_parts(distributed._Simulated(out), planned)
    shards.finish(out)
    if suffix == ".tif":
        with tifffile.TiffFile(out) as file:
            levels = [level.asarray() for level in file.series[0].levels]
    else:
        levels = [array[:].transpose(1, 2, 0) for _, array in sorted(zarr.open_group(out, mode="r").arrays())]
    assert [level.shape[:2] for level in levels] == planned.levels(to_one_pixel=False)
    assert all(np.all(level == 127) for level in levels)


def test_the_table_counts_shards_and_files(capsys):
    arguments = ["--simulate=3000", "--shard=1024", "--rate=2"]
    assert program.run(["distributed.py", *arguments], distributed.USAGE, distributed.define, distributed.main) == 0
    found = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| 3000 |")]
    side, count, _, parts, *_ = found[0]
    assert (side, count) == ("| 3000", "9")
    assert int(parts) == 9 * (2 + 1 + 1) + 1  # two levels, the reduction, the record; the plan
    assert found[1][1] == "0.00 h |"
