"""Every setting of a run, declared once: type, default, range and help text.

The command-line flags, a run's `config.json`, the description inside an export and the documentation are all made from
these fields. JSON of older versions is migrated when it is read: renamed settings and values get their new names, and
settings that were added since get their defaults.
"""

import dataclasses
import json
import math
import typing
from collections.abc import Container
from typing import Any, TypeVar

from tf_psgan import material
from tf_psgan.errors import SettingError

T = TypeVar("T")

SCHEMA_VERSION = 5
"""Of the settings' names and meanings; in `config.json` and in exports. A file without one has version 1."""

RENAMED_SETTINGS = {
    "average": "ema_decay",
    "batch": "batch_size",
    "critic_filters": "discriminator_filters",
    "first_waves": "wave_init",
    "keep": "max_to_keep",
    "kernel": "kernel_size",
    "patience": "max_nonfinite_steps",
    "power": "spectral_loss_weight",
    "r1_every": "r1_interval",
    "turn_steps": "cache_refresh_steps",
    "wave_rate": "wave_lr_multiplier",
    "weight_decay": "l2",
}
"""Names of version 1, and what they are now."""

RENAMED_VALUES = {
    "conditioning": {"source": "class"},
    "updates": {"together": "simultaneous"},
}
"""Values of version 1, by the present name of their setting, and what they are now."""


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | tuple[int, ...] = (),
) -> Any:
    """A dataclass field that carries its help text and its allowed values."""
    metadata = {"help": text, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The two networks (PSGAN, Bergmann et al. 2017, section 3)."""

    local_channels: int = setting(30, "Channels of local noise, independent in every cell.", low=1, high=1024)
    global_channels: int = setting(
        0, "Channels of the global vector, which selects the texture; 0 for a model of one texture.", low=0, high=1024
    )
    waves: int = setting(2, "Plane waves of the periodic latents; 0 for a Spatial GAN without them.", low=0, high=256)
    quadrature: bool = setting(True, "Each wave as a sine and a cosine channel; otherwise a sine, as in the paper.")
    wave_angles: str = setting(
        "any", "Directions of waves: any, or axis for rows and columns only.", choices=("any", "axis")
    )
    wave_hidden: int = setting(
        60, "Hidden units of the MLP that maps the global vector to wave numbers.", low=1, high=4096
    )
    filters: tuple[int, ...] = setting(
        (128, 64, 32),
        "Filters of the generator's hidden layers, input first; one more layer makes the colours.",
        low=1,
        high=4096,
    )
    discriminator_filters: tuple[int, ...] = setting(
        (16, 32, 64, 128),
        "Filters of the discriminator's hidden layers, picture first; one more layer makes the score.",
        low=1,
        high=4096,
    )
    downsampling: int = setting(
        1,
        "Learn the pictures reduced by this factor, 1, 2 or 4, for structures larger than half a crop; the plane has "
        "their own scale again.",
        choices=(1, 2, 4),
    )
    kernel_size: int = setting(6, "Kernel size of the up-convolutions: 6, or 5 as in the paper.", low=5, high=6)
    maps: tuple[str, ...] = setting(
        (),
        "Maps of a material that are learned with its colours: normal, height, roughness, metalness, occlusion. Each "
        "is of the same size beside the colours: stone_normal.png beside stone.png.",
        choices=tuple(material.MAPS),
    )


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The training pictures and the crops that are cut from them."""

    images: tuple[str, ...] = setting((), "Pictures and folders of pictures to learn from, separated by commas.")
    crop_cells: int = setting(
        8,
        "Height and width of a training crop in latent cells; a cell has 2 pixels, doubled by each entry of filters.",
        low=2,
        high=256,
    )
    batch_size: int = setting(4, "Crops per training step.", low=1, high=4096)
    cache_megabytes: int = setting(
        1024,
        "Memory of the image cache. Pictures that do not fit at once are loaded in rotation.",
        low=1,
        high=1 << 20,
    )
    cache_refresh_steps: int = setting(
        500, "Steps between refreshes of the image cache when the pictures do not all fit.", low=1
    )


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the two networks are trained, and what the run writes meanwhile."""

    seed: int = setting(1, "Seed of all random numbers of the run.", low=0, high=2**62)
    steps: int = setting(0, "Stop after this many steps; 0 for no limit.", low=0)
    minutes: float = setting(4.0, "Stop after this many minutes of training; 0 for no limit.", low=0)
    until: str = setting(
        "limit",
        "End at the limit of steps or minutes (limit), or before it when the metrics stop improving (settled).",
        choices=("limit", "settled"),
    )
    dtype: str = setting(
        "auto",
        "Compute type: mixed_bfloat16, float32, or auto (bfloat16 where the hardware supports it natively).",
        choices=("auto", "mixed_bfloat16", "float32"),
    )
    threads: int = setting(
        0, "Threads of TensorFlow; 0 for one per core. The exact bits depend on their number.", low=0, high=1024
    )
    wave_init: str = setting(
        "source",
        "Initial wave numbers: source (from the lattice or the spectrum of the pictures) or paper (fixed).",
        choices=("source", "paper"),
    )
    conditioning: str = setting(
        "none",
        "Condition both networks: none, or class (the picture that a crop is from; texture N is the N-th picture).",
        choices=("none", "class"),
    )
    updates: str = setting(
        "simultaneous",
        "Update both networks in one step (simultaneous), or in turn as in the paper (alternating).",
        choices=("simultaneous", "alternating"),
    )
    learning_rate: float = setting(2e-4, "Adam's learning rate, for both networks.", low=0)
    beta_1: float = setting(0.5, "Adam's decay of the first moment.", low=0, high=0.999)
    wave_lr_multiplier: float = setting(
        0.05, "Learning rate of the wave numbers, as a multiple of learning_rate.", low=0
    )
    l2: float = setting(1e-8, "Weight of the L2 penalty on kernels.", low=0)
    spectral_loss_weight: float = setting(
        4.0,
        "Weight of the distance between the power spectra and colours of real and generated crops, reached after "
        "1000 steps; 0 for none.",
        low=0,
    )
    r1: float = setting(1.0, "Weight of the R1 gradient penalty on real crops; 0 for none.", low=0)
    r1_interval: int = setting(16, "Steps between R1 penalties, each weighted by this number.", low=1)
    ema_decay: float = setting(
        0.9, "Decay of the exponential moving average of the generator's weights.", low=0, high=0.99999
    )
    max_nonfinite_steps: int = setting(
        20, "Consecutive steps with gradients that are not finite before the run goes back to a checkpoint.", low=1
    )
    checkpoint_minutes: float = setting(2.0, "Minutes between checkpoints; 0 for none by time.", low=0)
    checkpoint_steps: int = setting(0, "Steps between checkpoints, besides those by time; 0 for none.", low=0)
    max_to_keep: int = setting(3, "Checkpoints to keep.", low=1)
    evaluate_minutes: float = setting(0.5, "Minutes between previews with metrics; 0 for one at the end only.", low=0)
    samples: int = setting(8, "Samples in a preview and in its metrics.", low=1, high=64)
    sample_pixels: int = setting(256, "Height and width of these samples in pixels.", low=64, high=4096)


@dataclasses.dataclass(frozen=True)
class RenderingConfig:
    """How pictures are made from the generator's."""

    detail: str = setting(
        "none",
        "Detail stage: patches (the generator's picture guides the copying of the photographs' own pixels), or none.",
        choices=("none", "patches"),
    )


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
    rendering: RenderingConfig = RenderingConfig()


def check(config: Any) -> None:
    """Raises SettingError for the first field out of its range, with its value and the range."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            check(value)
            continue
        _check_type(field, value)
        if value == () and field.metadata["low"] is not None:
            raise _error(field, value, "is empty", "give one number or more, as in 64,32")
        for item in value if isinstance(value, tuple) else (value,):
            _check_range(field, item)


def without_effect(config: Config, fits: bool) -> dict[str, str]:
    """The settings that differ from their defaults and change nothing beside the others, each with the reason.

    Args:
      fits: whether the image cache holds all pictures at once.
    """
    model, data, training = config.model, config.data, config.training
    reasons: dict[str, str] = {}
    if not model.waves:
        unused = ("quadrature", "wave_angles", "wave_hidden", "wave_init", "wave_lr_multiplier")
        reasons |= dict.fromkeys(unused, "waves is 0")
    elif not model.global_channels:
        reasons["wave_hidden"] = "global_channels is 0"
    if not training.r1:
        reasons["r1_interval"] = "r1 is 0"
    if fits:
        reasons["cache_refresh_steps"] = "all pictures fit into cache_megabytes at once"
    changed = {
        field.name
        for section in (model, data, training)
        for field in dataclasses.fields(section)
        if getattr(section, field.name) != field.default
    }
    return {name: reason for name, reason in reasons.items() if name in changed}


def check_maps(model: ModelConfig) -> None:
    """Raises SettingError for a map that is given twice."""
    if twice := sorted({name for name in model.maps if model.maps.count(name) > 1}):
        raise SettingError("maps", f"{twice[0]} is given twice", "give it once", value=model.maps, settings=("maps",))


def check_map(model: ModelConfig, name: str) -> None:
    """Raises SettingError where a model has no map of that name; "colour" is what each has."""
    if name not in (material.COLOUR, *model.maps):
        allowed = f"choose {' or '.join((material.COLOUR, *model.maps))}" if model.maps else "leave it out"
        raise SettingError("map", f"the model has no map {name!r}", allowed, value=name, settings=("map",))


def check_detail(model: ModelConfig) -> None:
    """Raises SettingError for a model that the detail stage cannot be used with."""
    if model.maps:
        raise SettingError(
            "detail",
            f"patches copies colours only, and the model has maps ({', '.join(model.maps)})",
            "choose none",
            value="patches",
            settings=("detail", "maps"),
        )
    if model.global_channels:
        raise SettingError(
            "detail",
            f"patches copies from all photographs alike, and the model has several textures (global_channels="
            f"{model.global_channels})",
            "choose none",
            value="patches",
            settings=("detail", "global_channels"),
        )


def to_json(config: Any) -> str:
    """A config as indented JSON, a whole `Config` with its schema version; `from_dict` reads it once it is parsed."""
    values = dataclasses.asdict(config)
    if isinstance(config, Config):
        values["schema_version"] = SCHEMA_VERSION
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def from_dict(kind: type[T], values: Any, schema_version: int = SCHEMA_VERSION) -> T:
    """A checked config from nested dicts, as parsed from what `to_json` wrote now or in an older version.

    Args:
      kind: `Config` or one of its sections.
      values: of the fields. A whole `Config` carries its own schema version; without one it is version 1.
      schema_version: of a section. In an older one names are migrated, and fields that are missing get their defaults.

    Raises:
      SettingError: a newer schema, an unknown or a missing field, a wrong type or a value out of range.
    """
    if not isinstance(values, dict):
        raise SettingError(kind.__name__, f"{values!r} is not an object of settings", value=values)
    values = dict(values)
    if kind is Config:
        schema_version = values.pop("schema_version", 1)
    check_schema(schema_version)
    if schema_version < SCHEMA_VERSION:
        values = _migrated(values)
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    if unknown := sorted(values.keys() - fields.keys()):
        raise SettingError(kind.__name__, f"unknown setting {unknown[0]!r}", f"it has {', '.join(fields)}")
    read = {}
    for name, field in fields.items():
        if name not in values:
            if schema_version < SCHEMA_VERSION:
                continue
            raise SettingError(kind.__name__, f"setting {name!r} is missing")
        value = values[name]
        if dataclasses.is_dataclass(field.type):
            value = from_dict(typing.cast(type, field.type), value, schema_version)
        elif isinstance(value, list):
            value = tuple(value)
        read[name] = value
    config = kind(**read)
    check(config)
    return config


def check_schema(version: Any) -> None:
    """Raises SettingError for a schema version of files that this version of the package cannot read."""
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise SettingError(
            "schema_version",
            f"{version!r} is unknown",
            f"this version reads 1 to {SCHEMA_VERSION}; use a newer version of tf_psgan",
            value=version,
        )


def difference(ours: Any, theirs: Any, ignored: Container[str] = ()) -> str:
    """The first field in which two configs of one kind differ, as 'name: a here, b'; '' when equal."""
    for field in dataclasses.fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if a != b and field.name not in ignored:
            return f"{field.name}: {a} here, {b}"
    return ""


def _migrated(values: dict[str, Any]) -> dict[str, Any]:
    """Values of version 1 by their present names."""
    renamed = {RENAMED_SETTINGS.get(name, name): value for name, value in values.items()}
    return {
        name: RENAMED_VALUES[name].get(value, value) if name in RENAMED_VALUES and isinstance(value, str) else value
        for name, value in renamed.items()
    }


def _check_type(field: dataclasses.Field, value: Any) -> None:
    expected: Any = typing.get_origin(field.type) or field.type
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(field, value, "is not a finite number")
    right = isinstance(value, expected) or (expected is float and isinstance(value, int))
    if right and expected is tuple:
        item_type = typing.get_args(field.type)[0]
        right = all(isinstance(item, item_type) and not isinstance(item, bool) for item in value)
    if not right or (isinstance(value, bool) and expected is not bool):
        raise _error(field, value, f"is not a {getattr(field.type, '__name__', field.type)}")


def _check_range(field: dataclasses.Field, value: Any) -> None:
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise _error(field, value, f"is not one of {', '.join(map(str, choices))}", "choose one of them")
    if (low is not None and value < low) or (high is not None and value > high):
        if high is None:
            raise _error(field, value, f"is below {low}", f"choose {low} or more")
        raise _error(field, value, f"is outside {low} .. {high}", "choose a value inside")


def _error(field: dataclasses.Field, value: Any, problem: str, allowed: str = "") -> SettingError:
    return SettingError(field.name, f"{value!r} {problem}", allowed, value=value, settings=(field.name,))
