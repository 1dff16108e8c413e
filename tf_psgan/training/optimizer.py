"""Adam (Kingma and Ba 2015, arXiv:1412.6980), all of a network's variables in one compiled pass."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam: its formula, its variables and their names; only the code of an update is other.

    An update moves seven times as many numbers as there are weights and computes next to nothing. As separate
    operations it moves them three times as often.
    """

    def __init__(self, variables: Sequence[Any], rate: float, beta_1: float, decay: float, name: str) -> None:
        """Makes every variable, as must be before a restore and before tracing.

        Args:
          variables: of one network.
          rate: the learning rate.
          decay: weight of an L2 penalty on those that are kernels; it adds to their gradients.
          name: of the moments; without one Keras counts, and no other process would know them.
        """
        super().__init__(rate, beta_1, name=name)
        self.build(variables)
        self._penalties = [2.0 * decay * variable.path.endswith("kernel") for variable in variables]
        # XLA makes one loop of it on a processor; a GPU has no need of that.
        jit = not tf.config.list_physical_devices("GPU")
        self._compiled = tf.function(self._update, autograph=False, jit_compile=jit)

    def update(self, gradients: Sequence[Any]) -> None:
        """One step with the gradient of each variable."""
        self._compiled(list(gradients))

    def _update(self, gradients: list[Any]) -> None:
        self.iterations.assign_add(1)
        step = tf.cast(self.iterations.value, tf.float32)
        rate = self.learning_rate * tf.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        each = (gradients, self._trainable_variables, self._momentums, self._velocities, self._penalties)
        for gradient, variable, mean, square, penalty in zip(*each, strict=True):
            if penalty:
                gradient = gradient + penalty * variable.value
            mean.assign(mean + (1.0 - self.beta_1) * (gradient - mean))
            square.assign(square + (1.0 - self.beta_2) * (tf.square(gradient) - square))
            variable.assign(variable - rate * mean / (tf.sqrt(square.value) + self.epsilon))
