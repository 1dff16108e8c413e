"""The terms that a training step adds up to the losses of its two networks.

A term is an object with a weight and a call. `GanStep` takes a list of them, so an experiment adds, replaces or leaves
out a term without changing the step:

    class TotalVariation(Term):
        network = "generator"

        def __call__(self, batch: Batch) -> tf.Tensor:
            return self.weight * tf.reduce_mean(tf.image.total_variation(batch.fake))

    step = GanStep(config, "float32", terms=[*default_terms(config), TotalVariation(1e-4)])
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import tensorflow as tf

from tf_psgan.runtime.workers import ALONE

Network = Literal["generator", "discriminator"]


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one step's losses are computed from.

    Args:
      real, fake: float32 [batch, side, side, channels] in [-1, 1]; with `class_ids`, fake i has the class of real i.
      real_logits, fake_logits: float32 [batch, rows, cols, 1], the discriminator's patch scores.
      class_ids: int64 [batch], the class of each real crop; None for a model that is not class-conditional.
      score: images -> logits, as `real_logits` but in a form that has second derivatives.
      step: int64, steps done before this one.
      key: int64, the random key of this step. Counters 0 to 2 are in use; fold others into it for other random numbers.
      over_workers: tensors -> their means over the processes that train together, see `Workers.mean`. The step averages
        the terms and their gradients itself. A term that is no mean over the examples (it takes the logarithm of a
        mean, say) has to average over all workers' examples first.
      compiled: whether XLA compiles the step. Then no slice may begin at a place that follows from `step` or `key`: XLA
        would compile the step again for each of its values.
      assignments: see `after_update`.
    """

    real: tf.Tensor
    fake: tf.Tensor
    real_logits: tf.Tensor
    fake_logits: tf.Tensor
    class_ids: tf.Tensor | None
    score: Callable[[tf.Tensor], tf.Tensor]
    step: tf.Tensor
    key: tf.Tensor
    over_workers: Callable[[Sequence[tf.Tensor]], list[tf.Tensor]] = ALONE.mean
    compiled: bool = False
    assignments: list[tuple[tf.Variable, tf.Tensor]] = dataclasses.field(default_factory=list)

    def after_update(self, variable: tf.Variable, value: tf.Tensor) -> None:
        """Assigns with the update of the term's network; a step that is not finite assigns nothing."""
        self.assignments.append((variable, value))


class Term(tf.Module, abc.ABC):
    """One term of the loss of one network.

    Args:
      weight: its weight. A term of weight 0 is not computed, but its state stays in the checkpoint.
      name: under which the step returns its value; by default the class name in snake case.
    """

    network: ClassVar[Network]
    """The network whose loss this is a term of."""
    logged: ClassVar[bool] = True
    """Whether every step computes and returns it, even a step that updates the other network only."""
    interval: int = 1
    """Updates of the network from one with this term to the next. One of more than 1 is not logged and has no state."""

    def __init__(self, weight: float = 1.0, name: str | None = None) -> None:
        super().__init__(name)
        self.weight = weight

    @property
    def is_logged(self) -> bool:
        """`logged`, except for a term that is not in every update."""
        return self.logged and self.interval == 1

    @abc.abstractmethod
    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted term, a float32 scalar. It changes no variable, except through `Batch.after_update`."""

    def state(self) -> dict[str, tf.Variable]:
        """Variables that a checkpoint has to hold, by their names there."""
        return {}
