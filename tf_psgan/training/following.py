"""Several workers in one run: the first one decides what comes next, and the others follow.

Before each step, and wherever the state is replaced or the training ends, the first worker tells the others by one
message of two integers: its command, and how many workers a signal has asked to stop. Checkpoints, previews, limits and
roll-backs are the first one's alone; the others know no run folder.
"""

import contextlib
import enum
import json
import logging
from collections.abc import Mapping

import tensorflow as tf

from tf_psgan import config as configs
from tf_psgan.config import Config
from tf_psgan.data import manifest
from tf_psgan.data.image_cache import ImageCache
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.runs.run_folder import FREE
from tf_psgan.runtime import device
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.runtime.workers import Workers
from tf_psgan.training.gan_step import GanStep

logger = logging.getLogger(__name__)


class _Command(enum.IntEnum):
    """What the others have to do next."""

    STEP = 0
    TAKE_STATE = 1
    END = 2


def check_agreement(workers: Workers, config: Config, pictures: manifest.Manifest) -> None:
    """Checks that all workers have the settings, the compute type and the pictures of the first one.

    Raises:
      SettingError, PictureError: in every worker, where one has others; that one says which.
    """
    error = _disagreement(workers, config, pictures)
    count, numbers = workers.total(int(error is not None), workers.index if error else 0)
    if error:
        raise error
    if count:
        who = f"worker {numbers}" if count == 1 else f"{count} workers"
        problem = f"{who} of {workers.count} cannot train with the others; the reason is in its own error"
        raise SettingError("workers", problem, "give all workers the same settings and pictures")


def _disagreement(workers: Workers, config: Config, pictures: manifest.Manifest) -> SettingError | PictureError | None:
    """What this worker has otherwise than the first one."""
    dtype = device.compute_type(config.training.dtype)
    own = {"config": json.loads(configs.to_json(config)), "dtype": dtype, "pictures": manifest.to_json(pictures)}
    first = json.loads(workers.from_first(json.dumps(own).encode()))
    theirs, allowed = configs.from_dict(Config, first["config"]), "give all workers the same settings"
    for part in ("model", "data", "training", "rendering"):
        if different := configs.difference(getattr(config, part), getattr(theirs, part), FREE):
            return SettingError("workers", f"the first one has other settings ({different} there)", allowed)
    if dtype != first["dtype"]:
        problem = f"auto is {dtype} on this worker and {first['dtype']} on the first one"
        return SettingError("dtype", problem, "choose one of them", value="auto", settings=("dtype",))
    if different := manifest.difference(pictures, manifest.from_json(first["pictures"])):
        return PictureError("images", f"the first worker has other pictures ({different})", "give all workers the same")
    return None


def begin_step(workers: Workers) -> bool:
    """Lets the others begin a step; whether one of them was asked to stop, which is to happen after this step."""
    return bool(workers.total(_Command.STEP, 0)[1])


def give_state(workers: Workers, state: Mapping[str, tf.Variable]) -> None:
    """Gives the others the state of the first worker, after it has restored a checkpoint."""
    workers.total(_Command.TAKE_STATE, 0)
    workers.set_as_first(state)


def end(workers: Workers) -> None:
    """Lets the others end: the training is done, and what remains is the first worker's."""
    workers.total(_Command.END, 0)
    workers.release()


def follow(workers: Workers, step: GanStep, cache: ImageCache) -> None:
    """Trains as one of the workers that are not the first, until that one ends the training.

    Raises:
      LostWorker: another one is gone.
    """
    logger.info("worker %d of %d, %d examples of each batch.", workers.index, workers.count, step.batch_size)
    state = step.state()
    with StopSignals() as stopping, contextlib.closing(cache):
        while True:
            command, _ = workers.total(0, int(stopping.requested))
            if command == _Command.STEP:
                step(cache.at(int(step.step)))
            elif command == _Command.TAKE_STATE:
                workers.set_as_first(state)
            else:
                workers.release()
                return
