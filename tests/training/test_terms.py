"""Loss terms: an experiment adds, replaces or leaves out a term, and the step does what the list says."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.config import Config, DataConfig, TrainingConfig
from tf_psgan.data import crops
from tf_psgan.errors import SettingError
from tf_psgan.training import losses
from tf_psgan.training.gan_step import GanStep, default_terms
from tf_psgan.training.terms import Batch, Term

MODEL = tiny.model_config(waves=0)  # fewer operations to trace
CONFIG = Config(MODEL, DataConfig(crop_cells=2, batch_size=2), TrainingConfig(learning_rate=1e-3, r1=0.0))
BETA_1 = CONFIG.training.beta_1


class TotalVariation(Term):
    network = "generator"

    def __call__(self, batch: Batch) -> tf.Tensor:
        return self.weight * tf.reduce_mean(tf.image.total_variation(batch.fake))


class Counted(Term):
    """A number with a state: how many updates there were."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network, self.value, self.updates = network, tf.Variable(1.0), tf.Variable(0.0)

    def __call__(self, batch: Batch) -> tf.Tensor:
        batch.after_update(self.updates, self.updates + 1.0)
        return tf.identity(self.value)

    def state(self) -> dict[str, tf.Variable]:
        return {"counted/updates": self.updates}


@pytest.fixture(scope="module")
def packed():
    pixels = np.random.default_rng(0).integers(0, 256, (24 * 20, 3))
    start, height, width = (tf.constant([n], tf.int64) for n in (0, 24, 20))
    return crops.PackedImages(tf.constant(pixels, tf.uint8), start, height, width)


def first_step(step, packed):
    """What the first step returns, and the gradient of the generator's first kernel, from Adam's first moment."""
    report = step(packed)
    return report, step.state()["generator_adam/generator_up_0_kernel_momentum"].numpy() / (1 - BETA_1)


def first_gradient(step, packed):
    return first_step(step, packed)[1]


def test_an_added_term_is_returned_and_adds_its_gradient(packed):
    adversarial, weight = [losses.GeneratorLoss(), losses.DiscriminatorLoss()], 1e-3
    plain = first_gradient(GanStep(CONFIG, "float32", terms=adversarial), packed)
    report, changed = first_step(GanStep(CONFIG, "float32", terms=[*adversarial, TotalVariation(weight)]), packed)
    alone = GanStep(CONFIG, "float32", terms=[losses.DiscriminatorLoss(), TotalVariation()])
    value, gradient = first_step(alone, packed)
    np.testing.assert_allclose(report["total_variation"], weight * value["total_variation"], rtol=1e-5)
    assert np.linalg.norm(gradient) > 0
    np.testing.assert_allclose(changed - plain, weight * gradient, atol=0.01 * weight * np.abs(gradient).max())


def test_the_spectral_loss_is_absent_where_the_list_leaves_it_out(packed):
    without = GanStep(CONFIG, "float32", terms=default_terms(CONFIG)[:-1])
    assert not [name for name in without.state() if name.startswith("power_record/")]
    zero = Config(CONFIG.model, CONFIG.data, TrainingConfig(learning_rate=1e-3, r1=0.0, spectral_loss_weight=0.0))
    weighted = GanStep(zero, "float32")
    gradient = first_gradient(without, packed)
    np.testing.assert_array_equal(gradient, first_gradient(weighted, packed))
    assert (gradient != first_gradient(GanStep(CONFIG, "float32"), packed)).any()
    # The checkpoint's names do not depend on weights.
    assert weighted.state()["power_record/seen"].numpy() == [0]


def test_a_replaced_loss_keeps_the_name_that_the_log_knows(packed):
    class Hinge(Term):
        network = "generator"

        def __call__(self, batch: Batch) -> tf.Tensor:
            return -self.weight * tf.reduce_mean(batch.fake_logits)

    step = GanStep(CONFIG, "float32", terms=[Hinge(name="generator_loss"), losses.DiscriminatorLoss()])
    report = step(packed)
    assert set(report) == {"generator_loss", "discriminator_loss", "real_score", "fake_score"}
    assert report["generator_loss"] < 0.5


def test_a_terms_state_changes_with_the_update_and_is_in_the_checkpoint(packed):
    counted = Counted("generator")
    step = GanStep(CONFIG, "float32", terms=[*default_terms(CONFIG), counted])
    for value, updates, skipped in ((1.0, 1, 0), (np.nan, 1, 1), (np.nan, 1, 2), (1.0, 2, 2)):
        counted.value.assign(value)
        step(packed)
        assert (step.state()["counted/updates"].numpy(), step.skipped.numpy()) == (updates, skipped)


@pytest.mark.parametrize("network, updates", [("generator", 1.0), ("discriminator", 2.0)])
def test_in_alternating_steps_a_terms_state_changes_with_its_own_network(packed, network, updates):
    training = TrainingConfig(learning_rate=1e-3, r1=0.0, updates="alternating")
    config, counted = Config(CONFIG.model, CONFIG.data, training), Counted(network)
    step = GanStep(config, "float32", terms=[*default_terms(config), counted])
    for _ in range(3):  # discriminator, generator, discriminator
        assert step(packed)["counted"].numpy() == 1.0
    assert counted.updates.numpy() == updates


@pytest.mark.parametrize(
    "terms, message",
    [
        ([losses.GeneratorLoss()], "the discriminator has none"),
        ([losses.GeneratorLoss(0.0), losses.DiscriminatorLoss()], "the generator has none"),
        (
            [losses.GeneratorLoss(), losses.GeneratorLoss(), losses.DiscriminatorLoss()],
            "two are named 'generator_loss'",
        ),
    ],
)
def test_a_list_that_cannot_train_both_networks_raises(terms, message):
    with pytest.raises(SettingError, match=message) as error:
        GanStep(CONFIG, "float32", terms=terms)
    assert "--" not in str(error.value)


def test_the_default_terms_have_the_settings_weights():
    training = TrainingConfig(r1=3.0, r1_interval=5, spectral_loss_weight=0.25)
    terms = {term.name: term for term in default_terms(Config(CONFIG.model, CONFIG.data, training))}
    assert {name: term.weight for name, term in terms.items()} == {
        "generator_loss": 1.0,
        "discriminator_loss": 1.0,
        "r1_penalty": 3.0,
        "spectral_loss": 0.25,
    }
    assert terms["r1_penalty"].interval == 5
