"""Exports a trained run or a ready-made model as a SavedModel, with a model card, warm-up requests and ONNX."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_psgan import material
from tf_psgan.errors import SettingError
from tf_psgan.exporting import cost, model_card, onnx_export, saved_model, warmup
from tf_psgan.exporting.model_card import Card
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.exporting.signatures import Limits
from tf_psgan.loading import Plane, read_model, restore_generator
from tf_psgan.plane.chunks import CHUNK_PIXELS
from tf_psgan.pretrained import Pretrained
from tf_psgan.runs import exported_model, outputs
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime.progress import SHORT_SECONDS, Progress

MOST_PIXELS = 2**28
"""Largest limit on the pixels of one request: such a picture takes 800 MB without its chunks, and a gRPC message holds
at most 2 GB."""


_Source = tuple[Plane, dict[str, Any], Callable[[Draft], None]]
"""The plane, what the description says of its origin, and what writes the card."""


def export(
    source: str | Path | Pretrained,
    out_folder: str | Path,
    *,
    dtype: str = "auto",
    version: int = 0,
    limits: Limits | None = None,
    source_licence: str = "",
    onnx: bool = False,
    detail: str = "auto",
    map: str = material.COLOUR,
    progress: bool = False,
) -> Path:
    """Writes a run's newest good generator, or a ready-made model, as the next version of a SavedModel.

    Args:
      source: the folder of the run, or a ready-made model.
      out_folder: of the model; versions are its folders 1, 2, ...
      dtype: compute type of the model, "float32", "mixed_bfloat16" or "auto"; ONNX is always float32.
      version: 0 for the one after the newest.
      limits: the largest picture of one request: at least a chunk, at most `MOST_PIXELS`.
      source_licence: of the training pictures, for the model card; "" if it is not known. A ready-made model says it.
      onnx: also writes the network alone as ONNX.
      detail: detail stage of the windows, tiles and morphs: "patches", "none", or "auto" for the run's own setting. A
        ready-made model has its own.
      map: of a material, instead of its colours.
      progress: draws a progress bar if standard error is a terminal and the work takes longer than two seconds.

    Returns:
      The version's folder.

    Raises:
      RunError: the run has no good checkpoint, or a file of it is missing or damaged.
      PictureError: the detail stage needs a photograph that is missing or has changed.
      InputError: the disk has no room for it.
      SettingError: a limit out of range, or a package for ONNX is missing.
      ExportError: that version exists already, the folder is a file, the export gives other pictures when read back,
        or there is no such ready-made model, or it is damaged.
      OSError: it cannot be written.
    """
    out = Path(out_folder)
    if onnx:
        onnx_export.check_installed()
    limits = limits or Limits()
    for what, value, least in (("side", limits.side, CHUNK_PIXELS), ("pixels", limits.pixels, CHUNK_PIXELS**2)):
        if not least <= value <= MOST_PIXELS:
            problem, name = f"{value} is outside {least} .. {MOST_PIXELS}", f"most_{what}"
            raise SettingError(name, problem, "choose a value inside", value=value, settings=(name,))
    exported_model.check_name(out)
    outputs.check_owner(out)
    of_extras = 2 + onnx
    with Progress(saved_model.PARTS + of_extras + 1, "steps", display=progress, delay=SHORT_SECONDS) as done:
        if isinstance(source, Pretrained):
            plane, about, card = _of_model(source, dtype, map)
        else:
            plane, about, card = _of_run(Path(source), dtype, detail, map, source_licence)
        extras: list[Callable[[Draft], None]] = [warmup.write, *([onnx_export.write] if onnx else []), card]
        about["cost_per_pixel"] = cost.per_pixel(plane)
        done.update()
        return saved_model.write(
            plane.folded, out, plane.names, about, version, limits, extras, plane.exemplar, done.update
        )


def _of_run(path: Path, dtype: str, detail: str, map: str, licence: str) -> _Source:
    """What a run exports."""
    folder, name = RunFolder(path), path.resolve().name
    config, pictures, metrics = folder.read_config(), folder.read_manifest(), folder.read_metrics()
    generator, found = restore_generator(path, dtype)
    plane = Plane.from_generator(generator, path, detail, map)
    card = Card(name, config, pictures, found.step, metrics, sorted(plane.names), licence, map)
    return plane, {"run": name, "step": found.step, "source_licence": licence} | _map(map), card.write


def _of_model(model: Pretrained, dtype: str, map: str) -> _Source:
    """What a ready-made model exports; its card is that of the model."""
    found = read_model(model.name, dtype)
    plane = Plane(found.folded.picture(map), found.textures, exemplar=found.exemplar)
    names = {"run": "name", "step": "step", "source_licence": "source_licence"}
    about = {name: found.about[of_model] for name, of_model in names.items() if of_model in found.about} | _map(map)

    def card(draft: Draft) -> None:
        text = found.card if map == material.COLOUR else f"{found.card}\nThis export shows its {map} map.\n"
        (draft.extra / model_card.FILE).write_text(text, encoding="utf-8")

    return plane, about, card


def _map(map: str) -> dict[str, str]:
    """What the description says of the map that is exported."""
    return {} if map == material.COLOUR else {"map": map}
