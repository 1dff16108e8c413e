"""Networks small enough for a test, and weights that make them show something."""

import keras
import numpy as np

from tf_psgan.config import ModelConfig
from tf_psgan.networks.generator import SpatialGenerator


def model_config(**changes):
    """Two hidden layers: a cell is 8 x 8 pixels."""
    small = {"local_channels": 3, "waves": 2, "wave_hidden": 5, "filters": (8, 4), "discriminator_filters": (4, 6)}
    return ModelConfig(**(small | changes))


def generator(dtype="float32", seed=0, **changes):
    """A generator whose pictures fill the range and whose stored statistics are not those of a new layer."""
    network = SpatialGenerator.from_model_config(model_config(**changes), seed=seed, dtype=dtype)
    random = np.random.default_rng(seed)
    for block in network.blocks:
        fan_in = 9 * block.kernel.shape[2]
        block.kernel.assign(random.normal(0, fan_in**-0.5, block.kernel.shape))
        if block.use_batch_norm:
            block.mean.assign(random.normal(0, 0.3, block.mean.shape))
            block.variance.assign(random.uniform(0.3, 2, block.variance.shape))
            block.beta.assign(random.normal(0, 0.3, block.beta.shape))
        else:
            block.bias.assign(random.normal(0, 0.1, block.bias.shape))
    if network.waves:
        network.shared_wave_numbers.assign(random.uniform(-3, 3, network.shared_wave_numbers.shape))
    if network.waves and network.global_channels:
        network.wave_out.kernel.assign(random.normal(0, 0.5, network.wave_out.kernel.shape))
    return network


def latents(network, batch=1, rows=7, cols=6, seed=0):
    """Uniform noise in all channels, float32 [batch, rows, cols, channels]."""
    random = np.random.default_rng(seed)
    return keras.ops.convert_to_tensor(random.uniform(-1, 1, (batch, rows, cols, network.channels)), "float32")


def restored(network, values):
    """Puts values back that `values_of` took."""
    for variable in network.variables:
        variable.assign(values[variable.path])


def values_of(network):
    """Every variable's value by its path."""
    return {variable.path: variable.numpy() for variable in network.variables}
