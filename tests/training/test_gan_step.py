import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.config import Config, DataConfig, TrainingConfig
from tf_psgan.data import crops, images
from tf_psgan.latents import noise
from tf_psgan.training import losses
from tf_psgan.training.gan_step import GanStep

RATE, WAVE_RATE = 1e-3, 3.0
R1, R1_INTERVAL = 2.0, 3
COUNTERS = {f"counters/{name}" for name in ("step", "skipped", "skipped_in_a_row", "rollbacks")}


def make(dtype="float32", global_channels=2, waves=2, **training):
    config = Config(
        tiny.model_config(global_channels=global_channels, waves=waves),
        DataConfig(crop_cells=2, batch_size=2),
        TrainingConfig(**({"learning_rate": RATE, "wave_lr_multiplier": WAVE_RATE, "r1": 0.0} | training)),
    )
    step = GanStep(config, dtype)
    if waves:
        step.set_wave_numbers(np.full(step.generator.shared_wave_numbers.shape, 0.7, np.float32))
    return step


def snapshot(step):
    return {name: variable.numpy() for name, variable in step.state().items()}


def restore(step, values):
    for name, variable in step.state().items():
        variable.assign(values[name])


def moved(before, after):
    """The names whose bits differ."""
    assert before.keys() == after.keys()
    return {name for name in before if before[name].tobytes() != after[name].tobytes()}


def trainable(network):
    return {variable.path for variable in network.trainable_variables}


@pytest.fixture(scope="module")
def packed():
    """Two pictures, 24 x 20 and 18 x 30 pixels; crops are 16 x 16."""
    pixels = np.random.default_rng(0).integers(0, 256, (24 * 20 + 18 * 30, 3))
    places = (tf.constant(values, tf.int64) for values in ([0, 24 * 20], [24, 18], [20, 30]))
    return crops.PackedImages(tf.constant(pixels, tf.uint8), *places)


@functools.cache
def traced(dtype, updates, r1):
    """A step, traced once because that takes most of the time, and the state that it begins in."""
    step = make(dtype, updates=updates, r1=r1, r1_interval=R1_INTERVAL)
    return step, snapshot(step)


def started(dtype="float32", updates="simultaneous", r1=0.0):
    """A step in the state that it begins in."""
    step, start = traced(dtype, updates, r1)
    restore(step, start)
    return step


@pytest.fixture
def step():
    return started()


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("global_channels, waves", [(0, 2), (0, 0)])
def test_a_step_moves_every_trainable_variable(packed, dtype, global_channels, waves):
    step = make(dtype, global_channels, waves)
    before = snapshot(step)
    assert any("wave" in path for path in trainable(step.generator)) == bool(waves)
    report = step(packed)
    assert all(np.isfinite(value) for value in report.values())
    names = moved(before, snapshot(step))
    assert names >= trainable(step.generator) | trainable(step.discriminator) | trainable(step.averaged)
    assert not [name for name in names if name.endswith(("/mean", "/variance"))]


def test_wave_numbers_and_the_mlp_behind_them_move_with_the_rest(step, packed):
    before = snapshot(step)
    step(packed)
    names = moved(before, snapshot(step))
    assert {"generator/wave_hidden/kernel", "generator/wave_out/kernel", "generator/wave_out/bias"} <= names
    assert names >= trainable(step.generator) | trainable(step.discriminator)


def test_adams_first_step_is_the_rate_and_wave_numbers_have_their_own(step, packed):
    before = snapshot(step)
    step(packed)
    after = snapshot(step)
    # Without a history Adam divides a gradient by its own size; epsilon is 1e-7.
    for name, rate in (("generator/up_2/bias", RATE), ("generator/wave_out/bias", RATE * WAVE_RATE)):
        np.testing.assert_allclose(np.abs(after[name] - before[name]), rate, rtol=0.01)


def test_the_average_starts_as_the_generator(step):
    for average, variable in zip(step.averaged.variables, step.generator.variables, strict=True):
        np.testing.assert_array_equal(average, variable)


@pytest.mark.parametrize("at, decay", [(0, 1 / 10), (1, 2 / 11), (50, 51 / 60), (10**6, 0.9)])
def test_the_average_forgets_its_start_and_then_decays_as_set(step, packed, at, decay):
    step.step.assign(at)
    for average in step.averaged.trainable_variables:
        average.assign(average + 1.0)
    before = snapshot(step)
    step(packed)
    after = snapshot(step)
    for path in trainable(step.generator):
        name = path.replace("generator/", "averaged/", 1)
        expected = decay * before[name] + (1 - decay) * after[path]
        np.testing.assert_allclose(after[name], expected, rtol=1e-5, atol=1e-6)


def test_an_undecided_discriminator_reports_log_two(step, packed):
    step.discriminator.down_2.kernel.assign(tf.zeros_like(step.discriminator.down_2.kernel))
    report = step(packed)
    assert report["discriminator_loss"].numpy() == pytest.approx(2 * math.log(2))
    assert report["generator_loss"].numpy() == pytest.approx(math.log(2))
    assert report["real_score"].numpy() == report["fake_score"].numpy() == 0.5


def test_alternating_steps_move_one_network_at_a_time(packed):
    step = started(updates="alternating")
    start = snapshot(step)
    step(packed)
    discriminator_turn = snapshot(step)
    step(packed)
    generator_turn = snapshot(step)

    def owners(names):
        return {name.split("/")[0] for name in names - COUNTERS}

    assert owners(moved(start, discriminator_turn)) == {"discriminator", "discriminator_adam"}
    assert owners(moved(discriminator_turn, generator_turn)) == {
        "generator",
        "averaged",
        "generator_adam",
        "wave_adam",
        "power_record",
    }
    assert moved(start, discriminator_turn) >= trainable(step.discriminator)
    assert moved(discriminator_turn, generator_turn) >= trainable(step.generator)
    assert step.step.numpy() == 2


def test_a_seed_fixes_every_bit_of_a_run(step, packed):
    steps = step, make(seed=step.config.training.seed), make(seed=step.config.training.seed + 1)
    for each in steps:
        for _ in range(3):
            each(packed)
    same, again, other = map(snapshot, steps)
    assert moved(same, again) == set()
    assert moved(same, other) >= trainable(step.generator) | trainable(step.discriminator)


def test_a_restored_state_continues_bit_for_bit(step, packed):
    for _ in range(2):
        step(packed)
    copy = snapshot(step)
    for _ in range(2):
        step(packed)
    expected = snapshot(step)
    restore(step, copy)
    for _ in range(2):
        step(packed)
    assert moved(expected, snapshot(step)) == set()
    assert moved(expected, copy) >= trainable(step.generator)


def test_a_step_number_and_a_roll_back_draw_other_numbers(step, packed):
    start, results = snapshot(step), []
    for counter in (None, step.step, step.rollbacks):
        restore(step, start)
        if counter is not None:
            counter.assign(counter + 7)
        step(packed)
        results.append(snapshot(step))
    for other in results[1:]:
        assert moved(results[0], other) >= {"discriminator/down_0/kernel", "generator/up_0/kernel"}


@pytest.mark.parametrize("name", ["generator/up_0/kernel", "generator/wave_out/bias", "discriminator/down_0/kernel"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_step_that_is_not_finite_changes_nothing_but_the_counters(step, packed, name, value):
    broken = step.state()[name]
    broken.assign(tf.tensor_scatter_nd_update(broken, [[0] * broken.shape.rank], [value]))
    before = snapshot(step)
    for count in (1, 2):
        step(packed)
        assert moved(before, snapshot(step)) <= COUNTERS
        assert (step.step.numpy(), step.skipped.numpy(), step.skipped_in_a_row.numpy()) == (count, count, count)


def test_a_good_step_ends_the_row_of_skipped_ones(step, packed):
    step.skipped.assign(5)
    step.skipped_in_a_row.assign(4)
    step(packed)
    assert (step.skipped.numpy(), step.skipped_in_a_row.numpy()) == (5, 0)


def test_the_state_holds_every_variable_once(step):
    held = [id(variable) for variable in step.state().values()]
    parts = (step.generator, step.discriminator, step.averaged, *step.optimisers.values())
    expected = [id(variable.value) for part in parts for variable in part.variables]
    expected += [id(counter) for counter in (step.step, step.skipped, step.skipped_in_a_row, step.rollbacks)]
    expected += [id(variable) for term in step.terms for variable in term.state().values()]
    assert sorted(held) == sorted(expected)
    assert len(set(held)) == len(held)
    assert set(held) >= {id(variable) for variable in step.variables}


def test_the_state_has_the_same_names_in_every_process(step):
    # Keras numbers what has no name of its own, so a second object stands for another process.
    assert list(make().state()) == list(step.state())
    assert "wave_adam/generator_wave_out_bias_momentum" in step.state()


def test_fakes_are_crops_without_the_spare_edge(step):
    key = noise.fold(3)
    fakes = step.generate(key, 2)
    assert fakes.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(fakes, step.generate(key, 2))
    assert (fakes[0] != fakes[1]).numpy().any()


def test_set_wave_numbers_sets_them_in_both_generators(step):
    numbers = np.array([[0.1, 0.2], [-0.3, 3.0]], np.float32)
    step.set_wave_numbers(numbers)
    for network in (step.generator, step.averaged):
        np.testing.assert_array_equal(network.wave_numbers(tf.zeros([1, 2]))[0], numbers)


def test_recalibration_sets_the_statistics_of_the_average_only(step):
    before = snapshot(step)
    step.recalibrate(tf.constant(5, tf.int64))
    expected = {f"averaged/up_{i}/{name}" for i in (0, 1) for name in ("mean", "variance")}
    after = snapshot(step)
    assert moved(before, after) == expected
    step.recalibrate(tf.constant(5, tf.int64))
    assert moved(after, snapshot(step)) == set()


@pytest.mark.parametrize(
    "updates, due, dtype", [("simultaneous", {0, 3, 6}, "mixed_bfloat16"), ("alternating", {0, 6}, "float32")]
)
def test_the_penalty_acts_at_every_third_update_of_the_discriminator(packed, updates, due, dtype):
    plain, penalised = started(dtype, updates), started(dtype, updates, R1)
    start = snapshot(plain)
    assert moved(start, snapshot(penalised)) == set()
    for at in range(8):
        for step in (plain, penalised):
            restore(step, start)
            step.step.assign(at)
            report = step(packed)
            assert step.skipped.numpy() == 0 and np.isfinite(report["discriminator_loss"])
        different = moved(snapshot(plain), snapshot(penalised))
        assert bool(different) == (at in due), at
        assert not different & trainable(plain.generator)  # the penalty is a term of the discriminator's loss


@pytest.mark.parametrize(
    "updates, dtype, tolerance",
    [("simultaneous", "float32", 1e-4), ("simultaneous", "mixed_bfloat16", 0.1), ("alternating", "float32", 1e-4)],
)
def test_the_penalty_adds_its_own_gradient_to_the_discriminators(packed, updates, dtype, tolerance):
    beta_1 = 0.5
    plain, penalised = started(dtype, updates), started(dtype, updates, R1)
    start = snapshot(plain)
    for name in start:
        if name.startswith("discriminator/") and name.endswith("kernel"):
            start[name] *= 10  # large enough to measure the penalty
    for step in (plain, penalised):
        restore(step, start)
        step(packed)
    key = noise.fold(plain.config.training.seed, 0, 0)
    real = images.to_unit(crops.crops(packed, noise.fold(key, 0), 2, 16))
    discriminator = make().discriminator  # float32, outside the graph
    tiny.restored(discriminator, start)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(real)
            scores = tf.reduce_sum(tf.reduce_mean(discriminator(real, fused=False), axis=(1, 2, 3)))
        penalty = losses.gradient_penalty(inner.gradient(scores, real))
    for variable, gradient in zip(
        discriminator.trainable_variables, outer.gradient(penalty, discriminator.trainable_variables), strict=True
    ):
        # After one step Adam's first moment is (1 - beta_1) times the gradient.
        moment = f"discriminator_adam/{variable.path.replace('/', '_')}_momentum"
        added = (penalised.state()[moment].numpy() - plain.state()[moment].numpy()) / (1 - beta_1)
        expected = R1 * R1_INTERVAL * gradient.numpy()
        assert np.linalg.norm(added - expected) <= tolerance * np.linalg.norm(expected) + 1e-6, variable.path
        # LeakyReLU is linear in pieces, so beta has no part in the penalty; all others must have.
        assert variable.path.endswith("beta") or np.linalg.norm(expected) > 0.1
