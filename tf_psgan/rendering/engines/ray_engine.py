"""Ray: an actor a worker. An actor that dies is started again and makes the shard that it was making once more."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tf_psgan.errors import SettingError
from tf_psgan.latents.arguments import integer
from tf_psgan.rendering.engines import worker
from tf_psgan.rendering.raster import shards
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.runtime.progress import Progress

MOST_WORKERS = 10_000

RETRIES = 5
"""How often a shard whose actor has died is tried again, before the picture is given up."""


class RayEngine:
    """A `shards.Engine`.

    The cluster is that of the environment variable RAY_ADDRESS, or one on this machine that ends with the work.

    Args:
      workers: number of actors; 0 for one on each machine of the cluster.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      SettingError: Ray is not installed, or a number out of range.
    """

    def __init__(self, workers: int = 0, *, progress: bool = False) -> None:
        worker.check_installed("ray", "ray")
        integer("workers", workers, 0, MOST_WORKERS)
        self._workers, self._progress = workers, progress

    def __call__(self, out: Path | str, planned: Plan, open_view: shards.OpenView) -> None:
        """Makes all shards that are missing or broken.

        Raises:
          InputError: what a worker raised, or one died too often.
        """
        with _cluster(self._workers) as ray:
            found = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
            machines = [processors for processors in found if processors]  # a head node often offers none
            count = min(self._workers or max(1, len(machines)), planned.count)
            cores = share(machines, count)
            options = {"num_cpus": cores, "max_restarts": -1, "max_task_retries": RETRIES}
            Actor = ray.remote(**options)(worker.ShardWorker)
            actors = [Actor.remote(out, planned, open_view) for _ in range(count)]
            total = planned.height * planned.width
            with Progress(total, "pixels", display=self._progress) as done:
                try:
                    pool = ray.util.ActorPool(actors)
                    for index in pool.map_unordered(lambda actor, index: actor.make.remote(index), planned.shards()):
                        done.update(worker.pixels(planned, index))
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None
                except ray.exceptions.RayActorError as error:
                    reason = str(error).strip().partition("\n")[0]
                    raise worker.failed(out, reason) from error


def share(machines: Sequence[int], workers: int) -> int:
    """The most processors that each worker can have, an actor being on one machine.

    Args:
      machines: number of processors of each.
      workers: how many of them are to work at the same time.

    Raises:
      SettingError: there are fewer processors than workers.
    """
    for cores in range(max(machines, default=0), 0, -1):
        if sum(count // cores for count in machines) >= workers:
            return cores
    problem = f"{workers}, but the cluster has {sum(machines)} processors"
    raise SettingError("workers", problem, "choose as many at most", value=workers)


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    """Ray, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    handler = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
    if "RAY_ADDRESS" in os.environ:
        ray.init(**quiet)
    else:
        ray.init(num_cpus=max(workers, os.cpu_count() or 1), include_dashboard=False, **quiet)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own there, which hides that of the program
    try:
        yield ray
    finally:
        ray.shutdown()
