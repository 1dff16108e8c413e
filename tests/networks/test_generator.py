import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan import geometry
from tf_psgan.latents import waves
from tf_psgan.networks import inference
from tf_psgan.networks.generator import SpatialGenerator, latent_field

SIDE, HALO = 8, geometry.HALO
DTYPES = ("float32", "mixed_bfloat16")


@pytest.fixture(scope="module", params=DTYPES)
def network(request):
    return tiny.generator(request.param)


@pytest.mark.parametrize("filters, side", [((4,), 4), ((4, 4), 8), ((4, 4, 4), 16)])
@pytest.mark.parametrize("rows, cols", [(1, 1), (1, 3), (5, 2)])
def test_each_cell_becomes_one_block_of_pixels_plus_four_spare_pixels(filters, side, rows, cols):
    network = tiny.generator(filters=filters)
    pictures = network(tiny.latents(network, 2, rows + 2 * HALO, cols + 2 * HALO))
    assert network.pixels_per_cell == side
    assert pictures.shape == (2, side * rows + 4, side * cols + 4, 3)


@pytest.mark.parametrize("training", [False, True])
def test_pictures_are_float32_in_range(network, training):
    pictures = network(5 * tiny.latents(network), training=training).numpy()
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert pictures.std() > 0.1


@pytest.mark.parametrize("rows, cols", [(7, 7), (3, 5)])
def test_a_window_of_the_latents_gives_a_window_of_the_picture(network, rows, cols):
    z = tiny.latents(network, 1, 12, 11)
    whole = network(z).numpy()
    part = network(z[:, 2 : 2 + rows + 4, 3 : 3 + cols + 4]).numpy()
    expected = whole[:, 2 * SIDE : (2 + rows) * SIDE + 4, 3 * SIDE : (3 + cols) * SIDE + 4]
    # Other shapes may be summed in another order.
    np.testing.assert_allclose(part, expected, atol=3e-6 if network.compute_dtype == "float32" else 0.05)


def test_a_shift_of_the_latents_shifts_the_picture_bit_for_bit(network):
    z = tiny.latents(network, 1, 10, 9)
    here, there = network(z[:, :-1, :-2]).numpy(), network(z[:, 1:, 2:]).numpy()
    np.testing.assert_array_equal(here[:, SIDE:, 2 * SIDE :], there[:, :-SIDE, : -2 * SIDE])


@pytest.mark.parametrize("kernel, beyond", [(6, 2 * (SIDE - 1)), (5, SIDE - 1)])
def test_a_cell_changes_its_pixels_and_those_within_the_halo(kernel, beyond):
    # A layer takes pixels [a, b] to [2 a - 2, 2 b + kernel - 3].
    network = tiny.generator(kernel_size=kernel)
    z = tiny.latents(network, 1, 11, 11).numpy()
    before = network(z).numpy()
    z[0, 5, 4] += 1.0  # cell (3, 2) of the window
    rows, cols = np.nonzero(np.any(network(z).numpy() != before, axis=(0, 3)))
    assert (rows.min() - HALO, rows.max() - HALO) == (3 * SIDE - 2 * (SIDE - 1), 4 * SIDE - 1 + beyond)
    assert (cols.min() - HALO, cols.max() - HALO) == (2 * SIDE - 2 * (SIDE - 1), 3 * SIDE - 1 + beyond)


def test_outside_training_images_of_a_batch_do_not_depend_on_each_other(network):
    z = tiny.latents(network, 3)
    other = tf.concat([z[:1], 4 * z[1:]], axis=0)
    np.testing.assert_array_equal(network(z)[0], network(other)[0])


def test_the_bfloat16_picture_is_the_float32_one_within_its_precision():
    fine, coarse = (tiny.generator(dtype) for dtype in DTYPES)
    z = tiny.latents(fine)
    difference = np.abs(fine(z).numpy() - coarse(z).numpy())
    assert 0 < difference.mean() < 0.01


def test_inference_with_folded_weights_is_the_network_outside_training(network):
    weights = [(tf.cast(k, network.compute_dtype), tf.cast(b, network.compute_dtype)) for k, b in network.folded()]
    z = tiny.latents(network)
    # In bfloat16 the last layer sums in another order: now and then one unit of bfloat16 before the tanh.
    tolerance = 1e-6 if network.compute_dtype == "float32" else 2**-7
    np.testing.assert_allclose(
        inference.generate(weights, z, network.compute_dtype), network(z, training=False), atol=tolerance
    )


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("mixed_bfloat16", 0.1)])
def test_recalibrated_statistics_give_the_images_of_the_batch(dtype, tolerance):
    network = tiny.generator(dtype)
    z = tiny.latents(network, 8)
    wanted = network(z, training=True).numpy()
    assert np.abs(network(z, training=False).numpy() - wanted).max() > 0.2
    network.recalibrate(z)
    np.testing.assert_allclose(network(z, training=False), wanted, atol=tolerance)


def test_recalibration_changes_statistics_only():
    network = tiny.generator(global_channels=2)
    before = tiny.values_of(network)
    network.recalibrate(tiny.latents(network, 2))
    moved = {path.split("/", 1)[1] for path, value in tiny.values_of(network).items() if (value != before[path]).any()}
    assert moved == {"up_0/mean", "up_0/variance", "up_1/mean", "up_1/variance"}


def test_waves_without_global_channels_are_one_table():
    network = tiny.generator(waves=3)
    numbers = network.wave_numbers(tf.zeros([4, 0]))
    assert numbers.shape == (4, 3, 2)
    assert network.shared_wave_numbers is network.wave_table
    for row in numbers:
        np.testing.assert_array_equal(row, network.wave_table)


def test_waves_with_global_channels_follow_the_global_vector():
    # Equation 4 of Bergmann et al. 2017: a hidden layer with ReLU, then a linear one.
    network = tiny.generator(waves=3, global_channels=2)
    z_global = np.array([[0.5, -1.0], [0.0, 0.0]], np.float32)
    inside, outside = network.wave_hidden, network.wave_out
    hidden = np.maximum(z_global @ inside.kernel.numpy() + inside.bias.numpy(), 0)
    expected = (hidden @ outside.kernel.numpy() + outside.bias.numpy()).reshape(2, 3, 2)
    numbers = network.wave_numbers(z_global)
    assert numbers.dtype == "float32"
    np.testing.assert_allclose(numbers, expected, rtol=1e-5)
    # At the centre of the textures they are the shared start.
    np.testing.assert_allclose(numbers[1], network.shared_wave_numbers.numpy().reshape(3, 2), rtol=1e-6)


@pytest.mark.parametrize("global_channels", [0, 2])
def test_axis_waves_run_along_rows_and_columns_alternately(global_channels):
    network = tiny.generator(waves=3, wave_angles="axis", global_channels=global_channels)
    numbers = network.wave_numbers(tf.ones([2, global_channels])).numpy()
    along, across = numbers[:, [0, 1, 2], [0, 1, 0]], numbers[:, [0, 1, 2], [1, 0, 1]]
    assert (along != 0).all()
    assert (across == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("global_channels", [0, 2])
def test_wave_numbers_learn_from_the_picture(global_channels, dtype):
    network = tiny.generator(dtype, global_channels=global_channels)
    z_global = tf.ones([2, global_channels])
    learned = [v for v in network.trainable_variables if "/wave_" in v.path]
    assert len(learned) == (4 if global_channels else 1)
    with tf.GradientTape() as tape:
        z_periodic = waves.plane_waves(network.wave_numbers(z_global), tf.ones([2, 2]), 6, 6, quadrature=True)
        z = latent_field(tf.zeros([2, 6, 6, 3]), z_global[:, tf.newaxis, tf.newaxis], z_periodic)
        loss = tf.reduce_mean(network(z, training=True) ** 2)
    for gradient in tape.gradient(loss, learned):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 1e-6


def test_an_sgan_is_the_model_without_waves():
    network = tiny.generator(waves=0)
    assert network.channels == 3
    assert not [v.path for v in network.variables if "wave" in v.path]
    assert network.wave_numbers(tf.zeros([2, 0])).shape == (2, 0, 2)
    assert network(tiny.latents(network, 1, 5, 5)).shape == (1, SIDE + 4, SIDE + 4, 3)


@pytest.mark.parametrize(
    "changes, channels",
    [({}, 3 + 2 * 2), ({"quadrature": False}, 3 + 2), ({"global_channels": 5, "waves": 3}, 3 + 5 + 2 * 3)],
)
def test_channels_are_local_global_and_two_for_each_wave(changes, channels):
    assert tiny.generator(**changes).channels == channels


def test_the_latent_field_is_local_then_global_then_periodic():
    z_local, z_periodic = tf.fill([2, 3, 4, 2], 1.0), tf.fill([2, 3, 4, 3], 3.0)
    z_global = tf.reshape(tf.constant([5.0, 6.0]), [2, 1, 1, 1])
    field = latent_field(z_local, z_global, z_periodic)
    assert field.shape == (2, 3, 4, 6)
    np.testing.assert_array_equal(field[0, 2, 3], [1, 1, 5, 3, 3, 3])
    np.testing.assert_array_equal(field[1, 0, 0], [1, 1, 6, 3, 3, 3])


def test_every_variable_has_a_path_of_its_own():
    network = tiny.generator(global_channels=2)
    paths = sorted(variable.path.split("/", 1)[1] for variable in network.variables)
    expected = [f"up_{i}/{name}" for i in (0, 1) for name in ("beta", "gamma", "kernel", "mean", "variance")]
    expected += ["up_2/bias", "up_2/kernel"]
    mlps = ("wave_hidden", "wave_out")
    expected += [f"{layer}/{name}" for layer in mlps for name in ("bias", "kernel")]
    assert paths == sorted(expected)
    assert len({id(variable) for variable in network.variables}) == len(expected)


def test_variables_stay_float32_under_bfloat16():
    assert {variable.dtype for variable in tiny.generator("mixed_bfloat16", global_channels=2).variables} == {"float32"}


def test_a_seed_fixes_the_first_weights():
    config = tiny.model_config(global_channels=2)
    same, again, other = (
        tiny.values_of(SpatialGenerator.from_model_config(config, seed=seed, name="g")) for seed in (7, 7, 8)
    )
    for path, value in same.items():
        np.testing.assert_array_equal(value, again[path])
        if path.endswith("up_0/kernel"):
            assert (value != other[path]).all()


@pytest.mark.parametrize("global_channels", [0, 2])
def test_a_model_is_restored_from_its_config(global_channels):
    network = tiny.generator(
        "mixed_bfloat16", seed=4, global_channels=global_channels, wave_angles="axis", kernel_size=5
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    assert isinstance(again, SpatialGenerator)
    assert again is not network
    assert again.model_config == network.model_config
    assert again.get_config() == network.get_config()
    tiny.restored(again, tiny.values_of(network))
    z = tiny.latents(network)
    np.testing.assert_array_equal(again(z), network(z))
