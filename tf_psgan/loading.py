"""Opens what was trained or exported: runs and SavedModels, as planes and as generators."""

import logging
from pathlib import Path

from tf_psgan.errors import RunError
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs import checkpoint, exported_model
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device

logger = logging.getLogger(__name__)


class Plane(TexturePlane):
    """The textures of a trained run or of an exported model as infinite planes."""

    @classmethod
    def from_run(cls, path: str | Path, dtype: str = "auto") -> "Plane":
        """The plane of a run's newest good checkpoint, with the run's stored textures by name.

        Args:
          path: the run's folder.
          dtype: compute type: "float32", "mixed_bfloat16", or "auto" for bfloat16 where the hardware supports it.

        Raises:
          RunError: no run, a damaged file, or no good checkpoint.
        """
        return cls.from_generator(load_generator(path, dtype), path)

    @classmethod
    def from_generator(cls, generator: SpatialGenerator, path: str | Path) -> "Plane":
        """The plane of a generator that was loaded from a run, with the run's stored textures by name.

        Raises:
          RunError: a stored texture is damaged.
        """
        stored = RunFolder(Path(path)).read_textures(generator.global_channels)
        return cls(fold(generator), {name: texture.vector for name, texture in stored.items()})

    @classmethod
    def from_saved_model(cls, path: str | Path) -> "Plane":
        """The plane of an exported model, which computes in the type that it was exported with.

        Args:
          path: a version's folder, or a model's, for its newest version.

        Raises:
          ExportError: no exported model of this package, or a damaged one.
        """
        return cls(*exported_model.read(Path(path)))


def load_plane(path: str | Path, dtype: str = "auto") -> Plane:
    """The plane of a run or of an exported model, whichever is there.

    Args:
      path: a run's folder, or as for `Plane.from_saved_model`.
      dtype: as for `Plane.from_run`; an exported model has its own.

    Raises:
      RunError, ExportError: as `Plane.from_run` and `Plane.from_saved_model`.
    """
    return Plane.from_saved_model(path) if exported_model.is_here(Path(path)) else Plane.from_run(path, dtype)


def load_generator(path: str | Path, dtype: str = "auto") -> SpatialGenerator:
    """The averaged generator of a run's newest good checkpoint; arguments and errors as for `Plane.from_run`."""
    return restore_generator(path, dtype)[0]


def restore_generator(path: str | Path, dtype: str = "auto") -> tuple[SpatialGenerator, checkpoint.Restored]:
    """The generator of `load_generator`, and the checkpoint that it comes from. Logs the rejected checkpoints."""
    folder = RunFolder(Path(path))
    config = folder.read_config()
    generator = SpatialGenerator.from_model_config(config.model, dtype=device.compute_type(dtype), name="averaged")
    found = checkpoint.restore(folder.checkpoints, {v.path: v.value for v in generator.variables}, only=True)
    for reason in found.rejected:
        logger.warning("checkpoint rejected: %s", reason)
    if found.path is None:
        raise RunError(str(path), "no checkpoint yet", "train longer or choose another run", settings=("run",))
    return generator, found
