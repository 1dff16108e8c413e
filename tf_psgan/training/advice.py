"""Settings for some pictures, chosen from what is measured in them, each with a reason; and what will not work.

Only what an experiment supports is chosen (docs/research/recipe.md and photographs.md); all other settings keep their
defaults.
"""

import dataclasses
import logging
import os
import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_psgan import config as configs
from tf_psgan.config import Config, ModelConfig, TrainingConfig
from tf_psgan.data import manifest
from tf_psgan.evaluation.evaluator import MAX_SOURCES
from tf_psgan.evaluation.texture_features import MIN_PIXELS
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import picture_analysis
from tf_psgan.training.gan_step import crop_pixels
from tf_psgan.training.picture_analysis import Measurements

ADAPTABLE = ("waves", "detail", "downsampling", "minutes")
"""Settings that follow from the pictures where nobody gives them."""

FEW_CROPS = 1.5
"""Sides in crops: a picture of at most so many has only two or so crops that differ."""

MAX_BRIGHTNESS_TREND, MAX_CONTRAST_TREND, MAX_SCALE_TREND = 1.0, 1.6, 1.5
"""Differences between quadrants above which a picture counts as uneven.

Of 34 textures, procedural and photographed, two are above the first, both lit from one side (2.2, 1.4), and none above
the others (1.5 and 1.3 at most). Of seven photographs of objects and persons all are above one of them."""

MAX_TEXT_LINES = 3
"""Lines above which a picture counts as writing. 34 textures, procedural and photographed, have none; pages of text
with letters of 10 to 32 pixels have 11 or more on 512 pixels."""

MAX_CLIPPED = 0.05
"""Share of the pixels with a clipped channel above which a picture counts as badly exposed."""

DETAIL_PIXELS = 160
"""Shorter side of the smallest picture that has enough pixels to copy from."""

UPPER_BOUND_MINUTES = 30.0
"""Limit of a run that ends when its metrics stop improving."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Choice:
    """A setting that was chosen, and why."""

    setting: str
    value: Any
    reason: str


@dataclasses.dataclass(frozen=True)
class Advice:
    """What `advice_for` found.

    config: the settings to train with.
    choices: those that were chosen from the pictures.
    warnings: what will not work, a sentence each.
    measured: per picture its path and measurements; empty where nothing was to be chosen.
    continues: whether settings that are not given are those of a run that has begun.
    """

    config: Config
    choices: tuple[Choice, ...] = ()
    warnings: tuple[str, ...] = ()
    measured: tuple[tuple[str, Measurements], ...] = ()
    continues: bool = False

    def log(self) -> None:
        """Logs two lines, what was chosen and why, and a warning for each of `warnings`."""
        told = [choice for choice in self.choices if choice.setting != "downsampling" or choice.value > 1]
        if told:
            logger.info("chosen from the pictures: %s.", ", ".join(_written(c.setting, c.value) for c in told))
            logger.info("because %s.", "; ".join(choice.reason for choice in told))
        for warning in self.warnings:
            logger.warning("%s", warning)

    def to_text(self) -> str:
        """All measurements, choices and warnings, a line each."""
        lines = [line for path, found in self.measured for line in _described(path, found)]
        chosen = {choice.setting: choice.reason for choice in self.choices}
        lines += ["settings:"]
        kept = "given, or the run's own" if self.continues else "given"
        for name in ADAPTABLE:
            lines.append(f"  {_written(name, _value(self.config, name))}: {chosen.get(name, kept)}")
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def advise(images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], config: Config | None = None) -> Config:
    """The settings for learning some pictures: those of `psgan train` without flags.

    Args:
      images: pictures and folders of pictures; the first 32 are measured.
      config: all other settings; the chosen ones are replaced. None for the defaults.

    Returns:
      The config with these pictures, ready for `train`.

    Raises:
      PictureError: no usable picture of 64 pixels a side or more.
    """
    paths = [images] if isinstance(images, str | os.PathLike) else images
    config = Config() if config is None else config
    data = dataclasses.replace(config.data, images=tuple(os.fspath(path) for path in paths))
    return advice_for(dataclasses.replace(config, data=data), given=()).config


def advice_for(
    config: Config, given: Collection[str], run_folder: Path | None = None, always_measure: bool = False
) -> Advice:
    """Chooses the adaptable settings that are not given. Writes nothing.

    Args:
      config: all settings; the values of `given` ones are kept.
      given: names of settings.
      run_folder: of the run. One that has begun keeps its own settings instead.
      always_measure: measures the pictures even where there is nothing to choose.

    Raises:
      PictureError: no usable picture of 64 pixels a side or more.
      RunError: the folder of a run is damaged.
    """
    configs.check(config)
    open_names = [name for name in ADAPTABLE if name not in given]
    if "detail" in given and config.rendering.detail == "none" and "downsampling" in open_names:
        open_names.remove("downsampling")  # chosen for the detail stage only
    folder = RunFolder(run_folder) if run_folder is not None else None
    continues = folder is not None and folder.has_begun()
    if folder and continues:
        before = folder.read_config()
        config, open_names = _replaced(config, {name: _value(before, name) for name in open_names}), []
    if not config.data.images or not (open_names or always_measure):
        return Advice(config, continues=continues)
    measured = _measured(config.data.images, config.model.maps)
    pictures = [found for _, found in measured]
    chosen = choices(pictures, config, open_names)
    config = _replaced(config, {choice.setting: choice.value for choice in chosen})
    return Advice(config, tuple(chosen), tuple(warnings_for(measured, config)), tuple(measured), continues)


def choices(pictures: Sequence[Measurements], config: Config, names: Collection[str] = ADAPTABLE) -> list[Choice]:
    """A choice for each of the adaptable settings `names`, from measurements and from all other settings."""
    found = []
    for choose in (_waves, _detail, _downsampling, _minutes):
        choice = choose(pictures, config)
        if choice.setting in names:
            found.append(choice)
            config = _replaced(config, {choice.setting: choice.value})
    return found


def warnings_for(pictures: Sequence[tuple[str, Measurements]], config: Config) -> list[str]:
    """What will not work with some pictures, given by path, and these settings."""
    found = []
    for path, picture in pictures:
        found += [f"{path}: {problem}" for problem in _problems(picture, config)]
    return found


def _waves(pictures: Sequence[Measurements], _: Config) -> Choice:
    # docs/research/recipe.md, "Initial wave numbers"; photographs that repeat nowhere are better without waves.
    default = ModelConfig().waves
    if not any(picture.period for picture in pictures):
        return Choice("waves", 0, f"{_them(pictures)} nowhere, and waves would draw bands")
    periods = [f"{picture.period:.0f}" for picture in pictures if picture.period]
    where = f"every {periods[0]} pixels" if len(pictures) == 1 else f"in {len(periods)} of {len(pictures)} pictures"
    return Choice("waves", default, f"{_them(pictures)} {where}, where waves keep the period")


def _detail(pictures: Sequence[Measurements], config: Config) -> Choice:
    if config.model.global_channels:
        return Choice("detail", "none", "the detail stage is for models of one texture")
    if config.model.maps:
        return Choice("detail", "none", "the detail stage copies colours only, without maps")
    if min(picture.side for picture in pictures) < DETAIL_PIXELS:
        return Choice("detail", "none", f"under {DETAIL_PIXELS} pixels a side there is little to copy from")
    return Choice("detail", "patches", "the pictures' own pixels are sharper than the network's")


def _downsampling(pictures: Sequence[Measurements], config: Config) -> Choice:
    # docs/research/photographs.md, "Large structures".
    if config.rendering.detail == "none":
        return Choice("downsampling", 1, "only the detail stage makes sharp pictures at another scale")
    structure = statistics.median(picture.structure for picture in pictures)
    crops = min(picture.side for picture in pictures) / (FEW_CROPS * crop_pixels(config))
    # Further pictures are not measured, and might be too small.
    factors = [factor for factor in (1, 2, 4) if factor == 1 or (factor < crops and len(pictures) < MAX_SOURCES)]
    largest = crop_pixels(config) / 2
    found = next((factor for factor in factors if structure <= largest * factor), factors[-1])
    reason = f"structures of about {structure:.0f} pixels "
    if structure <= largest:
        reason += "fit into a crop"
    elif found == 1:
        reason += "are large, but the reduced picture would hold few crops"
    elif structure <= largest * found:
        reason += f"fit into a crop of the picture reduced by {found}"
    else:
        reason += f"are large, and the picture can be reduced by {found} only"
    return Choice("downsampling", found, reason)


def _minutes(pictures: Sequence[Measurements], config: Config) -> Choice:
    # docs/research/measured.md: eight textures in one model 511 s, fifty-six an hour.
    default = TrainingConfig().minutes
    if config.training.until == "settled":
        return Choice("minutes", UPPER_BOUND_MINUTES, "the run ends before if its metrics stop improving")
    if config.training.steps:
        return Choice("minutes", 0.0, "the run ends after the steps that were asked for")
    if config.model.global_channels and len(pictures) > default:
        return Choice("minutes", float(len(pictures)), "several textures in one model need about a minute each")
    return Choice("minutes", default, "longer runs of one texture change little")


def _problems(picture: Measurements, config: Config) -> list[str]:
    crop, found = crop_pixels(config) * config.model.downsampling, []
    if picture.side <= FEW_CROPS * crop:
        found.append(
            f"{picture.height}x{picture.width} pixels hold few crops of {crop}x{crop}, which are learned by heart; "
            "use a larger picture."
        )
    if picture.structure > crop / 2:
        reduced = [round(extent * crop / 2 / picture.structure) for extent in (picture.height, picture.width)]
        remedy = f"reduce the picture to about {reduced[0]}x{reduced[1]} pixels"
        found.append(
            f"structures of about {picture.structure:.0f} pixels are larger than half a crop, {crop // 2} pixels, and "
            f"will be broken; {remedy if min(reduced) > FEW_CROPS * crop else 'use a picture that shows more of them'}."
        )
    if picture.text_lines > MAX_TEXT_LINES:
        found.append(
            f"it looks like {picture.text_lines} lines of writing; text cannot be learned, only something that looks "
            "like it."
        )
    if not config.model.global_channels and (trends := _trends(picture)):
        found.append(
            f"its quarters differ in {' and '.join(trends)}; perspective, objects and light from one side cannot be "
            "learned as a texture: cut out an even part."
        )
    if config.rendering.detail == "none" and max(picture.bright, picture.dark) > MAX_CLIPPED:
        share = max(picture.bright, picture.dark)
        found.append(f"{share:.0%} of the pixels are clipped in a channel; such light and shade is not reproduced.")
    return found


def _trends(picture: Measurements) -> list[str]:
    limits = {
        "brightness": (picture.brightness_trend, MAX_BRIGHTNESS_TREND),
        "contrast": (picture.contrast_trend, MAX_CONTRAST_TREND),
        "scale": (picture.scale_trend, MAX_SCALE_TREND),
    }
    return [name for name, (value, limit) in limits.items() if value > limit]


def _measured(images: Sequence[str], maps: Sequence[str]) -> list[tuple[str, Measurements]]:
    """The measurements of the first usable pictures, at most MAX_SOURCES, by path."""
    scanned = manifest.scan(images, limit=MAX_SOURCES, maps=maps)
    found = [
        (entry.path, picture_analysis.measure_material(manifest.read(entry, maps), maps))
        for entry in scanned.usable
        if min(entry.height, entry.width) >= MIN_PIXELS
    ]
    if not found:
        manifest.check(scanned, MIN_PIXELS)  # raises: none is usable
    return found


def _described(path: str, picture: Measurements) -> list[str]:
    vectors = " and ".join(f"({row:.1f}, {col:.1f})" for row, col in picture.lattice)
    repeats = f"every {picture.period:.1f} pixels" if picture.period else "nowhere"
    return [
        f"{path}: {picture.height}x{picture.width} pixels",
        f"  repeats: {repeats}{f'; lattice {vectors} (rows, columns)' if vectors else ''}",
        f"  structure: about {picture.structure:.0f} pixels",
        f"  exposure: {picture.bright:.1%} of the pixels clipped at white in a channel, {picture.dark:.1%} at black",
        f"  chroma: {picture.chroma:.0f} of 255{', grey' if picture.chroma < 1 else ''}",
        f"  anisotropy: {picture.anisotropy:.2f} (0: edges in all directions, 1: in one)",
        f"  quadrants: brightness differs by {picture.brightness_trend:.2f} standard deviations, contrast by a factor "
        f"of {picture.contrast_trend:.2f}, scale by {picture.scale_trend:.2f}",
        f"  lines of writing: {picture.text_lines or 'none'}",
    ]


def _them(pictures: Sequence[Measurements]) -> str:
    return "the picture repeats" if len(pictures) == 1 else "the pictures repeat"


def _written(setting: str, value: Any) -> str:
    return f"{setting}={value:g}" if isinstance(value, float) else f"{setting}={value}"


def _value(config: Config, name: str) -> Any:
    parts = (getattr(config, field.name) for field in dataclasses.fields(config))
    return next(getattr(part, name) for part in parts if hasattr(part, name))


def _replaced(config: Config, values: Mapping[str, Any]) -> Config:
    """The config with some settings replaced, whatever their sections."""
    parts = {}
    for field in dataclasses.fields(config):
        part = getattr(config, field.name)
        parts[field.name] = dataclasses.replace(part, **{n: v for n, v in values.items() if hasattr(part, n)})
    config = Config(**parts)
    configs.check(config)
    return config
