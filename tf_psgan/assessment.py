"""Evaluates a run, or pictures from anywhere, against source pictures: metrics, a JSON file, a contact sheet."""

import dataclasses
import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import PIL
import tensorflow as tf

from tf_psgan import material
from tf_psgan._version import __version__
from tf_psgan.config import Config
from tf_psgan.data import manifest
from tf_psgan.data.images import LIMIT_PIXELS, check_suffix, write
from tf_psgan.data.picture_formats import SUFFIXES
from tf_psgan.errors import InputError, PictureError, RunError, SettingError
from tf_psgan.evaluation import comparison
from tf_psgan.evaluation.evaluator import MAX_SOURCES, SOURCE_PIXELS, Evaluator, Sources, finite, sheet_extent
from tf_psgan.evaluation.findings import NOTHING_FOUND, TrainingState, findings
from tf_psgan.evaluation.results import Result, evaluate_samples
from tf_psgan.evaluation.texture_features import MIN_PIXELS
from tf_psgan.evaluation.vgg_features import VggFeatures
from tf_psgan.latents.texture_fields import Texture
from tf_psgan.loading import Plane, read_model, restore_generator
from tf_psgan.runs import outputs
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import files
from tf_psgan.runtime.progress import SHORT_SECONDS, Progress
from tf_psgan.signal_processing import central_crop

logger = logging.getLogger(__name__)

ELSEWHERE = 2**20
"""Row and column in pixels of the other windows of a run: a whole number of cells away from the first ones."""

MOST_SHOWN = 64
"""Samples on a contact sheet at most."""

JSON_BYTES = 2**16
"""What the metrics take on the disk at most, and those of each sample."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Pictures to evaluate.

    Args:
      pictures: uint8 [height, width, 3] each.
      labels: what each picture is: seed and texture, or path and SHA-256; and its extent.
      origin: what all pictures are from: run, step and compute type; or the paths given.
      several: whether they may be of several textures; each is then compared with its nearest source.
      elsewhere: as many windows of the same run, far away; empty unless they are wanted.
      cell: pixels per cell of the run; 0 for pictures of unknown origin.
      training: how far the run has come; None for pictures of unknown origin.
    """

    pictures: Sequence[np.ndarray]
    labels: Sequence[Mapping[str, Any]]
    origin: Mapping[str, Any]
    several: bool
    elsewhere: Sequence[np.ndarray] = ()
    cell: int = 0
    training: TrainingState | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The metrics of some samples.

    Args:
      result: metrics over all samples, by source and by sample.
      samples: what was evaluated.
      unseen: metrics that no loss uses, of "source" and "samples", and of the references if they were wanted.
      findings: sentences about what is wrong.
    """

    result: Result
    samples: Samples
    unseen: Mapping[str, comparison.Row]
    findings: Sequence[str]

    def to_text(self) -> str:
        """What was compared with what, what is wrong, and the tables of the metrics."""
        found = "\n".join(f"- {sentence}" for sentence in self.findings or [NOTHING_FOUND])
        title, tables = _title(self.samples, self.result.sources), self.result.to_text()
        unseen = f"metrics that no loss uses\n{comparison.to_text(self.unseen)}"
        return f"{title}\n\nfindings\n{found}\n\n{unseen}\n\n{tables}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON holds it, with the versions of the packages that computed it."""
        unseen = {name: finite(row) for name, row in self.unseen.items()}
        result = self.result.to_dict(self.samples.labels)
        found = {"findings": list(self.findings), "unseen": unseen}
        return {**self.samples.origin, **found, **result, "versions": _versions()}


def evaluate(
    run_folder: str | Path | None = None,
    *,
    model: str | Path | None = None,
    images: Sequence[str | Path] = (),
    sources: Sequence[str | Path] = (),
    samples: int | None = None,
    pixels: int | None = None,
    seed: int | None = None,
    textures: Sequence[Texture] = (),
    dtype: str = "auto",
    detail: str = "auto",
    json_file: str | Path | None = None,
    sheet_file: str | Path | None = None,
    references: bool = False,
    vgg: str | Path | None = None,
    progress: bool = False,
) -> Evaluation:
    """Compares windows of a run's plane, or given pictures, with source pictures.

    Args:
      run_folder: a run; without one and without a model `images` are evaluated.
      model: a ready-made model instead of a run, as for `tf_psgan.from_pretrained`; needs `sources`.
      images: pictures and folders of pictures to evaluate instead of a run.
      sources: pictures and folders of pictures to compare with; empty for those that the run learned.
      samples: number of windows of a run; None for its own number of samples.
      pixels: side of the windows; None for the run's own. Of `images` the middle is evaluated, at most this many pixels
        a side; None for as much as of sources.
      seed: of the first window; each further one has the next seed. None for 0.
      textures: the textures of the windows, in turn; empty for texture i in window i.
      dtype: compute type, or "auto".
      detail: detail stage of the windows: "patches", "none", or "auto" for the run's own setting.
      json_file: a .json file to write with all metrics.
      sheet_file: a picture file to write with the sources on the left and the samples on the right.
      references: whether to measure reference pictures, too: the halves of the sources, image quilting, random-phase
        noise, and other windows of the run.
      vgg: a file with weights of VGG-19 (`tf_psgan.evaluation.vgg_weights`), for precision, recall and Fréchet distance
        of its features; implies `references`.
      progress: draws a progress bar if standard error is a terminal and the work takes longer than two seconds.

    Raises:
      InputError: too little or too much to evaluate, pictures or a run that cannot be used, a file that cannot be made.
      OSError: a file cannot be written.
    """
    if [run_folder is not None, model is not None, bool(images)].count(True) != 1:
        names = ("run", "model", "images")
        raise SettingError(", ".join(names), "none or several are given", "give one of them", settings=names)
    _check_numbers(samples, pixels)
    json_path, sheet_path = _output("json", json_file), _output("sheet", sheet_file)
    features = VggFeatures(Path(vgg).expanduser()) if vgg else None
    references = references or features is not None
    if run_folder is not None:
        folder = RunFolder(Path(run_folder).expanduser())
        config = folder.read_config()  # before the sources: a wrong run folder is the likelier mistake
        known = _scan(sources, "sources", config.model.maps) if sources else _learned(folder)
        compared = _sources(known)
        _check_inputs((json_path, sheet_path), [*folder.inputs(), *_paths(known), *([vgg] if vgg else ())])
        side, count = _extent(config, samples, pixels, textures)
        _check_room(json_path, sheet_path, compared, [(side, side)] * count)
        drawn = _of_run(folder, dtype, detail)
        evaluated = _windows(drawn, side, count, seed or 0, textures, references, progress)
    elif model is not None:
        if detail != "auto":
            problem = "a ready-made model has its own"
            raise SettingError("detail", problem, "leave it out", value=detail, settings=("detail",))
        drawn = _of_model(model, dtype)  # before the sources: a wrong name is the likelier mistake
        known = _scan(_given(sources), "sources", drawn.maps)
        compared = _sources(known)
        _check_inputs((json_path, sheet_path), [*_paths(known), *([vgg] if vgg else ())])
        side, count = _extent(Config(), samples, pixels, textures)
        _check_room(json_path, sheet_path, compared, [(side, side)] * count)
        evaluated = _windows(drawn, side, count, seed or 0, textures, references, progress)
    else:
        if samples is not None or seed is not None or textures:
            problem = "given pictures are evaluated as they are"
            names = ("samples", "seed", "texture")
            raise SettingError(", ".join(names), problem, "leave these out", settings=names)
        known = _scan(_given(sources), "sources")
        compared, given = _sources(known), _scan(images, "images")
        _check_inputs((json_path, sheet_path), [*_paths(known), *_paths(given), *([vgg] if vgg else ())])
        evaluated = _pictures(images, given, pixels or SOURCE_PIXELS, several=len(compared.names) > 1)
        _check_room(json_path, sheet_path, compared, [picture.shape[:2] for picture in evaluated.pictures])
    evaluator = Evaluator(compared)
    result, unseen = _measured(evaluator, evaluated, references, features, progress)
    found = findings(
        unseen["samples"],
        unseen["source"],
        cell=evaluated.cell,
        training=evaluated.training,
        halves=unseen.get("halves"),
    )
    evaluation = Evaluation(result, evaluated, unseen, found)
    if json_path:
        files.write(json_path, json.dumps(evaluation.to_dict(), indent=1, allow_nan=False) + "\n")
    if sheet_path:
        if (count := len(evaluated.pictures)) > MOST_SHOWN:
            logger.info("%s: shows the first %d of %d samples.", sheet_path, MOST_SHOWN, count)
        write(sheet_path, evaluator.sheet(evaluated.pictures[:MOST_SHOWN]))
    return evaluation


def _measured(
    evaluator: Evaluator, samples: Samples, references: bool, features: VggFeatures | None, display: bool
) -> tuple[Result, dict[str, comparison.Row]]:
    """The metrics of the samples; and those that no loss uses, of samples, sources and, if wanted, references."""
    sources, made = evaluator.sources.pictures, {"samples": samples.pictures}
    if samples.elsewhere:
        made["other windows"] = samples.elsewhere
    total = len(samples.pictures) + (comparison.parts(sources, made, features) if references else 1)
    with Progress(total, "comparisons", display=display, delay=SHORT_SECONDS) as compared:
        result = evaluate_samples(evaluator, samples.pictures, samples.several, compared.update)
        if references:
            return result, comparison.table(sources, made, samples.cell, features, compared.update)
        nearest = [evaluator.by_name[name] for name, _ in result.samples if name]
        own, source = comparison.without_weights(samples.pictures, nearest or sources, samples.cell)
        compared.update()
    return result, {"source": source, "samples": own}


def _check_numbers(samples: int | None, pixels: int | None) -> None:
    for name, value, least in (("samples", samples, 1), ("pixels", pixels, MIN_PIXELS)):
        if value is not None and value < least:
            raise SettingError(name, f"{value} is below {least}", f"choose {least} or more", settings=(name,))


def _output(name: str, file: str | Path | None) -> Path | None:
    """The path of a file that can be made there, as far as this can be known beforehand."""
    if file is None:
        return None
    path = Path(file).expanduser()
    if name == "sheet":
        check_suffix(path)
    elif path.suffix.lower() != ".json":
        raise SettingError(str(path), "the metrics are JSON", "let the name end in .json", settings=(name,))
    outputs.check(path, setting=name)
    return path


def _check_inputs(files: Sequence[Path | None], inputs: Sequence[str | Path]) -> None:
    """Raises PictureError where a metrics file or a sheet would replace what is read."""
    for name, path in zip(("json", "sheet"), files, strict=True):
        if path:
            outputs.check(path, inputs, name)


def _check_room(json_path: Path | None, sheet_path: Path | None, sources: Sources, extents: Sequence[Any]) -> None:
    """Raises InputError where the disk, or the format of the sheet, has no room for what will be written.

    Args:
      extents: heights and widths of the samples.
    """
    if json_path:
        needed, allowed = JSON_BYTES * (1 + len(extents)), "make room, or choose another folder"
        outputs.check_space(json_path, needed, allowed, ("json",))
    if sheet_path:
        height, width = sheet_extent(sources.pictures, extents[:MOST_SHOWN])
        outputs.check_picture(sheet_path, height, width, settings=("sheet", "pixels", "samples"))


def _paths(pictures: manifest.Manifest) -> list[str]:
    return [entry.path for entry in pictures.entries]


def _learned(folder: RunFolder) -> manifest.Manifest:
    """The pictures that a run learned."""
    found = folder.read_manifest()
    if not found.usable:
        problem = "manifest.json has no usable picture"
        raise RunError(str(folder.path), problem, "give sources", settings=("sources",))
    return found


def _sources(pictures: manifest.Manifest) -> Sources:
    if (count := len(pictures.usable)) > MAX_SOURCES:
        logger.info("sources: only the first %d of %d pictures are used.", MAX_SOURCES, count)
    try:
        return Sources.read(pictures)
    except ValueError as error:
        subject, _, rest = str(error).partition(": ")
        reason = rest.rpartition(";")[0] or rest.rstrip(".")
        raise PictureError(subject, reason, "put it back, or give other sources", settings=("sources",)) from None


def _extent(config: Config, samples: int | None, pixels: int | None, textures: Sequence[Texture]) -> tuple[int, int]:
    """Side of the windows of a run, and their number."""
    side = pixels or config.training.sample_pixels
    count = samples or max(config.training.samples, len(textures))
    if count * side**2 > LIMIT_PIXELS:
        problem = f"{count} of {side}x{side} pixels are more than {LIMIT_PIXELS} in all"
        raise SettingError("samples, pixels", problem, "choose fewer or smaller ones", settings=("samples", "pixels"))
    return side, count


class _Drawn(NamedTuple):
    """What windows are drawn of: a plane, where it is from, and how its training went."""

    plane: Plane
    origin: dict[str, Any]
    training: TrainingState | None
    maps: tuple[str, ...] = ()


def _of_run(folder: RunFolder, dtype: str, detail: str) -> _Drawn:
    generator, found = restore_generator(folder.path, dtype)
    plane = Plane.from_generator(generator, folder.path, detail)
    origin = {"run": str(folder.path), "step": found.step, "dtype": generator.compute_dtype}
    # With a detail stage the pixels are the photographs' after any training.
    training = None if plane.exemplar else TrainingState.from_metrics(folder.read_metrics(), found.step)
    return _Drawn(plane, origin, training)


def _of_model(name: str | Path, dtype: str) -> _Drawn:
    found = read_model(name, dtype)
    plane = Plane(found.folded, found.textures, exemplar=found.exemplar)
    origin = {"model": str(name), "step": found.about.get("step", 0), "dtype": found.folded.dtype}
    return _Drawn(plane, origin, None, found.folded.config.maps)


def _given(sources: Sequence[str | Path]) -> Sequence[str | Path]:
    """The sources, where there have to be some."""
    if not sources:
        allowed = "give pictures or folders to compare with"
        raise SettingError("sources", "missing", allowed, settings=("sources",))
    return sources


def _windows(
    drawn: _Drawn,
    side: int,
    count: int,
    seed: int,
    textures: Sequence[Texture],
    elsewhere: bool,
    display: bool,
) -> Samples:
    """Windows of planes; with `elsewhere` as many again, far away."""
    plane, several = drawn.plane, bool(drawn.plane.config.global_channels)
    if textures and not several:
        raise SettingError("texture", "the model has one texture only", "leave it out", settings=("texture",))
    pairs: list[tuple[int, Texture]] = [
        (seed + i, (textures[i % len(textures)] if textures else i) if several else 0) for i in range(count)
    ]
    places = [0, ELSEWHERE] if elsewhere else [0]
    made: dict[int, list[np.ndarray]] = {0: [], ELSEWHERE: []}
    with Progress(count * len(places), "windows", display=display, delay=SHORT_SECONDS) as done:
        for place, (s, t) in itertools.product(places, pairs):
            made[place].append(plane.window(height=side, width=side, top=place, left=place, seed=s, texture=t))
            done.update()
    labels = [{"seed": seed, "texture": texture, "pixels": [side, side]} for seed, texture in pairs]
    return Samples(made[0], labels, drawn.origin, several, made[ELSEWHERE], plane.pixels_per_cell, drawn.training)


def _pictures(paths: Sequence[str | Path], given: manifest.Manifest, pixels: int, several: bool) -> Samples:
    """The middles of given pictures."""
    entries = given.usable
    pictures = [central_crop(manifest.read(entry), pixels) for entry in entries]
    labels = [
        {"picture": entry.path, "sha256": entry.sha256, "pixels": list(picture.shape[:2])}
        for entry, picture in zip(entries, pictures, strict=True)
    ]
    return Samples(pictures, labels, {"images": [str(path) for path in paths]}, several)


def _scan(paths: Sequence[str | Path], name: str, maps: Sequence[str] = ()) -> manifest.Manifest:
    """The usable pictures among files and folders, without the maps of a material; logs which are skipped.

    Raises:
      InputError: there are none.
    """
    scanned = manifest.scan([str(path) for path in paths], name).entries
    entries = tuple(_checked(entry) for entry in scanned if not (maps and material.is_map(entry.path)))
    if not entries:
        allowed = f"name files, or folders with {', '.join(SUFFIXES)}"
        raise PictureError(name, "no pictures found", allowed, settings=(name,))
    found = manifest.Manifest(entries)
    if not found.usable:
        if len(entries) == 1:
            raise InputError(name, entries[0].reason.rstrip("."), settings=(name,))
        reasons = tuple(entry.reason for entry in entries)
        raise InputError(name, f"none of {len(entries)} pictures can be used", settings=(name,), details=reasons)
    for entry in found.skipped:
        logger.warning("skipped: %s", entry.reason)
    return found


def _checked(entry: manifest.Entry) -> manifest.Entry:
    """The entry, with a reason to skip it where it is too small."""
    if entry.reason or min(entry.height, entry.width) >= MIN_PIXELS:
        return entry
    extent, least = f"{entry.height}x{entry.width} pixels", f"{MIN_PIXELS}x{MIN_PIXELS}"
    return dataclasses.replace(entry, reason=f"{entry.path}: {extent} are too few to evaluate; give {least} or more.")


def _title(samples: Samples, sources: Sequence[str]) -> str:
    count, sizes = len(samples.pictures), {picture.shape[:2] for picture in samples.pictures}
    height, width = (max(extents) for extents in zip(*sizes, strict=True))
    what = f"{count} picture"
    if run := samples.origin.get("run") or samples.origin.get("model"):
        what = f"{Path(run).resolve().name} at step {samples.origin['step']}, {samples.origin['dtype']}: {count} sample"
    against = sources[0]
    if len(sources) > 1:
        how = "each sample with its nearest one" if samples.several else "all of one texture"
        against = f"{len(sources)} sources, {how}"
    at_most = "at most " if len(sizes) > 1 else ""
    return f"{what}{'s' * (count != 1)} of {at_most}{height}x{width} pixels\ncompared with {against}"


def _versions() -> dict[str, str]:
    modules = {"tensorflow": tf, "keras": keras, "numpy": np, "pillow": PIL}
    return {"tf_psgan": __version__} | {name: module.__version__ for name, module in modules.items()}
