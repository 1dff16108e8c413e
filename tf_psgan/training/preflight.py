"""What can be checked before a run trains: its settings, its pictures and its folder. Writes nothing."""

import logging
import math

from tf_psgan import geometry
from tf_psgan.config import Config
from tf_psgan.data import manifest
from tf_psgan.evaluation.texture_features import MIN_PIXELS
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device

logger = logging.getLogger(__name__)


def prepare(config: Config, folder: RunFolder) -> manifest.Manifest:
    """Checks everything that can be checked before training; the pictures, the usable ones and the skipped.

    Raises:
      ValueError: no limit on the run's length, sizes that do not fit, pictures that cannot be used, or a
        folder that cannot be this run's.
    """
    training = config.training
    if not training.steps and not training.minutes:
        raise ValueError("steps and minutes are both 0: a run needs an end; set --steps or --minutes.")
    if training.sample_pixels < MIN_PIXELS:
        raise ValueError(f"sample_pixels: {training.sample_pixels} are too few to judge; give {MIN_PIXELS} or more.")
    crop = crop_pixels(config)
    halvings = len(config.model.discriminator_filters) + 1
    if crop % 2**halvings:
        cells = config.data.crop_cells * 2**halvings // crop
        raise ValueError(
            f"crop_cells: crops of {crop} pixels do not halve {halvings} times; "
            f"let --crop_cells be a multiple of {cells} or give fewer --discriminator_filters."
        )
    if not config.data.images:
        raise ValueError("images: none named; give --images=PICTURE_OR_FOLDER[,...].")
    if training.conditioning == "class" and not config.model.global_channels:
        raise ValueError("conditioning: class, but no global vector to tell it by; give --global_channels, as in 32.")
    folder.check_place()
    folder.check_config(config)
    pictures = manifest.check(manifest.scan(config.data.images), crop)
    for entry in pictures.usable:
        if min(entry.height, entry.width) < MIN_PIXELS:
            raise ValueError(
                f"{entry.path}: {entry.height}x{entry.width} pixels are too few to judge samples by; "
                f"use pictures of {MIN_PIXELS}x{MIN_PIXELS} or more."
            )
    if training.conditioning == "class":
        _check_conditioning(config, pictures)
    folder.check_manifest(pictures)
    for entry in pictures.skipped:
        logger.warning("skipped: %s", entry.reason)
    return pictures


def _check_conditioning(config: Config, pictures: manifest.Manifest) -> None:
    """Raises ValueError where the pictures cannot be told apart."""
    count, megabytes = len(pictures.usable), 3 * sum(entry.height * entry.width for entry in pictures.usable) / 2**20
    if config.model.waves and config.model.wave_hidden < count:
        hidden = config.model.wave_hidden
        raise ValueError(f"wave_hidden: {hidden} units cannot keep {count} pictures' waves apart; give {4 * count}.")
    if megabytes > config.data.cache_megabytes:
        raise ValueError(
            f"conditioning: class needs all pictures in memory at once; give --cache_megabytes={math.ceil(megabytes)}."
        )


def describe(config: Config, pictures: manifest.Manifest) -> str:
    """A line on what is learned and how."""
    count, crop = len(pictures.usable), crop_pixels(config)
    dtype = device.compute_type(config.training.dtype)
    return (
        f"{count} picture{'s' * (count != 1)}, crops of {crop}x{crop} pixels, {config.data.batch_size} a step, {dtype}"
    )


def crop_pixels(config: Config) -> int:
    """Side of a training crop."""
    return config.data.crop_cells * geometry.pixels_per_cell(len(config.model.filters) + 1)
