"""A run or a ready-made model as a static web page: an endless texture that the visitor's own browser computes.

The folder holds the page, onnxruntime-web, and for each model the network as ONNX with everything else that a pixel
follows from: wave numbers, global vectors, the wave-number MLP, and a reference picture with which the page checks the
browser's arithmetic before it shows anything. Nothing is loaded from elsewhere, so any static host serves it, under any
path and without a connection to the internet.

Exporting another run or model into the same folder adds it to the page.
"""

import base64
import json
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import tf_psgan_web
from tf_psgan import geometry
from tf_psgan._version import __version__
from tf_psgan.config import ModelConfig
from tf_psgan.errors import ExportError, SettingError
from tf_psgan.exporting import onnx_export
from tf_psgan.loading import Plane, read_model, restore_generator
from tf_psgan.plane.folded_generator import FoldedGenerator
from tf_psgan.pretrained import Pretrained
from tf_psgan.runs import outputs
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import files
from tf_psgan.runtime.progress import SHORT_SECONDS, Progress

FORMAT = 1
"""Version of `models.json` and of the models' `meta.json`."""

MODELS = "models.json"
"""The models of the page in the order of their export: name, folder, poster."""

RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
"""What the page needs of the npm package onnxruntime-web: WebAssembly alone, and with WebGPU."""

RUNTIME_VERSION = "1.30.0"
"""The version of onnxruntime-web with which the page was tried."""

POSTER_PIXELS = (960, 1280)
"""Height and width of the picture that the page shows until the network has started; centred on the plane's origin."""

OFFERED_TEXTURES = 12
"""Textures that the page offers of a model that is not conditional: those with names, then the first numbers."""

LARGEST_CELL = 256
"""In pixels: the page's tiles consist of whole cells."""

REFERENCE_CELL, REFERENCE_CELLS, REFERENCE_SEED = (-(2**33) - 3, 2**33 + 5), 4, -(2**63) + 5
"""The reference picture: its first cell, its extent in cells, and its seed. Far away, so that it also checks the
arithmetic on 64-bit integers."""

logger = logging.getLogger(__name__)


class _Source(NamedTuple):
    """What a page shows, in float32 and without a detail stage."""

    plane: Plane
    about: dict[str, Any]  # name, step and licence, as in meta.json
    numbered: bool  # whether it offers textures without names, too


def export(
    source: str | Path | Pretrained,
    out_folder: str | Path,
    *,
    onnxruntime_web: str | Path = "node_modules/onnxruntime-web",
    source_licence: str = "",
    detail: str = "auto",
    weights: str = "float32",
    progress: bool = False,
) -> Path:
    """Writes a page of a run's newest good generator or of a ready-made model, or adds it to a page that is there.

    The page shows the network's own pictures in float32. A detail stage is not part of it.

    Args:
      source: the folder of the run, or a ready-made model.
      out_folder: of the page: a new or an empty folder, or one that this function has written.
      onnxruntime_web: folder of the npm package onnxruntime-web.
      source_licence: of the training pictures; the page names it. A ready-made model says it.
      detail: "none", or "auto", which logs a line if the run or the model has a detail stage.
      weights: type in which the network's file holds them; "float16" halves the download and changes some 8-bit values
        by one. The page computes in float32.
      progress: draws a progress bar if standard error is a terminal and the work takes longer than two seconds.

    Returns:
      The page's folder.

    Raises:
      SettingError: weights of another type or the detail stage are requested, the network learned reduced pictures, a
        cell is larger than `LARGEST_CELL`, or onnxruntime-web or a package for ONNX is missing.
      RunError: the run has no good checkpoint, or a file of it is missing or damaged.
      InputError: the disk has no room for it.
      ExportError: the folder holds something else, the network as ONNX computes other pictures, or there is no such
        ready-made model, or it is damaged.
      OSError: it cannot be written.
    """
    onnx_export.check_installed()
    if weights not in onnx_export.WEIGHTS:
        allowed = f"choose {' or '.join(onnx_export.WEIGHTS)}"
        raise SettingError("web_weights", f"{weights!r} is no type of stored weights", allowed, value=weights)
    out, runtime = Path(out_folder), Path(onnxruntime_web)
    if isinstance(source, Pretrained):
        plane, about, numbered = _of_model(source, detail)
    else:
        plane, about, numbered = _of_run(Path(source), detail, source_licence)
    _check_runtime(runtime)
    models, name = _read_models(out), about["name"]
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60]
    # Another network has another folder: hosts and browsers may keep the files of a model for ever.
    folder = f"models/{slug}-{plane.folded.fingerprint()}" + ("-half" if weights == "float16" else "")
    page = _page_files(runtime)
    model_bytes = POSTER_PIXELS[0] * POSTER_PIXELS[1] + sum(
        part.nbytes for block in plane.folded.blocks for part in block
    )
    needed = model_bytes + sum(path.stat().st_size for name, path in page.items() if not (out / name).exists())
    outputs.check_space(out, needed, "make room, or choose another folder")
    _write_page(out, page)
    if (out / folder).exists():
        shutil.rmtree(out / folder)
    (out / folder).parent.mkdir(parents=True, exist_ok=True)
    with (
        files.replacing(out / folder) as partial,
        Progress(3, "steps", display=progress, delay=SHORT_SECONDS) as done,
    ):
        partial.mkdir()
        (partial / onnx_export.FILE).write_bytes(onnx_export.convert(plane.folded, weights))
        done.update()
        description = describe(plane, _offered_textures(plane, numbered)) | about
        (partial / "meta.json").write_text(json.dumps(description), encoding="utf-8")
        done.update()
        _write_poster(plane, description["textures"][0]["vector"], partial / "poster.webp")
        done.update()
    older = [model["folder"] for model in models if model["name"] == name and model["folder"] != folder]
    entry = {"name": name, "folder": folder, "textures": len(description["textures"])}
    names = [model["name"] for model in models]
    models = [entry if model["name"] == name else model for model in models] + [entry] * (name not in names)
    files.write(out / MODELS, json.dumps({"format": FORMAT, "models": models}, indent=2) + "\n")
    for replaced in older:
        shutil.rmtree(out / replaced, ignore_errors=True)
    return out


def _of_run(path: Path, detail: str, licence: str) -> _Source:
    """What the page shows of a run."""
    config = RunFolder(path).read_config()
    _check_model(config.model, config.rendering.detail != "none", detail)
    generator, found = restore_generator(path, "float32")
    about = {"name": path.resolve().name, "step": found.step, "licence": licence}
    return _Source(Plane.from_generator(generator, path, "none"), about, config.training.conditioning == "none")


def _of_model(model: Pretrained, detail: str) -> _Source:
    """What the page shows of a ready-made model."""
    found = read_model(model.name, "float32")
    _check_model(found.folded.config, found.exemplar is not None, detail)
    about = {
        "name": found.about.get("name", Path(model.name).name),
        "step": found.about.get("step", 0),
        "licence": found.about.get("source_licence", ""),
    }
    return _Source(Plane(found.folded, found.textures), about, not found.textures)


def describe(plane: Plane, textures: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the page needs to know of a model beside its network: the contents of `meta.json`.

    Args:
      plane: in float32.
      textures: what the page offers: global vectors, float32 [global channels], by label.
    """
    folded, config = plane.folded, plane.config
    offered: list[dict[str, Any]] = [
        {"key": label, "vector": [float(value) for value in vector]} for label, vector in textures.items()
    ]
    (row, col), side = REFERENCE_CELL, plane.pixels_per_cell
    reference = plane.window(
        REFERENCE_CELLS * side, REFERENCE_CELLS * side, top=row * side, left=col * side, seed=REFERENCE_SEED,
        texture=offered[0]["vector"],
    )  # fmt: skip
    return {
        "format": FORMAT,
        "tf_psgan": __version__,
        "pixels_per_cell": side,
        "local_channels": config.local_channels,
        "global_channels": config.global_channels,
        "waves": config.waves,
        "quadrature": config.quadrature,
        "wave_angles": config.wave_angles,
        "textures": offered,
        **_wave_description(folded),
        "reference": {
            "seed": str(REFERENCE_SEED),
            "row": row,
            "col": col,
            "cells": REFERENCE_CELLS,
            "pixels": base64.b64encode(reference.tobytes()).decode(),
        },
    }


def _wave_description(folded: FoldedGenerator) -> dict[str, Any]:
    """The wave numbers of the only texture in steps of 2**-32 turns per cell, or the MLP that makes them."""
    if not folded.config.global_channels or not folded.config.waves:
        vector = np.zeros(folded.config.global_channels, np.float32)
        return {"wave_steps": folded.wave_steps(vector).tolist(), "wave_mlp": None}
    names = ("hidden_kernel", "hidden_bias", "out_kernel", "out_bias")
    mlp = {name: array.astype(np.float64).tolist() for name, array in zip(names, folded.waves, strict=True)}
    return {"wave_steps": None, "wave_mlp": mlp}


def _offered_textures(plane: Plane, numbered: bool) -> dict[str, np.ndarray]:
    """The textures that the page offers, by label; a conditional model has names for those of its pictures."""
    if not plane.config.global_channels:
        return {"texture": np.zeros(0, np.float32)}
    offered = {name: plane.vector(name) for name in plane.names}
    if numbered:
        offered |= {str(number): plane.vector(number) for number in range(OFFERED_TEXTURES - len(offered))}
    return offered


def _check_model(model: ModelConfig, has_detail: bool, wanted: str) -> None:
    """Raises SettingError for what a page cannot show; logs a line where it goes without the detail stage."""
    if wanted == "patches":
        problem = "a web page shows the network without the detail stage"
        raise SettingError("detail", problem, "choose none", value=wanted, settings=("detail",))
    if wanted == "auto" and has_detail:
        logger.info("the page shows the network without the detail stage, so its pictures are softer.")
    if (cell := geometry.pixels_per_cell(len(model.filters) + 1)) > LARGEST_CELL:
        problem, allowed = f"a cell of {cell} pixels", f"a web page needs cells of at most {LARGEST_CELL} pixels"
        raise SettingError("filters", problem, allowed, value=model.filters)
    if (factor := model.downsampling) > 1:
        problem = f"the network learned pictures reduced by {factor}, and a web page has the network's own pictures"
        raise SettingError("downsampling", problem, "use one with downsampling=1", value=factor)


def _check_runtime(folder: Path) -> None:
    """Raises SettingError where a folder does not hold the npm package onnxruntime-web."""
    name, remedy = "onnxruntime_web", f"run: npm install onnxruntime-web@{RUNTIME_VERSION}"
    try:
        about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        is_it = about["name"] == "onnxruntime-web"
    except (OSError, ValueError, LookupError, TypeError):
        is_it = False
    if not is_it:
        problem = f"{folder} is not the npm package onnxruntime-web"
        raise SettingError(name, problem, f"{remedy}, or give its folder", value=str(folder), settings=(name,))
    missing = [file for file in RUNTIME_FILES if not (folder / "dist" / file).is_file()]
    if missing:
        problem = f"version {about.get('version')} in {folder} has no {missing[0]}"
        raise SettingError(name, problem, remedy, value=str(folder), settings=(name,))


def _read_models(out: Path) -> list[dict[str, Any]]:
    """The models that a page has; none in a new or an empty folder."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return []
    try:
        values = json.loads((out / MODELS).read_text(encoding="utf-8"))
        if values["format"] == FORMAT:
            return [{key: model[key] for key in ("name", "folder", "textures")} for model in values["models"]]
        problem = f"holds a page of format {values['format']}"
    except (OSError, ValueError, LookupError, TypeError):
        problem = "is no folder of a page that was exported before"
    raise ExportError(str(out), problem, "choose a new folder", settings=("out",))


def _page_files(runtime: Path) -> dict[Path, Path]:
    """The files of the page without models: their paths in it, and where they are copied from."""
    sources = {path.relative_to(tf_psgan_web.PAGE): path for path in tf_psgan_web.PAGE.rglob("*") if path.is_file()}
    vendored = Path("vendor", "onnxruntime-web")
    return sources | {vendored / name: runtime / "dist" / name for name in RUNTIME_FILES}


def _write_page(out: Path, sources: Mapping[Path, Path]) -> None:
    for name, source in sources.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        files.write(out / name, source.read_bytes())


def _write_poster(plane: Plane, texture: list[float], path: Path) -> None:
    height, width = POSTER_PIXELS
    picture = plane.window(height, width, top=-height // 2, left=-width // 2, texture=texture)
    Image.fromarray(picture).save(path, quality=80, method=4)
