"""Spatial GAN and Periodic Spatial GAN: textures of any size, learned from photographs.

The public names are listed, with their types, in `__init__.pyi`. Each is loaded when it is first used, so that
`import tf_psgan` does not load TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
