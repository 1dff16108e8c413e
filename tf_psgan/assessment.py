"""Judges a run, or pictures from anywhere, by sources: a table, all figures as JSON, a contact sheet."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL
import tensorflow as tf

from tf_psgan._version import __version__
from tf_psgan.data import images, manifest
from tf_psgan.evaluation.evaluator import LEAST_PIXELS, MOST_SOURCES, SOURCE_PIXELS, Evaluator, Sources
from tf_psgan.evaluation.results import result
from tf_psgan.rendering import request
from tf_psgan.runs.run_folder import RunFolder, load, plane_of
from tf_psgan.signal_processing import central_crop

logger = logging.getLogger(__name__)

MOST_SHOWN = 64
"""Samples on a contact sheet."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What is judged, against what, and where that is written; None for what was not asked.

    Args:
      run: a run's folder; without it `images` are judged.
      images, sources: pictures and folders of pictures; a run's own sources are those that it learned from.
      samples: windows of the run's plane, else its own number of them.
      pixels: side of these windows, else the run's own. Of `images` the middles are judged, at most so many pixels a
        side, else as much as of sources.
      seed: of the run's first sample, else 0; each next sample has the next seed.
      texture: the run's textures, numbers or names, taken in turn; else texture i in sample i.
      dtype: compute type, or "auto".
      json: a .json file for all figures.
      sheet: a picture file for a contact sheet, the sources left of the samples.
    """

    run: str | None = None
    images: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    samples: int | None = None
    pixels: int | None = None
    seed: int | None = None
    texture: Sequence[str] | None = None
    dtype: str = "auto"
    json: str | None = None
    sheet: str | None = None


@dataclasses.dataclass(frozen=True)
class Samples:
    """Pictures to evaluate, what each of them is, where they are from, and whether they may be of several textures."""

    pictures: Sequence[np.ndarray]
    labels: Sequence[dict[str, Any]]
    origin: dict[str, Any]
    several: bool


def assess(case: Case) -> str:
    """Judges samples by sources and writes the files; the table of the figures.

    Raises:
      ValueError: too little or too much to judge, pictures or a run that cannot be used, a file that cannot be made.
      OSError: a file cannot be written.
    """
    _check(case)
    folder = RunFolder(Path(case.run).expanduser()) if case.run else None
    json_file, sheet_file = _place("json", case.json), _place("sheet", case.sheet)
    if folder:
        folder.read_config()  # before the sources: a wrong --run is the likelier mistake
    sources = _sources(case, folder)
    samples = _of_run(case, folder) if folder else _of_pictures(case, several=len(sources.names) > 1)
    evaluator = Evaluator(sources)
    found = result(evaluator, samples.pictures, samples.several)
    if json_file:
        figures = {**samples.origin, **found.to_dict(samples.labels), "versions": _versions()}
        RunFolder(json_file.parent).write(json_file.name, json.dumps(figures, indent=1, allow_nan=False) + "\n")
    if sheet_file:
        if (count := len(samples.pictures)) > MOST_SHOWN:
            logger.info("%s: shows the first %d of %d samples.", sheet_file, MOST_SHOWN, count)
        images.write(sheet_file, evaluator.sheet(samples.pictures[:MOST_SHOWN]))
    return f"{_title(samples, sources)}\n{found.to_text()}"


def _check(case: Case) -> None:
    if case.images and not case.sources:
        raise ValueError("sources: missing; say --sources=PICTURE_OR_FOLDER[,...].")
    if case.images and any(value is not None for value in (case.samples, case.seed, case.texture)):
        raise ValueError("samples, seed, texture: --images are judged as they are; leave these flags out.")
    if case.samples is not None and case.samples < 1:
        raise ValueError(f"samples: {case.samples} is nothing to evaluate; give 1 or more.")
    if case.pixels is not None and case.pixels < LEAST_PIXELS:
        raise ValueError(f"pixels: {case.pixels} are too few to evaluate; give {LEAST_PIXELS} or more.")


def _place(flag: str, name: str | None) -> Path | None:
    """A file that can be made there, as far as can be seen beforehand."""
    if not name:
        return None
    path = Path(name).expanduser()
    if flag == "sheet":
        images.check_suffix(path)
    elif path.suffix.lower() != ".json":
        raise ValueError(f"{path}: is to be JSON; let the name end in .json.")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; correct --{flag}.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: the folder {path.parent} is missing; make it or correct --{flag}.")
    return path


def _sources(case: Case, folder: RunFolder | None) -> Sources:
    """The pictures to hold samples against: the given ones, or the run's."""
    if case.sources or not folder:
        pictures = _scan(case.sources or (), "sources")
    else:
        pictures = folder.read_manifest()
        if not pictures.usable:
            raise ValueError(f"{folder.path}: manifest.json has no usable picture; say --sources=PICTURE_OR_FOLDER.")
    if (count := len(pictures.usable)) > MOST_SOURCES:
        logger.info("sources: the first %d of %d pictures are held against.", MOST_SOURCES, count)
    try:
        return Sources.read(pictures)
    except ValueError as error:
        reason = str(error).rpartition(";")[0] or error
        raise ValueError(f"{reason}; put it back or say --sources=PICTURE_OR_FOLDER.") from None


def _of_run(case: Case, folder: RunFolder) -> Samples:
    """Windows of a run's planes."""
    config, asked = folder.read_config(), [request.texture(text) for text in case.texture or ()]
    side = case.pixels or config.training.sample_pixels
    count = case.samples or max(config.training.samples, len(asked))
    if count * side**2 > images.LIMIT_PIXELS:
        raise ValueError(
            f"samples, pixels: {count} of {side}x{side} pixels are more than {images.LIMIT_PIXELS} in all; "
            "evaluator fewer or smaller ones."
        )
    generator, found = load(folder.path, case.dtype)
    for reason in found.rejected:
        logger.warning("checkpoint passed over: %s", reason)
    plane, several = plane_of(folder.path, generator), bool(config.model.global_channels)
    seeds = [(case.seed or 0) + i for i in range(count)]
    textures = [asked[i % len(asked)] if asked else i for i in range(count)] if several else [0] * count
    pairs = list(zip(seeds, textures, strict=True))
    windows = [plane.window(side, side, seed=seed, texture=texture) for seed, texture in pairs]
    labels = [{"seed": seed, "texture": texture, "pixels": [side, side]} for seed, texture in pairs]
    return Samples(
        windows, labels, {"run": str(folder.path), "step": found.step, "dtype": generator.compute_dtype}, several
    )


def _of_pictures(case: Case, several: bool) -> Samples:
    """The middles of given pictures."""
    entries = _scan(case.images or (), "images").usable
    pictures = [central_crop(manifest.read(entry), case.pixels or SOURCE_PIXELS) for entry in entries]
    labels = [
        {"picture": entry.path, "sha256": entry.sha256, "pixels": list(picture.shape[:2])}
        for entry, picture in zip(entries, pictures, strict=True)
    ]
    return Samples(pictures, labels, {"images": list(case.images or ())}, several)


def _scan(names: Sequence[str], flag: str) -> manifest.Manifest:
    """The pictures among files and folders that can be judged; says which cannot. ValueError if none can."""
    entries = tuple(_judgeable(entry) for entry in manifest.scan(names, flag).entries)
    if not entries:
        raise ValueError(f"--{flag}: no pictures found; name files, or folders with {', '.join(images.SUFFIXES)}.")
    found = manifest.Manifest(entries)
    if not found.usable:
        others = f" None of the {len(entries) - 1} others can be used either." if len(entries) > 1 else ""
        raise ValueError(f"--{flag}: {entries[0].reason}{others}")
    for entry in found.skipped:
        logger.warning("skipped: %s", entry.reason)
    return found


def _judgeable(entry: manifest.Entry) -> manifest.Entry:
    if entry.reason or min(entry.height, entry.width) >= LEAST_PIXELS:
        return entry
    extent, least = f"{entry.height}x{entry.width} pixels", f"{LEAST_PIXELS}x{LEAST_PIXELS}"
    return dataclasses.replace(entry, reason=f"{entry.path}: {extent} are too few to evaluate; give {least} or more.")


def _title(samples: Samples, sources: Sources) -> str:
    count, sizes = len(samples.pictures), {picture.shape[:2] for picture in samples.pictures}
    height, width = (max(extents) for extents in zip(*sizes, strict=True))
    what = f"{count} picture"
    if run := samples.origin.get("run"):
        what = f"{Path(run).resolve().name} at step {samples.origin['step']}, {samples.origin['dtype']}: {count} sample"
    against = sources.names[0]
    if len(sources.names) > 1:
        how = "each sample against the one that it is most like" if samples.several else "all of one texture"
        against = f"{len(sources.names)} sources, {how}"
    at_most = "at most " if len(sizes) > 1 else ""
    return f"{what}{'s' * (count != 1)} of {at_most}{height}x{width} pixels\nagainst {against}"


def _versions() -> dict[str, str]:
    modules = {"tensorflow": tf, "keras": keras, "numpy": np, "pillow": PIL}
    return {"tf_psgan": __version__} | {name: module.__version__ for name, module in modules.items()}
