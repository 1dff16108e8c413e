"""Ray's actors make the pixels of one process, also where they are killed on the way."""

import functools

import pytest

from tests.support import small_shards
from tests.support.small_raster import left_behind
from tests.support.small_shards import one_process, pixels, planned, same
from tf_psgan.errors import RunError, SettingError
from tf_psgan.rendering.raster import shards

pytest.importorskip("ray", reason="needs the extra ray")

from tf_psgan.rendering.engines.ray_engine import RayEngine, share


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A cluster of two processors on this machine for all tests."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="warning")
    yield
    ray.shutdown()


def test_two_actors_make_the_pixels_of_one_process_though_killed_three_times(tmp_path):
    out, kills = tmp_path / "a.zarr", 3
    marks = tmp_path / "marks"
    marks.mkdir()
    expected = one_process(out)
    RayEngine(2)(out, planned(), functools.partial(small_shards.open_killed, marks, kills))
    assert len(list(marks.iterdir())) == kills
    shards.finish(out)
    assert same(pixels(out), expected)
    assert sorted(left_behind(out)) == ["marks", "one"]


def test_what_a_worker_raises_is_raised(tmp_path):
    with pytest.raises(RunError, match="no run; train one"):
        RayEngine(1)(tmp_path / "a.dzi", planned(), small_shards.open_nothing)


def test_a_number_of_workers_out_of_range_is_an_error():
    with pytest.raises(SettingError, match="workers: -1"):
        RayEngine(-1)


@pytest.mark.parametrize(
    "machines, workers, cores",
    [([16, 16, 8], 3, 8), ([16, 16, 8], 2, 16), ([16, 16, 8], 6, 5), ([2], 1, 2), ([2], 2, 1), ([3, 0], 2, 1)],
)
def test_each_worker_has_the_most_processors_with_which_all_find_a_machine(machines, workers, cores):
    assert share(machines, workers) == cores


def test_more_workers_than_processors_are_an_error(tmp_path):
    with pytest.raises(SettingError, match="workers: 3, but the cluster has 2 processors"):
        RayEngine(3)(tmp_path / "a.zarr", planned(), small_shards.open_view)
