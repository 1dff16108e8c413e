"""Training steps that are traced once: tracing one takes seconds, a step of a tiny network milliseconds."""

import dataclasses
import functools

from tf_psgan.config import TrainingConfig
from tf_psgan.runtime.workers import ALONE
from tf_psgan.training.gan_step import GanStep

OF_THE_LOOP = (
    "steps",
    "minutes",
    "checkpoint_minutes",
    "checkpoint_steps",
    "max_to_keep",
    "evaluate_minutes",
    "max_nonfinite_steps",
    "samples",
    "sample_pixels",
)
"""Settings of the training loop that the graph of a step does not depend on."""


def traced_step(config, dtype, classes=0, workers=ALONE):
    """A `GanStep` as it is when new: the same object for all settings with one graph. Stands in for the class."""
    assert workers.count == 1
    defaults = {name: getattr(TrainingConfig(), name) for name in OF_THE_LOOP}
    data, training = dataclasses.replace(config.data, images=()), dataclasses.replace(config.training, **defaults)
    step, start = _made(dataclasses.replace(config, data=data, training=training), dtype, classes)
    for name, variable in step.state().items():
        variable.assign(start[name])
    return step


@functools.cache
def _made(config, dtype, classes):
    step = GanStep(config, dtype, classes)
    return step, {name: variable.numpy() for name, variable in step.state().items()}


class ObservedStep:
    """A traced step that calls a function after each training step.

    Args:
      after: takes the step and its losses; returns the losses to report.
      arguments: of `traced_step`.
    """

    def __init__(self, after, *arguments, **named):
        self._after, self._step = after, traced_step(*arguments, **named)

    def __call__(self, packed):
        return self._after(self._step, self._step(packed))

    def __getattr__(self, name):
        return getattr(self._step, name)
