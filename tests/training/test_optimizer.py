import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.training.optimizer import Adam

SHAPES = {"kernel": (3, 3, 2, 4), "beta": (4,)}


def variables(seed=0):
    random = np.random.default_rng(seed)
    return [keras.Variable(random.normal(size=shape).astype(np.float32), name=name) for name, shape in SHAPES.items()]


def gradients(seed):
    random = np.random.default_rng(100 + seed)
    return [tf.constant(random.normal(size=shape), tf.float32) for shape in SHAPES.values()]


@pytest.mark.parametrize("in_graph", [False, True])
def test_every_update_equals_that_of_kerass_adam(in_graph):
    ours, theirs = variables(), variables()
    adam = Adam(ours, 0.01, 0.5, 0.0, "mine")
    keras_adam = keras.optimizers.Adam(0.01, 0.5, name="mine")
    update = tf.function(adam.update) if in_graph else adam.update
    for i in range(5):
        update(gradients(i))
        keras_adam.apply_gradients(zip(gradients(i), theirs, strict=True))
    for a, b in zip((*adam.variables, *ours), (*keras_adam.variables, *theirs), strict=True):
        assert a.path == b.path
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_l2_penalty_adds_its_gradient_to_kernels_only():
    l2, plain, penalised = 0.05, variables(), variables()
    added = [2 * l2 * plain[0].numpy(), np.zeros(SHAPES["beta"])]
    Adam(penalised, 0.01, 0.5, l2, "a").update(gradients(0))
    Adam(plain, 0.01, 0.5, 0.0, "b").update([g + a for g, a in zip(gradients(0), added, strict=True)])
    for a, b in zip(penalised, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_every_variable_is_created_at_once():
    adam = Adam(variables(), 0.01, 0.5, 0.0, "mine")
    names = [v.path for v in adam.variables]
    assert {"mine/iteration", "mine/kernel_momentum", "mine/beta_velocity"} <= set(names)
    adam.update(gradients(0))
    assert [v.path for v in adam.variables] == names
    assert int(adam.iterations) == 1


def test_no_variables_are_no_error():
    Adam([], 0.01, 0.5, 0.0, "mine").update([])
