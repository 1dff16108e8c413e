"""Periodic Spatial GAN: textures of any size, learned from pictures."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Plane", "Scene", "__version__", "load_plane"]


def __getattr__(name: str) -> Any:
    """Loads what needs TensorFlow only when it is asked for, so that `--help` is quick."""
    if name == "Plane":
        from tf_psgan.plane import Plane

        return Plane
    if name == "Scene":
        from tf_psgan.scene import Scene

        return Scene
    if name == "load_plane":
        from tf_psgan.run_folder import load_plane

        return load_plane
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
