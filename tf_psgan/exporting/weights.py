"""Exports a trained run as a small folder of weights (`runs.model_file`), with its card."""

import dataclasses
from pathlib import Path

from tf_psgan._version import __version__
from tf_psgan.data.manifest import Manifest
from tf_psgan.loading import Plane, restore_generator
from tf_psgan.plane.folded_generator import fold
from tf_psgan.runs import model_file, outputs
from tf_psgan.runs.run_folder import RunFolder


def export(run_folder: str | Path, out_folder: str | Path, *, source_licence: str = "", detail: str = "auto") -> Path:
    """Writes the weights of a run's newest good generator, in half precision.

    Args:
      run_folder: of the run.
      out_folder: a new folder.
      source_licence: of the training pictures, for the card; "" if it is not known.
      detail: detail stage: "patches", "none", or "auto" for the run's own setting.

    Returns:
      The folder.

    Raises:
      RunError: the run has no good checkpoint, or a file of it is missing or damaged.
      PictureError: the detail stage needs a photograph that is missing or has changed.
      ExportError: the folder exists, or a weight is beyond half precision.
      OSError: it cannot be written.
    """
    path, out = Path(run_folder), Path(out_folder)
    outputs.check_owner(out)
    folder = RunFolder(path)
    folder.read_config()  # says best where there is no run
    pictures = folder.read_manifest()
    generator, found = restore_generator(path, "float32")
    plane = Plane.from_generator(generator, path, detail)
    name = out.resolve().name
    about = {"name": name, "step": found.step, "source_licence": source_licence, "made_by": __version__}
    model = model_file.Model(fold(generator), plane.names, plane.exemplar, about)
    model_file.write(out, dataclasses.replace(model, card=card(model, pictures)))
    return out


def card(model: model_file.Model, pictures: Manifest) -> str:
    """The card of a model: the front matter that the Hugging Face Hub reads, and what it was trained on."""
    name, licence = model.about["name"], model.about["source_licence"]
    config, side = model.folded.config, model.folded.pixels_per_cell
    count = len(pictures.usable)
    several = bool(config.global_channels)
    lines = [
        "---",
        "library_name: keras",
        *([f"license: {licence.lower()}"] if licence and licence.replace("-", "").replace(".", "").isalnum() else []),
        "tags:",
        "- texture-synthesis",
        "- psgan",
        "---",
        "",
        f"# {name}",
        "",
        f"A Periodic Spatial GAN (Bergmann et al. 2017, arXiv:1705.06566) of {'textures' if several else 'one texture'}"
        f" at any size, trained by tf_psgan {__version__} for {model.about['step']} steps on {count} "
        f"picture{'s' * (count != 1)}.",
        "",
        f"Licence of the pictures: {licence or 'not known'}.",
        "",
        f"A cell has {side} x {side} pixels; {config.waves} waves, {config.local_channels} local and "
        f"{config.global_channels} global channels; weights in half precision, computed in float32 or bfloat16.",
        "",
    ]
    if config.maps:
        lines += [f"A material. It also makes maps that fit its colours: {', '.join(config.maps)}.", ""]
    if model.exemplar:
        lines += ["It contains the photographs, whose pixels its detail stage arranges.", ""]
    if model.textures:
        lines += [f"Textures by name: {', '.join(sorted(model.textures))}.", ""]
    lines += [
        "```python",
        "import tf_psgan",
        "",
        f'plane = tf_psgan.from_pretrained("{name}")  # or the path of this folder',
        "picture = plane.window(512, 512)",
        "```",
        "",
    ]
    return "\n".join(lines)
