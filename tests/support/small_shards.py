"""A picture of 25 shards, of four small blocks each, for several processes."""

import contextlib
import os
import signal
from pathlib import Path

import numpy as np
import tifffile
import zarr

from tests.support.small_raster import IDENTITY, SIDE, digest, view, write
from tf_psgan.errors import RunError
from tf_psgan.rendering.raster import shards

ROOT = Path(__file__).resolve().parents[2]
SHARD = 2 * SIDE
HEIGHT, WIDTH = 150, 133
NAMES = ("a.zarr", "a.dzi", "a.tif")


def planned(**changes):
    return shards.plan(
        **{"height": HEIGHT, "width": WIDTH, "identity": IDENTITY, "shard": SHARD, "side": SIDE} | changes
    )


def pixels(out):
    """Every level of a picture, largest first."""
    if out.suffix == ".zarr":
        group = zarr.open_group(out, mode="r")
        return [group[str(level)][:].transpose(1, 2, 0) for level in range(len(list(group.array_keys())))]
    if out.suffix == ".tif":
        with tifffile.TiffFile(out) as file:
            return [level.asarray() for level in file.series[0].levels]
    return digest(out)


def one_process(out):
    """The pixels that a single process makes without parts."""
    whole = out.parent / "one" / out.name
    whole.parent.mkdir()
    write(whole, HEIGHT, WIDTH)
    found = pixels(whole)
    return found


def same(ours, theirs):
    return (
        ours == theirs if isinstance(ours, str) else all(map(np.array_equal, ours, theirs)) and len(ours) == len(theirs)
    )


def open_view():
    """For a worker of an engine."""
    return view


def open_killed(folder, kills):
    """As `open_view`, but each of the first calls of all workers together kills its process."""

    def killed(*place):
        for number in range(kills):
            with contextlib.suppress(FileExistsError):
                (folder / f"kill-{number}").touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        return view(*place)

    return killed


def open_nothing():
    raise RunError("runs/honeycomb", "no run", "train one")
