"""Opens what was trained or exported: runs and SavedModels, as planes and as generators."""

import contextlib
import logging
import os
from pathlib import Path

from tf_psgan import geometry, material, pretrained
from tf_psgan.config import ModelConfig, check_detail
from tf_psgan.data import manifest
from tf_psgan.detail import exemplar as exemplars
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.errors import ExportError, RunError
from tf_psgan.evaluation import lattice
from tf_psgan.evaluation.evaluator import MAX_SOURCES, SOURCE_PIXELS
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane import adaptation
from tf_psgan.plane.adaptation import Adaptation
from tf_psgan.plane.folded_generator import FoldedGenerator, fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs import checkpoint, exported_model, hub, model_file
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.signal_processing import central_crop, downsampled

EXEMPLAR_PIXELS = {1: 1024, 2: 1024, 4: 1536}
"""Side of the central part of a photograph that the detail stage copies from, by `ModelConfig.downsampling`; less of
each where there are several."""

logger = logging.getLogger(__name__)


class Plane(TexturePlane):
    """The textures of a trained run or of an exported model as infinite planes."""

    @classmethod
    def from_run(
        cls, path: str | Path, dtype: str = "auto", *, detail: str = "auto", map: str = material.COLOUR
    ) -> "Plane":
        """The plane of a run's newest good checkpoint, with the run's stored textures by name.

        Args:
          path: the run's folder.
          dtype: compute type: "float32", "mixed_bfloat16", or "auto" for bfloat16 where the hardware supports it.
          detail: detail stage: "patches", "none", or "auto" for the run's own setting.
          map: of a material: "normal", "height" or another one that the run has learned, instead of its colours.

        Raises:
          RunError: no run, a damaged file, or no good checkpoint.
          InputError: the photographs are needed for the detail stage and cannot be used.
          SettingError: a detail stage for a model of several textures, or a map that the run has not learned.
        """
        return cls.from_generator(load_generator(path, dtype), path, detail, map)

    @classmethod
    def from_generator(
        cls, generator: SpatialGenerator, path: str | Path, detail: str = "auto", map: str = material.COLOUR
    ) -> "Plane":
        """The plane of a generator that was loaded from a run, with the run's stored textures by name.

        Args:
          generator: the averaged generator of the run.
          path: the run's folder.
          detail, map: as for `from_run`.

        Raises:
          RunError: a stored texture is damaged.
          InputError, SettingError: as `from_run`.
        """
        folder, learned = RunFolder(Path(path)), fold(generator)
        folded = learned.picture(map)
        stored = folder.read_textures(generator.global_channels)
        if (folder.read_config().rendering.detail if detail == "auto" else detail) == "none":
            exemplar = None
        else:
            check_detail(learned.config)
            measured = read_exemplar(folder)
            exemplar = read_adaptation(folder, folded, measured).applied(measured)
        return cls(folded, {name: texture.vector for name, texture in stored.items()}, exemplar=exemplar)

    @classmethod
    def from_pretrained(cls, name: str | Path, dtype: str = "auto", *, map: str = material.COLOUR) -> "Plane":
        """The plane of a ready-made model; as `from_pretrained`."""
        found = read_model(name, dtype)
        return cls(found.folded.picture(map), found.textures, exemplar=found.exemplar)

    @classmethod
    def from_saved_model(cls, path: str | Path) -> "Plane":
        """The plane of an exported model, which computes in the type that it was exported with.

        Args:
          path: a version's folder, or a model's, for its newest version.

        Raises:
          ExportError: no exported model of this package, or a damaged one.
          SettingError: the model has several textures and a detail stage, which earlier versions exported.
        """
        folded, names, exemplar = exported_model.read(Path(path))
        return cls(folded, names, exemplar=exemplar)


def from_pretrained(name: str | Path, dtype: str = "auto", *, map: str = material.COLOUR) -> Plane:
    """The textures of a ready-made model as infinite planes.

    Args:
      name: of a model that comes with the package (`list_pretrained`); a folder that `psgan export --weights` made;
        or "hf://owner/name", a repository of the Hugging Face Hub, which the package huggingface_hub fetches. Nothing
        of it is executed.
      dtype: compute type: "float32", "mixed_bfloat16", or "auto" for bfloat16 where the hardware supports it.
      map: of a material: "normal", "height" or another one that the model has, instead of its colours. Planes of one
        model fit each other pixel by pixel.

    Raises:
      ExportError: no model of that name, or one that is damaged, of a newer version, or cannot be fetched.
      SettingError: the model has no such map.
    """
    return Plane.from_pretrained(name, dtype, map=map)


def list_pretrained() -> list[str]:
    """The names of the models that come with the package, sorted."""
    return pretrained.names()


def push_to_hub(folder: str | Path, repository: str, *, private: bool = False) -> str:
    """Uploads a model to the Hugging Face Hub, from where `from_pretrained` reads it by its address.

    Args:
      folder: as `psgan export --weights` makes it; or another model, as for `from_pretrained`.
      repository: "owner/name"; made where it is not there yet.
      private: whether a new repository is visible to its owner only.

    Returns:
      The address, "hf://owner/name".

    Raises:
      ExportError: the folder holds no model or a damaged one, the name is none, huggingface_hub is missing, or the hub
        refuses.
    """
    path = _model_folder(folder)
    model_file.read(path, "float32")  # nothing damaged is uploaded
    return hub.upload(path, repository, private)


def read_model(name: str | Path, dtype: str = "auto") -> model_file.Model:
    """The model that `from_pretrained` would open; arguments and errors as there."""
    return model_file.read(_model_folder(name), device.compute_type(dtype))


def _model_folder(name: str | Path) -> Path:
    """Where a ready-made model lies on this machine."""
    text = str(name)
    if text.startswith(hub.SCHEME):
        return hub.fetched(text)
    if text in pretrained.names():
        return pretrained.folder(text)
    path = Path(name).expanduser()
    if not model_file.is_here(path):
        there = path.is_dir() or os.sep in text
        problem = "no model is in this folder" if there else "is no ready-made model"
        allowed = f"use one of {', '.join(pretrained.names())}, a model's folder, or hf://OWNER/NAME"
        raise ExportError(text, problem, allowed, value=text, settings=("model",))
    return path


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


def read_exemplar(folder: RunFolder) -> Exemplar:
    """The photographs of a run as its detail stage needs them; measured and stored if this was not done before.

    Raises:
      RunError: the stored file is damaged.
      PictureError: a photograph is missing, has changed, or is too small.
    """
    if (found := folder.read_exemplar()) is not None:
        return found
    exemplar = build_exemplar(folder.read_manifest(), folder.read_config().model)
    folder.write_exemplar(exemplar)
    return exemplar


def read_adaptation(folder: RunFolder, folded: FoldedGenerator, exemplar: Exemplar) -> Adaptation:
    """How the detail stage of a run fits its generator; measured and stored if this was not done before.

    Raises:
      RunError: the stored file is damaged.
    """
    key = f"{adaptation.FORMAT}-{folded.fingerprint()}-{exemplar.fingerprint()}"
    if (found := folder.read_adaptation(key)) is not None:
        return found
    found = adaptation.measure(exemplar, folded)
    with contextlib.suppress(OSError):  # a run that cannot be written is measured again each time
        folder.write_adaptation(key, found)
    return found


def build_exemplar(photographs: manifest.Manifest, model: ModelConfig) -> Exemplar:
    """Measures photographs for the detail stage of a model.

    Raises:
      PictureError: a photograph is missing, has changed, or is too small.
    """
    side = int(EXEMPLAR_PIXELS[model.downsampling] / len(photographs.usable) ** 0.5)
    pictures = [central_crop(manifest.read(entry), side) for entry in photographs.usable]
    # The coarsest pixel divides a cell, so that it divides the period of a seamless tile.
    cell = geometry.pixels_per_cell(len(model.filters) + 1) * model.downsampling
    resolutions = min(exemplars.most_resolutions(pictures, model.downsampling), cell.bit_length())
    # As the network's first waves are found: on the pictures as they are learned.
    learned = [central_crop(downsampled(picture, model.downsampling), SOURCE_PIXELS) for picture in pictures]
    return Exemplar.build(pictures, resolutions, model.downsampling * lattice.lattice(learned[:MAX_SOURCES]))


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
