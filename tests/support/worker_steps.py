"""Some training steps as one of several workers, or alone; a program, because workers are processes.

python -m tests.support.worker_steps TF_CONFIG OUT: writes what every step makes into OUT.
"""

import os
import sys

import numpy as np
import tensorflow as tf

from tests.support import tiny
from tf_psgan.config import Config, DataConfig, TrainingConfig
from tf_psgan.data import crops
from tf_psgan.runtime.cluster import from_json
from tf_psgan.runtime.workers import ALONE, Workers
from tf_psgan.training.gan_step import GanStep

FIRST = 1008
"""The number of the first step: the spectral loss has its full weight, and the R1 penalty is due."""


def cases():
    """The name, settings and number of classes of each step."""
    data = DataConfig(crop_cells=4, batch_size=4)
    yield "plain", Config(tiny.model_config(), data, TrainingConfig(r1_interval=16)), 0
    training = TrainingConfig(r1=0.0, conditioning="class")
    yield "classes", Config(tiny.model_config(global_channels=2), data, training), 3


def packed():
    """Three pictures of 40 x 40 pixels: grey noise of different strength."""
    random, count = np.random.default_rng(0), 3
    light = 128 + np.repeat([[10], [30], [60]], 1600, axis=0) * random.uniform(-1, 1, (count * 1600, 3))
    places = (tf.constant(values, tf.int64) for values in ([0, 1600, 3200], [40] * count, [40] * count))
    return crops.PackedImages(tf.constant(light, tf.uint8), *places)


def steps(workers=ALONE):
    """Every variable after a step of each case, and what it reports, by case and name."""
    found = {}
    for case, config, classes in cases():
        step = GanStep(config, "float32", classes, workers=workers)
        if not classes:
            step.set_wave_numbers(np.array([[0.7, 0.1], [-0.2, 0.9]], np.float32))
        step.step.assign(FIRST)
        workers.set_as_first(step.state())
        report = step(packed())
        values = step.state() | {f"report/{name}": value for name, value in report.items()}
        found |= {f"{case}/{name}": value.numpy() for name, value in values.items()}
    return found


def main(cluster, out):
    """Connects, trains and writes."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    workers = Workers(from_json(cluster))
    with workers.connected():
        assert workers.total(1, workers.index) == (workers.count, sum(range(workers.count)))
        assert workers.from_first(b"of worker %d" % workers.index) == b"of worker 0"
        found = steps(workers)
        workers.total(0, 0)
        workers.release()
    with open(out, "wb") as stream:
        np.savez(stream, **{name.replace("/", "|"): value for name, value in found.items()})


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main(*sys.argv[1:])
