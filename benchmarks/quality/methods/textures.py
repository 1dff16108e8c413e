"""Loads the textures to compare, procedural ones by name and pictures by path, with source crop and lattice."""

from pathlib import Path

import numpy as np

from benchmarks.quality.methods.period_score import period_score
from benchmarks.quality.methods.sources import Source
from tf_psgan.data import images
from tf_psgan.data.picture_formats import SUFFIXES
from tf_psgan.evaluation import evaluator, texture_features
from tf_psgan.evaluation.lattice import lattice
from tf_psgan.procedural import catalogue
from tf_psgan.signal_processing import central_crop

SOURCE_SEED = 1
LATTICE_PIXELS = 1024


def load(spec: str, source_pixels: int) -> Source:
    """The texture with the name of a procedural texture or the path of a picture.

    Raises:
      ValueError: `spec` is neither, or the picture is unusable or smaller than `texture_features.MIN_PIXELS`.
    """
    if spec in catalogue.TEXTURES:
        whole = catalogue.make(spec, SOURCE_SEED)
        periods = np.array(catalogue.TEXTURES[spec].periods, float).reshape(-1, 2)
        return Source(spec, central_crop(whole, source_pixels), periods, made=spec)
    file = Path(spec).expanduser()
    if not file.is_file():
        names = ", ".join(catalogue.TEXTURES)
        raise ValueError(
            f"{spec!r}: neither a picture nor a procedural texture; correct the path or use one of {names}."
        )
    whole = images.decode(file)
    side = min(*whole.shape[:2], source_pixels)
    if side < texture_features.MIN_PIXELS:
        raise ValueError(f"{spec}: {whole.shape[0]}x{whole.shape[1]} pixels are too few; leave it out.")
    periods = lattice([central_crop(whole, LATTICE_PIXELS)])
    source = central_crop(whole, side)
    floor = evaluator.metric_floor([central_crop(whole, LATTICE_PIXELS)], side)
    # The period score of the whole picture; nan unless it is clearly larger than the source.
    floor |= {"period_score": period_score(whole, source, periods).score}
    return Source(file.name, source, periods, floor=evaluator.finite(floor))


def name_of(spec: str) -> str:
    """The name of a procedural texture, or the file name with suffix: `honeycomb` and `honeycomb.jpg` differ."""
    return spec if spec in catalogue.TEXTURES else Path(spec).name


def read_list(file: Path) -> list[str]:
    """The lines of a list: names of procedural textures, or paths relative to the list; # starts a comment."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"--list={file}: {error.strerror}; correct the name.") from None
    found = [line.partition("#")[0].strip() for line in lines]
    return [spec if spec in catalogue.TEXTURES else str((file.parent / spec).absolute()) for spec in found if spec]


def in_folder(folder: Path) -> list[str]:
    """The pictures of a folder without its subfolders, sorted by name."""
    if not folder.is_dir():
        raise ValueError(f"--folder={folder}: no folder; correct the name.")
    return [str(file.absolute()) for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES]
