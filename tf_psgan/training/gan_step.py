"""One training step of SGAN and PSGAN: both networks, both optimisers, the running average and the guard.

Algorithm 1 of Goodfellow et al. 2014 with the losses of `losses.py` and Adam, as in Bergmann et
al. 2017, section 4. Everything random follows from (seed, step). A step whose gradients are not
finite changes nothing but the counters.
"""

from typing import Any

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.data import crops, images
from tf_psgan.latents import noise, waves
from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.generator import SpatialGenerator, latent_field
from tf_psgan.training import conditioning, losses
from tf_psgan.training.optimizer import Adam
from tf_psgan.training.spectral import block_statistics, spectral_loss


class GanStep(tf.Module):
    """Generator, discriminator, the generator's running average, and the step that trains them.

    Args:
      config: the whole run's.
      dtype: "float32" or "mixed_bfloat16".
      sources: how many pictures both networks are to tell apart; 0 without conditioning.
    """

    def __init__(self, config: Config, dtype: str, sources: int = 0) -> None:
        super().__init__()
        self.config, self.sources = config, sources
        seed = config.training.seed % 2**31
        self.generator = SpatialGenerator(config.model, seed, dtype=dtype, name="generator")
        self.discriminator = PatchDiscriminator(config.model, seed + 500, sources, dtype=dtype, name="discriminator")
        self.averaged = SpatialGenerator(config.model, seed, dtype=dtype, name="averaged")
        self._is_wave = [v.path.split("/")[1].startswith("wave_") for v in self.generator.trainable_variables]
        rate = config.training.learning_rate
        waves_rate = rate * config.training.wave_lr_multiplier
        self.optimisers = {
            "generator_adam": self._adam("generator_adam", rate, [v for v, w in self._generator_variables if not w]),
            "wave_adam": self._adam("wave_adam", waves_rate, [v for v, w in self._generator_variables if w]),
            "discriminator_adam": self._adam("discriminator_adam", rate, self.discriminator.trainable_variables),
        }
        self.side = config.data.crop_cells * self.generator.pixels_per_cell
        self.record = spectral_loss.Record(self.side, sources)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.skipped = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.skipped_in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Part of the seed: after a roll-back the same steps must not draw the same numbers again.
        self.rollbacks = tf.Variable(0, dtype=tf.int64, trainable=False)

    def state(self) -> dict[str, tf.Variable]:
        """Every variable of the step under a name of its own: what a checkpoint holds."""
        found = {}
        parts: tuple[Any, ...] = (self.generator, self.discriminator, self.averaged, *self.optimisers.values())
        for part in parts:
            for variable in part.variables:
                found[variable.path] = variable.value
        for name in ("step", "skipped", "skipped_in_a_row", "rollbacks"):
            found[f"counters/{name}"] = getattr(self, name)
        found |= {"power_record/seen": self.record.seen, "power_record/figures": self.record.figures}
        return found

    def start_waves(self, wave_numbers: Any) -> None:
        """Sets where the wave numbers start, radians per cell: [waves, 2] for all textures, or [sources, waves, 2]."""
        for network in (self.generator, self.averaged):
            if len(wave_numbers.shape) == 3:
                conditioning.fit_wave_mlp(network, wave_numbers)
                continue
            network.wave_start.assign(tf.reshape(wave_numbers, network.wave_start.shape))

    @tf.function(input_signature=[crops.PACKED_IMAGES_SPEC])
    def __call__(self, packed: crops.PackedImages) -> dict[str, tf.Tensor]:
        """One step on crops cut from a packed of pictures.

        Returns:
          Scalars: `generator_loss`, `discriminator_loss`, `real_score`, `fake_score` (means of D in [0, 1]).
        """
        key = noise.fold(self.config.training.seed, self.step, self.rollbacks)
        real = images.to_unit(crops.crops(packed, noise.fold(key, 0), self.config.data.batch_size, self.side))
        sources = crops.drawn(packed, noise.fold(key, 0), self.config.data.batch_size) if self.sources else None
        if self.config.training.updates == "simultaneous":
            report, finite = self._turn(real, sources, key, generator=True, discriminator=True)
        else:
            report, finite = tf.cond(
                self.step % 2 == 0,
                lambda: self._turn(real, sources, key, generator=False, discriminator=True),
                lambda: self._turn(real, sources, key, generator=True, discriminator=False),
            )
        self.skipped.assign_add(tf.cast(~finite, tf.int64))
        self.skipped_in_a_row.assign(tf.where(finite, tf.zeros((), tf.int64), self.skipped_in_a_row + 1))
        self.step.assign_add(1)
        return report

    def draw(self, key: Any, cells: int, sources: Any = None) -> tf.Tensor:
        """A training batch of fakes [batch, cells * side, cells * side, 3], spare edge pixels cut off.

        With `sources`, int64 [batch], of these pictures' textures.
        """
        latents = self._latents(self.generator, key, self.config.data.batch_size, cells, sources)
        return _trim(self.generator(latents, training=True))

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
    def recalibrate(self, key: Any) -> None:
        """Re-estimates the averaged generator's batch statistics over many latents, before pictures are made."""
        cells, batch = self.config.data.crop_cells, max(64, self.config.data.batch_size)
        first = noise.below(key, self.sources) if self.sources else 0  # more sources than a batch take turns
        sources = (first + tf.range(batch, dtype=tf.int64)) % self.sources if self.sources else None
        self.averaged.recalibrate(self._latents(self.averaged, key, batch, cells, sources))

    def _latents(self, network: SpatialGenerator, key: Any, batch: int, cells: int, sources: Any) -> tf.Tensor:
        model, extent = self.config.model, cells + 2 * geometry.HALO
        z_local, z_global, phase = noise.sample(key, model, batch, extent, extent)
        if sources is not None:
            z_global = conditioning.vectors(sources, model.global_channels)
        z_periodic = waves.plane_waves(network.wave_numbers(z_global), phase, extent, extent, model.quadrature)
        return latent_field(z_local, z_global[:, tf.newaxis, tf.newaxis], z_periodic)

    @property
    def _generator_variables(self) -> list[tuple[Any, bool]]:
        return list(zip(self.generator.trainable_variables, self._is_wave, strict=True))

    def _adam(self, name: str, rate: float, variables: list[Any]) -> Adam:
        training = self.config.training
        return Adam(variables, rate, training.beta_1, training.l2, name)

    def _penalty(self, real: tf.Tensor, sources: Any) -> tf.Tensor:
        settings = self.config.training
        if not settings.r1:
            return tf.zeros(())

        def penalty() -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(real)
                logits = self.discriminator(real, fused=False, sources=sources)
                scores = tf.reduce_sum(tf.reduce_mean(logits, axis=(1, 2, 3)))
            return settings.r1 * settings.r1_interval * losses.gradient_penalty(tape.gradient(scores, real))

        turn = self.step // 2 if settings.updates == "alternating" else self.step  # of the discriminator
        return tf.cond(turn % settings.r1_interval == 0, penalty, lambda: tf.zeros(()))

    def _turn(
        self, real: tf.Tensor, sources: Any, key: tf.Tensor, generator: bool, discriminator: bool
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Draw, generate, score, the losses, and the updates of the networks whose turn it is, if all is finite."""
        weight = self.config.training.spectral_loss_weight if generator else 0.0
        apart = sources is not None
        shift = noise.below(noise.fold(key, 2, [0, 1]), max(block_statistics.BLOCKS))
        record = self.record.with_batch(spectral_loss.measure(real, shift, apart), sources) if weight else None
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            with tf.name_scope("generate"):  # what a profile shows
                fake = self.draw(noise.fold(key, 1), self.config.data.crop_cells, sources)
            with tf.name_scope("score_real"):
                real_logits = self.discriminator(real, sources=sources)
            with tf.name_scope("score_fake"):
                fake_logits = self.discriminator(fake, sources=sources)
            d_loss = losses.discriminator(real_logits, fake_logits)
            g_loss = losses.generator(fake_logits)
            d_total = d_loss + self._penalty(real, sources) if discriminator else d_loss
            g_total = g_loss
            if record:
                # Told the sources, each fake is of the texture of the real crop at its place.
                wanted = tf.gather(record[1], sources) if apart else record[1]
                weight *= tf.minimum(1.0, tf.cast(self.step + 1, tf.float32) / spectral_loss.RISE)
                g_total += weight * spectral_loss.distance(wanted, spectral_loss.measure(fake, shift, apart), self.side)
        g_variables = self.generator.trainable_variables if generator else []
        d_variables = self.discriminator.trainable_variables if discriminator else []
        g_gradients = g_tape.gradient(g_total, g_variables)
        d_gradients = d_tape.gradient(d_total, d_variables)
        finite = tf.math.is_finite(tf.linalg.global_norm([g_loss, d_loss, *g_gradients, *d_gradients]))

        def update() -> None:
            if generator:
                self._update_generator(g_gradients)
                if record:
                    self.record.keep(record)
            if discriminator:
                self.optimisers["discriminator_adam"].update(d_gradients)

        tf.cond(finite, update, lambda: None)
        report = {
            "generator_loss": g_loss,
            "discriminator_loss": d_loss,
            "real_score": tf.reduce_mean(tf.sigmoid(real_logits)),
            "fake_score": tf.reduce_mean(tf.sigmoid(fake_logits)),
        }
        return report, finite

    def _update_generator(self, gradients: list[Any]) -> None:
        for name, wanted in (("generator_adam", False), ("wave_adam", True)):
            self.optimisers[name].update([g for g, w in zip(gradients, self._is_wave, strict=True) if w == wanted])
        # A short memory at first, so that the start is soon forgotten.
        at = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.config.training.ema_decay, (1.0 + at) / (10.0 + at))
        mine = self.generator.trainable_variables
        for average, variable in zip(self.averaged.trainable_variables, mine, strict=True):
            average.assign(average + (1.0 - decay) * (variable - average))


def _trim(pictures: tf.Tensor) -> tf.Tensor:
    # Not a Python slice: its gradient takes ten times as long.
    rows, cols = (pixels - 2 * geometry.HALO for pixels in pictures.shape[1:3])
    return tf.image.crop_to_bounding_box(pictures, geometry.HALO, geometry.HALO, rows, cols)
