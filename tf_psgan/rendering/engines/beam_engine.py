"""Apache Beam: shards are the elements of a pipeline, which Dataflow, Flink, Spark and others run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tf_psgan.errors import SettingError
from tf_psgan.latents.arguments import integer
from tf_psgan.rendering.engines import worker
from tf_psgan.rendering.raster import shards
from tf_psgan.rendering.raster.plan import Plan

MOST_WORKERS = 1000

LOCAL = "--runner=FnApiRunner --direct_running_mode=multi_processing --default_sdk_harness_log_level=WARNING"
"""Options of a pipeline that runs in processes of this machine."""


class BeamEngine:
    """A `shards.Engine`.

    Args:
      workers: processes on this machine, 0 for one. For work on other machines the options say how many.
      options: of the pipeline, as on a command line: "--runner=FlinkRunner --flink_master=localhost:8081". By default
        it runs on this machine.

    Raises:
      SettingError: Beam is not installed, or a number out of range.
    """

    def __init__(self, workers: int = 0, options: str = "") -> None:
        worker.check_installed("beam", "apache_beam")
        integer("workers", workers, 0, MOST_WORKERS)
        if workers and options:
            problem, allowed = "the options of the pipeline say how many there are", "leave one of them out"
            raise SettingError("workers", problem, allowed, value=workers)
        local = f"{LOCAL} --direct_num_workers={workers or 1}"
        self._options = shlex.split(options or local)

    def __call__(self, out: Path | str, planned: Plan, open_view: shards.OpenView) -> None:
        """Makes all shards that are missing or broken.

        Raises:
          PictureError: a worker failed.
        """
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        try:
            with beam.Pipeline(options=PipelineOptions(self._options)) as pipeline:
                _ = (
                    pipeline
                    | "shards" >> beam.Create(list(planned.shards()))
                    | "spread" >> beam.Reshuffle()
                    | "make" >> beam.ParDo(_make_shard(out, planned, open_view))
                )
        except Exception as error:  # each runner has its own
            raise worker.failed(out, _reason(str(error))) from error


def _reason(text: str) -> str:
    """What a worker raised, out of the tracebacks of a runner's error."""
    if found := re.search(r"tf_psgan\.errors\.\w+: (.*?)\.?(?: \[while running|\n|$)", text):
        return found[1]
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given")


def _make_shard(out: Path | str, planned: Plan, open_view: shards.OpenView) -> Any:
    """The function of the pipeline; its threads of one process share a worker, and so a model."""
    import apache_beam as beam
    from apache_beam.utils.shared import Shared

    class MakeShard(beam.DoFn):
        def __init__(self) -> None:
            self._shared = Shared()

        def setup(self) -> None:
            self._worker = self._shared.acquire(lambda: worker.ShardWorker(out, planned, open_view))

        def process(self, index: tuple[int, int]) -> Iterator[tuple[int, int]]:
            yield self._worker.make(index)

    return MakeShard()
