"""The spatial generator and the patch discriminator, as Keras models.

Importing this package registers their layers and models with Keras, so that `keras.saving.load_model` needs no custom
objects.
"""

from tf_psgan.networks.discriminator import PatchDiscriminator
from tf_psgan.networks.generator import SpatialGenerator

__all__ = ["PatchDiscriminator", "SpatialGenerator"]
