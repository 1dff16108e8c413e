"""A run's newest generator as a version of a SavedModel, with all that goes along: model card, warm-up, ONNX."""

from collections.abc import Callable
from pathlib import Path

from tf_psgan.exporting import onnx_export, saved_model, warmup
from tf_psgan.exporting.model_card import Card
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.exporting.signatures import Limits
from tf_psgan.loading import Plane, restore_generator
from tf_psgan.plane.chunks import CHUNK_PIXELS
from tf_psgan.runs.run_folder import RunFolder

MOST_PIXELS = 2**28
"""Of a picture in one request: 800 MB without its tiles, and gRPC carries no more than 2 GB."""


def export(
    run_folder: str | Path,
    out_folder: str | Path,
    *,
    dtype: str = "auto",
    version: int = 0,
    limits: Limits | None = None,
    source_licence: str = "",
    onnx: bool = False,
) -> Path:
    """Writes a run's newest good generator as the next version of a SavedModel; its folder.

    Args:
      run_folder: the run.
      out_folder: the model's folder; versions are its folders 1, 2, ...
      dtype: what it computes in, as for `Plane.from_run`; ONNX is float32 always.
      version: 0 for the one after the newest.
      limits: what one request may ask for, at least a tile and at most MOST_PIXELS.
      source_licence: of the pictures that were learned; "" says that it is not stated.
      onnx: writes the bare network as ONNX too.

    Raises:
      ValueError: as `Plane.from_run` and `saved_model.write`; a limit out of range; a file of the run is missing or
        damaged; the packages for ONNX are missing.
    """
    path, out = Path(run_folder), Path(out_folder)
    if onnx:
        onnx_export.check_installed()
    limits = limits or Limits()
    for what, value, least in (("side", limits.side, CHUNK_PIXELS), ("pixels", limits.pixels, CHUNK_PIXELS**2)):
        if not least <= value <= MOST_PIXELS:
            raise ValueError(f"most_{what}: {value} is outside {least} .. {MOST_PIXELS}; choose a value inside.")
    folder = RunFolder(path)
    config, pictures, metrics = folder.read_config(), folder.read_manifest(), folder.read_metrics()
    generator, found = restore_generator(path, dtype)
    plane = Plane.from_generator(generator, path)
    name = path.resolve().name
    card = Card(name, config, pictures, found.step, metrics, sorted(plane.names), source_licence)
    extras: list[Callable[[Draft], None]] = [warmup.write, *([onnx_export.write] if onnx else []), card.write]
    about = {"run": name, "step": found.step, "source_licence": source_licence}
    return saved_model.write(plane.folded, out, plane.names, about, version, limits, extras)
