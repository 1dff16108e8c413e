"""Apache Beam's processes make the pixels of one process. `.ci/run` installs it last: it needs an older Pillow."""

import pytest

from tests.support import small_shards
from tests.support.small_raster import left_behind
from tests.support.small_shards import one_process, pixels, planned, same
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.rendering.raster import shards

pytest.importorskip("apache_beam", reason="needs the extra beam")

from tf_psgan.rendering.engines.beam_engine import BeamEngine


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The processes import the functions of these tests."""
    monkeypatch.syspath_prepend(small_shards.ROOT)
    monkeypatch.setenv("PYTHONPATH", str(small_shards.ROOT))


def test_two_processes_make_the_pixels_of_one(tmp_path):
    out = tmp_path / "a.zarr"
    expected = one_process(out)
    BeamEngine(2)(out, planned(), small_shards.open_view)
    shards.finish(out)
    assert same(pixels(out), expected) and left_behind(out) == ["one"]


def test_what_a_worker_raises_is_named(tmp_path):
    with pytest.raises(PictureError, match=r"a worker failed \(runs/honeycomb: no run; train one\)"):
        BeamEngine()(tmp_path / "a.dzi", planned(), small_shards.open_nothing)


def test_the_number_of_workers_stands_in_the_options_of_a_pipeline():
    with pytest.raises(SettingError, match="workers: the options of the pipeline say how many"):
        BeamEngine(2, "--runner=FlinkRunner")
