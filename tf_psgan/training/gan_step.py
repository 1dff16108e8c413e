"""One training step of SGAN and PSGAN: both networks, their optimisers and the moving average of the generator.

Algorithm 1 of Goodfellow et al. 2014 with the loss terms of `default_terms` and Adam, as in Bergmann et al. 2017
(arXiv:1705.06566), section 4. All random numbers follow from (seed, step, roll-backs). A step whose losses or gradients
are not finite changes nothing but its counters.

The step knows no file: its input is a tensor of packed images.
"""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.data import crops, images
from tf_psgan.errors import SettingError
from tf_psgan.latents import noise, waves
from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.generator import SpatialGenerator, latent_field
from tf_psgan.runtime import cluster
from tf_psgan.runtime.workers import ALONE, Workers
from tf_psgan.training import losses, wave_initialisation
from tf_psgan.training.optimizer import Adam
from tf_psgan.training.spectral.spectral_loss import SpectralLoss
from tf_psgan.training.terms import Batch, Network, Term

Networks = tuple[Network, ...]
GENERATOR: Networks = ("generator",)
DISCRIMINATOR: Networks = ("discriminator",)
BOTH: Networks = GENERATOR + DISCRIMINATOR
"""Networks that one step updates."""

RECALIBRATION_BATCH = 64
"""Windows, at least, over which `GanStep.recalibrate` estimates batch statistics."""


def default_terms(config: Config, classes: int = 0) -> list[Term]:
    """The loss terms of a run: adversarial losses of both networks, R1 penalty, spectral loss.

    The L2 penalty on kernels is a part of the optimiser.
    """
    training = config.training
    return [
        losses.GeneratorLoss(),
        losses.DiscriminatorLoss(),
        losses.R1Penalty(training.r1, training.r1_interval),
        SpectralLoss(training.spectral_loss_weight, crop_pixels(config), classes, maps=config.model.maps),
    ]


def crop_pixels(config: Config) -> int:
    """Side of a training crop in pixels."""
    return config.data.crop_cells * geometry.pixels_per_cell(len(config.model.filters) + 1)


class Gradients(NamedTuple):
    """What the forward and the backward pass of a step result in.

    Args:
      generator, discriminator: gradients in the order of the network's trainable variables; empty for no update.
      losses: the logged terms by name.
      scores: means of D over the patches, in [0, 1], by their names in a report.
      assignments: new values of the terms' variables.
    """

    generator: list[tf.Tensor]
    discriminator: list[tf.Tensor]
    losses: dict[str, tf.Tensor]
    scores: dict[str, tf.Tensor]
    assignments: list[tuple[tf.Variable, tf.Tensor]]

    def are_finite(self) -> tf.Tensor:
        """Whether all losses and gradients are."""
        everything = [*self.losses.values(), *self.generator, *self.discriminator]
        return tf.math.is_finite(tf.linalg.global_norm(everything))

    def report(self) -> dict[str, tf.Tensor]:
        """What `GanStep` returns."""
        return self.losses | self.scores


class GanStep(tf.Module):
    """Generator, discriminator, moving average of the generator, and the step that trains them.

    Args:
      config: the run's settings.
      dtype: dtype policy, "float32" or "mixed_bfloat16".
      classes: number of classes of a class-conditional model, 0 for any other.
      terms: loss terms; None for `default_terms`.
      workers: the processes that train together. Each computes its share of the batch, and all of them end a step with
        the same values.

    Raises:
      SettingError: two terms have one name, or a network has no term.
    """

    generator_class = SpatialGenerator
    """Class of the generator; a subclass may use another one."""
    discriminator_class = PatchDiscriminator
    """Class of the discriminator; a subclass may use another one."""

    def __init__(
        self,
        config: Config,
        dtype: str,
        classes: int = 0,
        terms: Sequence[Term] | None = None,
        workers: Workers = ALONE,
    ) -> None:
        super().__init__()
        self.config, self.classes, self.side = config, classes, crop_pixels(config)
        self.workers, self.batch_size = workers, cluster.share(config.data.batch_size, workers.count)
        self.terms = tuple(default_terms(config, classes) if terms is None else terms)
        _check_terms(self.terms)
        seed, new_generator = config.training.seed % 2**31, self.generator_class.from_model_config
        self.generator = new_generator(config.model, seed=seed, dtype=dtype, name="generator")
        self.discriminator = self.discriminator_class(
            config.model.discriminator_filters,
            classes,
            seed + 500,
            self.generator.image_channels,
            dtype=dtype,
            name="discriminator",
        )
        self.averaged = new_generator(config.model, seed=seed, dtype=dtype, name="averaged")
        if workers.count > 1:
            for block in self.generator.blocks:
                block.over_workers = workers.mean
            for block in self.discriminator.blocks:
                block.over_workers = workers.mean
        self._is_wave = [v.path.split("/")[1].startswith("wave_") for v in self.generator.trainable_variables]
        rate = config.training.learning_rate
        wave_learning_rate = rate * config.training.wave_lr_multiplier
        others, wave_variables = self._split(self.generator.trainable_variables)
        self.optimisers = {
            "generator_adam": self._adam("generator_adam", rate, others),
            "wave_adam": self._adam("wave_adam", wave_learning_rate, wave_variables),
            "discriminator_adam": self._adam("discriminator_adam", rate, self.discriminator.trainable_variables),
        }
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.skipped = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.skipped_in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Part of the random key: after a roll-back the same steps must draw other numbers.
        self.rollbacks = tf.Variable(0, dtype=tf.int64, trainable=False)

    def state(self) -> dict[str, tf.Variable]:
        """Every variable of the step by its name in a checkpoint."""
        parts: tuple[Any, ...] = (self.generator, self.discriminator, self.averaged, *self.optimisers.values())
        found = {variable.path: variable.value for part in parts for variable in part.variables}
        for name in ("step", "skipped", "skipped_in_a_row", "rollbacks"):
            found[f"counters/{name}"] = getattr(self, name)
        for term in self.terms:
            found |= term.state()
        return found

    def set_wave_numbers(self, wave_numbers: Any) -> None:
        """Sets the wave numbers, in radians per cell: [waves, 2] for all textures, or [classes, waves, 2]."""
        for network in (self.generator, self.averaged):
            if len(wave_numbers.shape) == 3:
                wave_initialisation.fit_wave_mlp(network, wave_numbers)
            else:
                network.shared_wave_numbers.assign(tf.reshape(wave_numbers, network.shared_wave_numbers.shape))

    @tf.function(input_signature=[crops.PACKED_IMAGES_SPEC])
    def __call__(self, packed: crops.PackedImages) -> dict[str, tf.Tensor]:
        """Trains once on random crops of packed images.

        Returns:
          Scalars by name: the value of each logged term (by default `generator_loss` and `discriminator_loss`), and
          `real_score` and `fake_score`, the means of D over the patches, in [0, 1].
        """
        real, class_ids = self.draw(packed, self.step)
        if self.config.training.updates == "simultaneous":
            report, finite = self._train(real, class_ids, BOTH)
        else:
            report, finite = tf.cond(
                self.step % 2 == 0,
                lambda: self._train(real, class_ids, DISCRIMINATOR),
                lambda: self._train(real, class_ids, GENERATOR),
            )
        self.count(finite)
        return report

    def draw(self, packed: crops.PackedImages, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """This worker's crops of a step, uint8 [batch, side, side, channels], and their classes, int64 [batch].

        `step` may have dimensions of its own, [...]; the results have them in front. The classes are None
        where the model is not class-conditional.
        """
        key, first = noise.fold(self._key(step), 0), self._first_example
        real = crops.crops(packed, key, self.batch_size, self.side, first)
        real = tf.ensure_shape(real, (*real.shape[:-1], self.generator.image_channels))
        return real, crops.drawn(packed, key, self.batch_size, first) if self.classes else None

    def backward(
        self, real: tf.Tensor, class_ids: tf.Tensor | None, updates: Networks, terms: Sequence[Term] | None = None
    ) -> "Gradients":
        """Generates, scores, and computes the losses and their gradients for the networks to be updated.

        Args:
          real: uint8 [batch, side, side, channels], with their classes, from `draw`.
          updates: the networks to be updated.
          terms: those to compute, in the form for XLA. None for all of them; then terms with an interval are 0 in steps
            in which they are not due.
        """
        key, real = self._key(self.step), images.to_unit(real)
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            with tf.name_scope("generate"):  # name scopes show in a profile
                fake = self.generate(noise.fold(key, 1), self.config.data.crop_cells, class_ids)
            with tf.name_scope("score_real"):
                real_logits = self.discriminator(real, class_ids)
            with tf.name_scope("score_fake"):
                fake_logits = self.discriminator(fake, class_ids)
            batch = Batch(
                real=real,
                fake=fake,
                real_logits=real_logits,
                fake_logits=fake_logits,
                class_ids=class_ids,
                score=lambda pixels: self.discriminator(pixels, class_ids, fused=False),
                step=self.step,
                key=key,
                over_workers=self.workers.mean,
                compiled=terms is not None,
            )
            values = self._terms_of(batch, updates, terms)
            g_loss, d_loss = (self._sum(values, network) for network in BOTH)
        unused = tf.UnconnectedGradients.ZERO if batch.compiled else tf.UnconnectedGradients.NONE
        g_variables, d_variables = self.generator.trainable_variables, self.discriminator.trainable_variables
        report = {term.name: values[term.name] for term in self.terms if term.is_logged and term.name in values}
        return Gradients(
            g_tape.gradient(g_loss, g_variables, unconnected_gradients=unused) if "generator" in updates else [],
            d_tape.gradient(d_loss, d_variables, unconnected_gradients=unused) if "discriminator" in updates else [],
            report,
            {"real_score": _score(real_logits), "fake_score": _score(fake_logits)},
            batch.assignments,
        )

    def update(self, gradients: "Gradients") -> None:
        """Updates the networks that have gradients, and the states of their terms."""
        if gradients.generator:
            self._update_generator(gradients.generator)
        if gradients.discriminator:
            self.optimisers["discriminator_adam"].update(gradients.discriminator)
        for variable, value in gradients.assignments:
            variable.assign(value)

    def count(self, finite: tf.Tensor) -> None:
        """Counts a step, and whether it was skipped."""
        self.skipped.assign_add(tf.cast(~finite, tf.int64))
        self.skipped_in_a_row.assign(tf.where(finite, tf.zeros((), tf.int64), self.skipped_in_a_row + 1))
        self.step.assign_add(1)

    def is_due(self, term: Term, step: tf.Tensor) -> tf.Tensor:
        """Whether a term with an interval counts in a step in which its network is updated."""
        updates = step // 2 if self.config.training.updates == "alternating" else step
        return updates % term.interval == 0

    def generate(self, key: Any, cells: int, class_ids: tf.Tensor | None = None) -> tf.Tensor:
        """Fakes [batch, cells * side, cells * side, channels] in training mode, without the spare edge pixels.

        `class_ids`: int64 [batch], their classes, if the model is class-conditional.
        """
        latents = self._latents(self.generator, key, self.batch_size, cells, class_ids, self._first_example)
        return _without_halo(self.generator(latents, training=True))

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
    def recalibrate(self, key: tf.Tensor) -> None:
        """Estimates the averaged generator's batch statistics over many latents; due before it makes images."""
        cells, batch = self.config.data.crop_cells, max(RECALIBRATION_BATCH, self.config.data.batch_size)
        first = noise.below(key, self.classes) if self.classes else 0  # there may be more classes than windows
        class_ids = (first + tf.range(batch, dtype=tf.int64)) % self.classes if self.classes else None
        self.averaged.recalibrate(self._latents(self.averaged, key, batch, cells, class_ids))

    def _train(
        self, real: tf.Tensor, class_ids: tf.Tensor | None, updates: Networks
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Computes the gradients, and updates the networks if everything is finite."""
        found = self._averaged(self.backward(real, class_ids, updates))
        finite = found.are_finite()
        tf.cond(finite, lambda: self.update(found), lambda: None)
        return found.report(), finite

    def _averaged(self, found: "Gradients") -> "Gradients":
        """Gradients, losses and scores averaged over the workers, in one message."""
        if self.workers.count == 1:
            return found
        parts = found.generator, found.discriminator, list(found.losses.values()), list(found.scores.values())
        flat = [tf.convert_to_tensor(value) for part in parts for value in part]  # no slices of an embedding
        means = iter(self.workers.mean(flat))
        generator, discriminator, values, scores = (list(itertools.islice(means, len(part))) for part in parts)
        losses_by_name = dict(zip(found.losses, values, strict=True))
        return Gradients(
            generator, discriminator, losses_by_name, dict(zip(found.scores, scores, strict=True)), found.assignments
        )

    @property
    def _first_example(self) -> int:
        """Number in the whole batch of the first example of this worker's share."""
        return self.workers.index * self.batch_size

    def _terms_of(self, batch: Batch, updates: Networks, terms: Sequence[Term] | None) -> dict[str, tf.Tensor]:
        """The terms that this step needs, by name: those of the updated networks, and the logged ones."""
        found = {}
        for term in self.terms if terms is None else terms:
            if not term.weight:
                continue
            if term.network not in updates:
                if term.is_logged:
                    found[term.name] = term(dataclasses.replace(batch, assignments=[]))
            elif term.interval > 1 and terms is None:
                value = functools.partial(term, batch)
                found[term.name] = tf.cond(self.is_due(term, batch.step), value, lambda: tf.zeros(()))
            else:
                found[term.name] = term(batch)
        return found

    def _key(self, step: Any) -> tf.Tensor:
        """The random key of a step: crops, noise and loss terms fold counters into it."""
        return noise.fold(self.config.training.seed, step, self.rollbacks)

    def _sum(self, values: dict[str, tf.Tensor], network: str) -> tf.Tensor:
        own = [values[term.name] for term in self.terms if term.network == network and term.name in values]
        return functools.reduce(operator.add, own) if own else tf.zeros(())

    def _latents(
        self, network: SpatialGenerator, key: Any, batch: int, cells: int, class_ids: tf.Tensor | None, first: int = 0
    ) -> tf.Tensor:
        model, extent = self.config.model, cells + 2 * geometry.HALO
        z_local, z_global, phase = noise.sample(key, model, batch, extent, extent, first)
        if class_ids is not None:  # the global vector of class n is the one that texture number n names everywhere
            z_global = noise.global_vector(class_ids, model.global_channels)
        z_periodic = waves.plane_waves(network.wave_numbers(z_global), phase, extent, extent, model.quadrature)
        return latent_field(z_local, z_global[:, tf.newaxis, tf.newaxis], z_periodic)

    def _adam(self, name: str, rate: float, variables: list[Any]) -> Adam:
        return Adam(variables, rate, self.config.training.beta_1, self.config.training.l2, name)

    def _split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Values in the order of the generator's trainable variables: those of other variables, those of the waves'."""
        pairs = list(zip(values, self._is_wave, strict=True))
        return [value for value, wave in pairs if not wave], [value for value, wave in pairs if wave]

    def _update_generator(self, gradients: list[tf.Tensor]) -> None:
        others, wave_gradients = self._split(gradients)
        self.optimisers["generator_adam"].update(others)
        self.optimisers["wave_adam"].update(wave_gradients)
        # The decay is small at first, so that the average forgets the initial weights soon.
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.config.training.ema_decay, (1.0 + step) / (10.0 + step))
        trained = self.generator.trainable_variables
        for average, variable in zip(self.averaged.trainable_variables, trained, strict=True):
            average.assign(average + (1.0 - decay) * (variable - average))


def _check_terms(terms: Sequence[Term]) -> None:
    names = [term.name for term in terms]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingError("terms", f"two are named {twice[0]!r}", "give each its own name", value=names)
    for network in ("generator", "discriminator"):
        if not any(term.network == network and term.weight for term in terms):
            raise SettingError("terms", f"the {network} has none", "give it a loss of a weight above 0", value=names)


def _score(logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.sigmoid(logits))


def _without_halo(pixels: tf.Tensor) -> tf.Tensor:
    # Not a Python slice, whose gradient takes ten times as long.
    rows, cols = (extent - 2 * geometry.HALO for extent in pixels.shape[1:3])
    return tf.image.crop_to_bounding_box(pixels, geometry.HALO, geometry.HALO, rows, cols)
