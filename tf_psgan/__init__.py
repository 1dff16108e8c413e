"""Periodic Spatial GAN: textures of any size, learned from pictures."""

__version__ = "0.1.0"
