"""The number of operations that a training step needs at least, however it is computed."""

from tf_psgan import geometry
from tf_psgan.config import Config


def useful(config: Config) -> float:
    """Operations of the convolutions in one step of both networks; a multiplication and an addition count as two.

    The generator has one forward and one backward pass. The discriminator has forward passes on real and fake pictures,
    backward passes to its own weights for both, and one backward pass to the fake picture for the generator. Gradients
    of inputs without trainable weights before them (noise, crops) do not count. Products with padding zeros do count.
    Only convolutions count.
    """
    generator = _generator(config)
    discriminator = _discriminator(config)
    own = 3 * sum(generator) - generator[0]  # forward, filters, inputs
    scores = 2 * 3 * sum(discriminator) - 2 * discriminator[0]  # real and fake, for the discriminator's weights
    return own + scores + sum(discriminator)  # backward pass to the fake picture


def _generator(config: Config) -> list[float]:
    model, found = config.model, []
    fan_in = model.local_channels + model.global_channels + (2 if model.quadrature else 1) * model.waves
    cells = config.data.crop_cells + 2 * geometry.HALO
    for filters in (*model.filters, 3):
        cells = 2 * cells - 4
        found.append(2.0 * config.data.batch_size * cells**2 * model.kernel_size**2 / 4 * fan_in * filters)
        fan_in = filters
    return found


def _discriminator(config: Config) -> list[float]:
    pixels = config.data.crop_cells * geometry.pixels_per_cell(len(config.model.filters) + 1)
    fan_in, found = 3, []
    for filters in (*config.model.discriminator_filters, 1):
        pixels = -(-pixels // 2)
        found.append(2.0 * config.data.batch_size * pixels**2 * 25 * fan_in * filters)
        fan_in = filters
    return found
