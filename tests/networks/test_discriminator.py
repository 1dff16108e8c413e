import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.layers import DownConvolution

DTYPES = ("float32", "mixed_bfloat16")


def images(batch=2, height=24, width=16, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, height, width, 3)).astype(np.float32)


def discriminator(dtype="float32", seed=0, filters=(4, 6)):
    return PatchDiscriminator(filters, seed=seed, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("height, width, rows, cols", [(8, 8, 1, 1), (24, 16, 3, 2), (17, 30, 3, 4)])
def test_every_patch_gets_a_float32_score(dtype, height, width, rows, cols):
    scores = discriminator(dtype)(images(2, height, width))  # three layers, each halves and rounds up
    assert scores.shape == (2, rows, cols, 1)
    assert scores.dtype == "float32"
    assert np.isfinite(scores).all()


def test_a_pixel_changes_the_scores_of_the_patches_around_it_only():
    # Without batch norm: a layer's output o sees inputs 2 o - 1 .. 2 o + 3, two layers' pixels 4 o - 3 .. 4 o + 9.
    network, x = discriminator(filters=(6,)), images(1, 48, 48)
    before = network(x).numpy()
    x[0, 21, 30] += 1.0
    rows, cols, _ = np.nonzero(network(x).numpy()[0] != before[0])
    assert (rows.min(), rows.max()) == (3, 6)
    assert (cols.min(), cols.max()) == (6, 8)


@pytest.mark.parametrize("filters", [(6,), (4, 6), (4, 6, 5)])
def test_batch_norm_is_on_the_middle_layers_only_and_biases_nowhere(filters):
    network = discriminator(filters=filters)
    paths = {variable.path.split("/", 1)[1] for variable in network.variables}
    expected = {f"down_{i}/kernel" for i in range(len(filters) + 1)}
    expected |= {f"down_{i}/{name}" for i in range(1, len(filters)) for name in ("gamma", "beta")}
    assert paths == expected
    assert len(network.variables) == len(expected) == len(network.trainable_variables)


def test_batch_norm_takes_the_moments_of_the_batch():
    layer = DownConvolution(4, use_batch_norm=True)
    layer.build((None, None, None, 3))
    layer.gamma.assign([1.0, 2.0, 3.0, 0.5])
    layer.beta.assign([0.0, -1.0, 2.0, 5.0])
    layer.kernel.assign(50 * layer.kernel.value)  # far above epsilon
    y = layer(7 + images(4)).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), layer.beta, atol=1e-4)
    np.testing.assert_allclose(y.std((0, 1, 2)), layer.gamma, rtol=1e-3)


def test_scores_by_hand():
    # One hidden layer that copies red times -1 from the middle of each 5 x 5 patch, one that copies it on.
    network = discriminator(filters=(1,))
    first, second = np.zeros((5, 5, 3, 1), np.float32), np.zeros((5, 5, 1, 1), np.float32)
    first[1, 1, 0, 0], second[1, 1, 0, 0] = -1.0, 10.0  # tap 1 of output o is input 2 o
    network.down_0.kernel.assign(first)
    network.down_1.kernel.assign(second)
    x = images(1, 8, 8)
    red = x[:, ::4, ::4, :1]
    np.testing.assert_allclose(network(x), np.where(red > 0, -2.0 * red, -10.0 * red), rtol=1e-5)


def test_the_bfloat16_score_is_the_float32_one_within_its_precision():
    fine, coarse = (discriminator(dtype) for dtype in DTYPES)
    for a, b in zip(coarse.variables, fine.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    a, b = fine(images()).numpy(), coarse(images()).numpy()
    assert 0 < np.abs(a - b).mean() < 0.02 * np.abs(a).mean() + 1e-3


def test_variables_stay_float32_under_bfloat16():
    assert {variable.dtype for variable in discriminator("mixed_bfloat16").variables} == {"float32"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_squared_gradient_at_the_picture_has_a_gradient_in_every_kernel_and_scale(dtype):
    # The R1 penalty needs this of the fused batch norm. LeakyReLU is linear in pieces, so the last beta has none.
    network, x = discriminator(dtype), tf.constant(images(2, 16, 16))
    for variable in network.variables:
        if variable.path.endswith("kernel"):
            variable.assign(10 * variable.value)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            scores = tf.reduce_sum(network(x))
        penalty = tf.reduce_sum(inner.gradient(scores, x) ** 2)
    wanted = [v for v in network.trainable_variables if not v.path.endswith("beta")]
    for variable, gradient in zip(wanted, outer.gradient(penalty, wanted), strict=True):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, variable.path


def test_a_seed_fixes_the_first_weights():
    same, again, other = (discriminator(seed=seed).down_1.kernel.numpy() for seed in (3, 3, 4))
    np.testing.assert_array_equal(same, again)
    assert (same != other).all()


def test_a_model_is_restored_from_its_config():
    network = discriminator("mixed_bfloat16", seed=9, filters=(3, 4, 5))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    assert isinstance(again, PatchDiscriminator)
    assert again.filters == network.filters
    assert again.get_config() == network.get_config()
    np.testing.assert_array_equal(again(images()), network(images()))  # the seed came back too
    layer = keras.layers.deserialize(keras.layers.serialize(network.down_1))
    assert layer.get_config() == network.down_1.get_config()


def test_a_class_adds_the_product_of_the_features_with_its_vector():
    conditional, plain = PatchDiscriminator((4, 6), classes=3, seed=1), discriminator(seed=1)
    x = images(2, 16, 16)
    conditional.projection.table.assign([[0.0] * 6, [1.0] * 6, [2.0] * 6])
    scores = [conditional(x, class_ids=tf.constant([class_id, 0])).numpy() for class_id in range(3)]
    np.testing.assert_array_equal(scores[0], plain(x))
    np.testing.assert_allclose(scores[2] - scores[0], 2 * (scores[1] - scores[0]), atol=1e-5)
    assert np.abs(scores[1] - scores[0])[0].min() > 1e-4 and not np.any((scores[1] - scores[0])[1])
