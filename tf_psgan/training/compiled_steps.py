"""Training steps compiled by XLA, several in one call: the form of `GanStep` for GPUs.

As separate operations a step is some thousands of kernels, and a GPU waits for each to be launched: batches of sixteen
times the work took the same time. Here a step is at most three programs that XLA compiles, fusing operations:

- the forward and the backward pass, from random numbers to gradients;
- terms with an interval (R1), a program of its own because it runs in one step of sixteen;
- the test that everything is finite and the update of all variables.

Crops are cut on the CPU, for all steps of a call at once, because the pictures are in the host's memory. Nothing is
read back before a call ends. The numbers are those of `GanStep` but for rounding: XLA sums in another order.
"""

import functools
from typing import Any

import tensorflow as tf

from tf_psgan.data import crops
from tf_psgan.training.gan_step import BOTH, DISCRIMINATOR, GENERATOR, GanStep, Gradients, Networks

_CROP_BYTES = 64 << 20  # of one call's crops, which are in memory together


class CompiledSteps:
    """Several training steps in one call.

    Args:
      step: whose variables are trained. Its terms must not change after the first call.
    """

    def __init__(self, step: GanStep) -> None:
        self.step = step
        self.most = max(1, _CROP_BYTES // (step.generator.image_channels * step.config.data.batch_size * step.side**2))
        """Steps in one call at most."""
        self._programs: dict[str, Any] = {}
        self._assigned: dict[Networks, list[tf.Variable]] = {}  # by the terms, in their order

    @tf.function(input_signature=[crops.PACKED_IMAGES_SPEC, tf.TensorSpec([], tf.int32)], autograph=False)
    def __call__(self, packed: crops.PackedImages, count: tf.Tensor) -> dict[str, tf.Tensor]:
        """Trains `count` times, 1 to `most`, on random crops of packed images; returns the report of the last step."""
        with tf.device("CPU:0"):  # whatever decides on the way has to be in the host's memory
            steps = tf.identity(self.step.step) + tf.range(tf.cast(count, tf.int64))
            real, class_ids = self.step.draw(packed, steps)
        shape = self.step.config.data.batch_size, self.step.side, self.step.side, self.step.generator.image_channels
        real = tf.ensure_shape(real, (None, *shape))
        names = [*(term.name for term in self.step.terms if term.weight and term.is_logged), "real_score", "fake_score"]

        def one(i: tf.Tensor, _: Any) -> tuple[tf.Tensor, Any]:
            with tf.device("CPU:0"):
                step, batch = steps[i], (real[i], None if class_ids is None else class_ids[i])
            report = self._one(step, *batch)
            return i + 1, {name: report[name] for name in names}

        start = (tf.constant(0), {name: tf.zeros(()) for name in names})
        return tf.while_loop(lambda i, _: i < count, one, start, parallel_iterations=1)[1]

    def _one(self, step: tf.Tensor, real: tf.Tensor, class_ids: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """One step of this number."""
        if self.step.config.training.updates == "simultaneous":
            return self._train(step, real, class_ids, BOTH)
        with tf.device("CPU:0"):
            is_discriminators = step % 2 == 0
        return tf.cond(
            is_discriminators,
            lambda: self._train(step, real, class_ids, DISCRIMINATOR),
            lambda: self._train(step, real, class_ids, GENERATOR),
        )

    def _train(
        self, step: tf.Tensor, real: tf.Tensor, class_ids: tf.Tensor | None, updates: Networks
    ) -> dict[str, tf.Tensor]:
        *gradients, losses, scores, values = self._compiled(self._backward, updates)(real, class_ids)
        for i, term in enumerate(self.step.terms):
            if term.interval > 1 and term.weight and term.network in updates:
                with tf.device("CPU:0"):
                    due = self.step.is_due(term, step)
                at, add = BOTH.index(term.network), self._compiled(self._add, (term.network,), i)
                own = gradients[at]
                gradients[at] = tf.cond(due, functools.partial(add, real, class_ids, own), lambda own=own: own)
        return self._compiled(self._update, updates)(*gradients, losses, scores, values)

    def _compiled(self, program: Any, *arguments: Any) -> Any:
        """A program for the given arguments, compiled when it is called for the first time."""
        key = f"{program.__name__}{arguments}"
        if key not in self._programs:
            bound = functools.partial(program, *arguments)
            self._programs[key] = tf.function(bound, autograph=False, jit_compile=True)
        return self._programs[key]

    def _backward(self, updates: Networks, real: tf.Tensor, class_ids: tf.Tensor | None) -> Any:
        terms = [term for term in self.step.terms if term.interval == 1]
        found = self.step.backward(real, class_ids, updates, terms)
        self._assigned[updates] = [variable for variable, _ in found.assignments]
        values = [value for _, value in found.assignments]
        return _dense(found.generator), _dense(found.discriminator), found.losses, found.scores, values

    def _add(
        self, updates: Networks, number: int, real: tf.Tensor, class_ids: tf.Tensor | None, gradients: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """The gradients of a network with those of a rare term added."""
        found = self.step.backward(real, class_ids, updates, [self.step.terms[number]])
        own = _dense(found.generator or found.discriminator)
        return [gradient + more for gradient, more in zip(gradients, own, strict=True)]

    def _update(
        self, updates: Networks, generator: Any, discriminator: Any, losses: Any, scores: Any, values: Any
    ) -> Any:
        assignments = list(zip(self._assigned[updates], values, strict=True))
        found = Gradients(generator, discriminator, losses, scores, assignments)
        finite = found.are_finite()
        # A condition would wait for its answer: everything is updated, and what must not change is put back.
        variables = list(self.step.state().values())
        before = [variable.read_value() for variable in variables]
        self.step.update(found)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(tf.where(finite, variable, value))
        self.step.count(finite)
        return found.report()


def _dense(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """The gradient of an embedding is in slices at first."""
    return [tf.convert_to_tensor(gradient) for gradient in gradients]
