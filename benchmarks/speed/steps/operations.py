"""What one training step costs at the least: operations that no way of computing it can leave out."""

from tf_psgan import geometry
from tf_psgan.config import Config


def useful(config: Config) -> float:
    """Two for each product of a weight and a number that convolutions need in one step of both networks.

    The generator goes forward once and back once; the discriminator forward on real and fake, back for its own weights
    on both, and back to the fake picture for the generator. A gradient for inputs that nothing learns from (noise,
    crops) is not counted, nor are products with a border of zeros left out, nor anything but convolutions.
    """
    generator = _generator(config)
    discriminator = _discriminator(config)
    own = 3 * sum(generator) - generator[0]  # forward, filters, inputs
    scores = 2 * 3 * sum(discriminator) - 2 * discriminator[0]  # real and fake for the discriminator's weights
    return own + scores + sum(discriminator)  # and back to the fake picture


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
