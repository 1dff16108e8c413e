"""Adam (Kingma and Ba 2015, arXiv:1412.6980) that updates all variables of a network in one compiled function."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam with the same formula, variables and variable names, but another implementation of the update.

    An update reads and writes seven numbers for each weight and computes next to nothing. As separate operations it
    would read and write them three times as often.

    Args:
      variables: of one network. Every variable of the optimiser is created at once, as restoring and tracing need it.
      learning_rate: constant.
      beta_1: decay of the first moment.
      l2: weight of an L2 penalty on the variables whose name is `kernel`. Its gradient, 2 * l2 * kernel, is added to
        theirs. (This is not decoupled weight decay.)
      name: prefix of the moments' names. Required: Keras's automatic names differ between processes, which breaks
        restoring.
    """

    def __init__(self, variables: Sequence[Any], learning_rate: float, beta_1: float, l2: float, name: str) -> None:
        super().__init__(learning_rate, beta_1, name=name)
        self.build(variables)
        self._l2_factors = [2.0 * l2 * variable.path.endswith("kernel") for variable in variables]
        # On a CPU XLA fuses the update into one loop; a GPU does not need it.
        jit = not tf.config.get_visible_devices("GPU")
        self._compiled = tf.function(self._update, autograph=False, jit_compile=jit)

    def update(self, gradients: Sequence[tf.Tensor]) -> None:
        """One update with the gradient of each variable, in their order."""
        self._compiled(list(gradients))

    def _update(self, gradients: list[tf.Tensor]) -> None:
        self.iterations.assign_add(1)
        step = tf.cast(self.iterations.value, tf.float32)
        rate = self.learning_rate * tf.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        each = (gradients, self._trainable_variables, self._momentums, self._velocities, self._l2_factors)
        for gradient, variable, mean, square, l2_factor in zip(*each, strict=True):
            if l2_factor:
                gradient = gradient + l2_factor * variable.value
            mean.assign(mean + (1.0 - self.beta_1) * (gradient - mean))
            square.assign(square + (1.0 - self.beta_2) * (tf.square(gradient) - square))
            variable.assign(variable - rate * mean / (tf.sqrt(square.value) + self.epsilon))
