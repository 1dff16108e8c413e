"""Every setting of a run, declared once: type, default and help in one line.

The absl flags (`flags.py`), a run's `config.json` and the description inside an
export are all made from these fields, so a default can never differ between
them. `check` refuses values out of range; JSON goes both ways.
"""

import dataclasses
import json
import math
import typing
from collections.abc import Container
from typing import Any, TypeVar

T = TypeVar("T")


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries its help text and its allowed values."""
    metadata = {"help": text, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What the networks look like (PSGAN, Bergmann et al. 2017, section 3)."""

    local_channels: int = setting(30, "Noise channels, drawn anew in every cell.", low=1, high=1024)
    global_channels: int = setting(
        0, "Channels of the global vector that says which texture it is; 0 for one texture.", low=0, high=1024
    )
    waves: int = setting(2, "Plane waves; 0 turns the periodic channels off (SGAN).", low=0, high=256)
    quadrature: bool = setting(True, "Hand each wave over as sine and cosine; without it as a sine, as in the paper.")
    wave_angles: str = setting(
        "any", "Directions that a wave may take: any, or axis (along rows and columns).", choices=("any", "axis")
    )
    wave_hidden: int = setting(60, "Hidden units of the MLP from global vector to wave numbers.", low=1, high=4096)
    filters: tuple[int, ...] = setting(
        (128, 64, 32), "Generator widths, input side first; one more layer makes the colours.", low=1, high=4096
    )
    discriminator_filters: tuple[int, ...] = setting(
        (16, 32, 64, 128), "Discriminator widths, picture side first; one more makes the score.", low=1, high=4096
    )
    kernel_size: int = setting(6, "Side of an up-convolution's kernel: 6, or the paper's 5.", low=5, high=6)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which pictures are learned, and how crops are cut from them."""

    images: tuple[str, ...] = setting((), "Pictures and folders of pictures to learn from, separated by commas.")
    crop_cells: int = setting(
        8, "Side of a training crop in cells of 2 pixels, doubled by each of --filters: 16.", low=2, high=256
    )
    batch_size: int = setting(4, "Crops in one training step.", low=1, high=4096)
    cache_megabytes: int = setting(
        1024, "Memory for decoded pictures; more pictures than fit take turns.", low=1, high=1 << 20
    )
    cache_refresh_steps: int = setting(500, "Steps between turns when the pictures do not all fit.", low=1)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the two networks are trained and what the run writes on its way."""

    seed: int = setting(1, "Every random number of the run follows from this.", low=0, high=2**62)
    steps: int = setting(0, "Stop after this many steps; 0 for no limit.", low=0)
    minutes: float = setting(4.0, "Stop after this many minutes of training; 0 for no limit.", low=0)
    dtype: str = setting(
        "auto",
        "Compute type: mixed_bfloat16, float32, or auto (bfloat16 where the GPU or the processor has it).",
        choices=("auto", "mixed_bfloat16", "float32"),
    )
    threads: int = setting(0, "Threads of TensorFlow; 0 for one a core. The exact bits depend on it.", low=0, high=1024)
    wave_init: str = setting(
        "source",
        "Where wave numbers start: source (the pictures' own lattice, or their spectrum) or paper (a fixed ladder).",
        choices=("source", "paper"),
    )
    conditioning: str = setting(
        "none",
        "What the networks are told of a crop: none, or its source: then texture N of the model is the N-th picture.",
        choices=("none", "source"),
    )
    updates: str = setting(
        "simultaneous",
        "One step updates both networks together, or alternating as in the paper.",
        choices=("simultaneous", "alternating"),
    )
    learning_rate: float = setting(2e-4, "Adam's rate, both networks.", low=0)
    beta_1: float = setting(0.5, "Adam's decay of the first moment.", low=0, high=0.999)
    wave_lr_multiplier: float = setting(
        0.05, "Learning rate of the wave numbers, as a multiple of --learning_rate.", low=0
    )
    l2: float = setting(1e-8, "L2 penalty on the kernels.", low=0)
    spectral_loss_weight: float = setting(
        4.0, "Weight of the distance of crops' power spectra and colours, full after 1000 steps; 0 for none.", low=0
    )
    r1: float = setting(1.0, "Weight of the R1 gradient penalty on real crops; 0 turns it off.", low=0)
    r1_interval: int = setting(16, "Steps between R1 penalties, each weighted by this number.", low=1)
    ema_decay: float = setting(0.9, "Decay of the running average of the generator's weights.", low=0, high=0.99999)
    max_nonfinite_steps: int = setting(
        20, "Steps in a row with gradients that are not finite before a roll-back.", low=1
    )
    checkpoint_minutes: float = setting(2.0, "Minutes between checkpoints; 0 for none by time.", low=0)
    checkpoint_steps: int = setting(0, "Steps between checkpoints, besides those by time; 0 for none.", low=0)
    max_to_keep: int = setting(3, "Checkpoints to keep.", low=1)
    evaluate_minutes: float = setting(0.5, "Minutes between previews with metrics; 0 for one at the end only.", low=0)
    samples: int = setting(8, "Pictures in a preview and in its metrics.", low=1, high=64)
    sample_pixels: int = setting(256, "Side of those pictures, in pixels.", low=64, high=4096)


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()


def check(config: Any) -> None:
    """Raises ValueError naming the first field outside its range, its value and the range."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            check(value)
            continue
        _check_type(field, value)
        for item in value if isinstance(value, tuple) else (value,):
            _check_range(field, item)


def to_json(config: Any) -> str:
    """A config as indented JSON; `from_dict` reads it back once it is parsed."""
    return json.dumps(dataclasses.asdict(config), indent=2, sort_keys=True) + "\n"


def from_dict(kind: type[T], values: Any) -> T:
    """A checked config from nested dicts, as parsed from what `to_json` wrote.

    Raises:
      ValueError: an unknown or a missing field, a wrong type or a value out of range.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{kind.__name__}: {values!r} is not an object of settings.")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    if unknown := sorted(values.keys() - fields.keys()):
        raise ValueError(f"{kind.__name__}: unknown setting {unknown[0]!r}; it has {', '.join(fields)}.")
    if missing := sorted(fields.keys() - values.keys()):
        raise ValueError(f"{kind.__name__}: setting {missing[0]!r} is missing.")
    read = {}
    for name, field in fields.items():
        value = values[name]
        if dataclasses.is_dataclass(field.type):
            value = from_dict(typing.cast(type, field.type), value)
        elif isinstance(value, list):
            value = tuple(value)
        read[name] = value
    config = kind(**read)
    check(config)
    return config


def difference(ours: Any, theirs: Any, ignored: Container[str] = ()) -> str:
    """The first field in which two configs of one kind differ, as 'name: a here, b'; '' when equal."""
    for field in dataclasses.fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if a != b and field.name not in ignored:
            return f"{field.name}: {a} here, {b}"
    return ""


def _check_type(field: dataclasses.Field, value: Any) -> None:
    expected: Any = typing.get_origin(field.type) or field.type
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{field.name}: {value!r} is not a finite number.")
    right = isinstance(value, expected) or (expected is float and isinstance(value, int))
    if right and expected is tuple:
        item_type = typing.get_args(field.type)[0]
        right = all(isinstance(item, item_type) and not isinstance(item, bool) for item in value)
    if not right or (isinstance(value, bool) and expected is not bool):
        raise ValueError(f"{field.name}: {value!r} is not a {getattr(field.type, '__name__', field.type)}.")


def _check_range(field: dataclasses.Field, value: Any) -> None:
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise ValueError(f"{field.name}: {value!r} is not one of {', '.join(choices)}.")
    if (low is not None and value < low) or (high is not None and value > high):
        if high is None:
            raise ValueError(f"{field.name}: {value!r} is below {low}; choose {low} or more.")
        raise ValueError(f"{field.name}: {value!r} is outside {low} .. {high}; choose a value inside.")
