"""Checks before a run trains: its settings, its pictures and its folder. Writes nothing."""

import logging
import math

from tf_psgan.config import Config, check_detail, check_maps, without_effect
from tf_psgan.data import manifest
from tf_psgan.data.image_cache import decoded_bytes
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.evaluation.texture_features import MIN_PIXELS
from tf_psgan.runs import outputs
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.training.gan_step import crop_pixels

logger = logging.getLogger(__name__)


def prepare(config: Config, folder: RunFolder) -> manifest.Manifest:
    """Checks everything that can be checked before training.

    Returns:
      The pictures, both the usable and the skipped ones. A warning is logged for each skipped one, and one about
      settings that have no effect beside the others.

    Raises:
      SettingError: the run would not end, or settings do not go together.
      PictureError: a picture is too small to measure samples against.
      InputError: pictures that cannot be used, or a folder that cannot be this run's.
    """
    _check_settings(config)
    folder.check_place()
    outputs.check_owner(folder.path, "run")
    outputs.check_apart(folder.path, config.data.images)
    folder.check_config(config)
    factor = config.model.downsampling
    least = MIN_PIXELS * factor
    pictures = manifest.check(manifest.scan(config.data.images, maps=config.model.maps), crop_pixels(config) * factor)
    if small := [entry for entry in pictures.usable if min(entry.height, entry.width) < least]:
        found = [f"{entry.path}: {entry.height}x{entry.width} pixels" for entry in small]
        problem, allowed = "too few to measure samples against", f"use pictures of {least}x{least} or more"
        if len(small) == 1:
            path, _, extent = found[0].rpartition(": ")
            raise PictureError(path, f"{extent} are {problem}", allowed, value=(small[0].height, small[0].width))
        details = tuple(f"{line}." for line in found)
        raise PictureError(
            "images", f"{len(small)} pictures have pixels {problem}", allowed, settings=("images",), details=details
        )
    if is_class_conditional(config):
        _check_classes(config, pictures)
    folder.check_manifest(pictures)
    for entry in pictures.skipped:
        logger.warning("skipped: %s", entry.reason)
    fits = decoded_bytes(pictures.usable, factor, config.model.maps) <= config.data.cache_megabytes * 2**20
    if unused := without_effect(config, fits):
        logger.warning("without effect: %s.", ", ".join(f"{name} ({reason})" for name, reason in unused.items()))
    return pictures


def is_class_conditional(config: Config) -> bool:
    """Whether each picture is a class of its own."""
    return config.training.conditioning == "class"


def describe(config: Config, pictures: manifest.Manifest) -> str:
    """What is learned and how, as in "3 pictures, crops of 128x128 pixels, 4 per step, mixed_bfloat16"."""
    count, crop = len(pictures.usable), crop_pixels(config)
    dtype = device.compute_type(config.training.dtype)
    many = f"{count} picture{'s' * (count != 1)}"
    if maps := config.model.maps:
        many += f" with {', '.join(maps)}"
    if config.model.downsampling > 1:
        many += f" reduced by {config.model.downsampling}"
    return f"{many}, crops of {crop}x{crop} pixels, {config.data.batch_size} per step, {dtype}"


def _check_settings(config: Config) -> None:
    training, data = config.training, config.data
    check_maps(config.model)
    if not training.steps and not training.minutes:
        problem = "both are 0, so the run would not end"
        raise SettingError("steps and minutes", problem, "set one of them", settings=("steps", "minutes"))
    if training.until == "settled" and not training.evaluate_minutes:
        raise SettingError(
            "until",
            "'settled' needs evaluations on the way, and evaluate_minutes is 0",
            "choose evaluate_minutes, for instance 0.5",
            value=training.until,
            settings=("evaluate_minutes", "until"),
        )
    if training.sample_pixels < MIN_PIXELS:
        raise SettingError(
            "sample_pixels",
            f"{training.sample_pixels} are too few to measure",
            f"choose {MIN_PIXELS} or more",
            value=training.sample_pixels,
            settings=("sample_pixels",),
        )
    crop, halvings = crop_pixels(config), len(config.model.discriminator_filters) + 1
    if crop % 2**halvings:
        cells = data.crop_cells * 2**halvings // crop
        raise SettingError(
            "crop_cells",
            f"the discriminator halves crops {halvings} times, and {crop} pixels cannot be halved that often",
            f"choose a multiple of {cells}, or fewer discriminator_filters",
            value=data.crop_cells,
            settings=("crop_cells", "discriminator_filters"),
        )
    if not data.images:
        raise SettingError("images", "none are given", "name pictures or folders of pictures", settings=("images",))
    if is_class_conditional(config) and not config.model.global_channels:
        raise SettingError(
            "conditioning",
            "class needs a global vector, and global_channels is 0",
            "choose global_channels, for instance 32",
            value=training.conditioning,
            settings=("global_channels", "conditioning"),
        )
    if config.model.global_channels and config.model.downsampling > 1:
        raise SettingError(
            "downsampling",
            f"{config.model.downsampling} is for models of one texture, and global_channels is "
            f"{config.model.global_channels}",
            "choose 1",
            value=config.model.downsampling,
            settings=("downsampling", "global_channels"),
        )
    if config.rendering.detail != "none":
        check_detail(config.model)


def _check_classes(config: Config, pictures: manifest.Manifest) -> None:
    """Raises SettingError where the settings do not suffice for a class for each picture."""
    count = len(pictures.usable)
    megabytes = decoded_bytes(pictures.usable, config.model.downsampling, config.model.maps) / 2**20
    if config.model.waves and config.model.wave_hidden < count:
        hidden = config.model.wave_hidden
        raise SettingError(
            "wave_hidden",
            f"{hidden} units are too few for the wave numbers of {count} classes",
            f"choose {4 * count}",
            value=hidden,
            settings=("wave_hidden",),
        )
    if megabytes > config.data.cache_megabytes:
        raise SettingError(
            "cache_megabytes",
            f"{config.data.cache_megabytes} cannot hold all pictures at once, which conditioning=class needs",
            f"choose {math.ceil(megabytes)} or more",
            value=config.data.cache_megabytes,
            settings=("cache_megabytes",),
        )
