"""Periodic Spatial GAN: textures of any size, learned from pictures."""

from typing import Any

from tf_psgan._version import __version__

__all__ = ["Plane", "Scene", "__version__", "load_plane"]


def __getattr__(name: str) -> Any:
    """Loads what needs TensorFlow only when it is asked for, so that `--help` is quick."""
    if name == "Plane":
        from tf_psgan.loading import Plane

        return Plane
    if name == "Scene":
        from tf_psgan.latents.scene import Scene

        return Scene
    if name == "load_plane":
        from tf_psgan.loading import load_plane

        return load_plane
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
