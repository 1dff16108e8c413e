"""Dataclass fields to absl flags and back: default, help and range of a setting are declared once, at its field."""

import dataclasses
import os
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from tf_psgan import config as configs
from tf_psgan import material
from tf_psgan.cli import renamed
from tf_psgan.errors import SettingError
from tf_psgan.pretrained import Pretrained
from tf_psgan.runtime import files

T = typing.TypeVar("T")

SECTIONS: dict[str, type] = {
    "model": configs.ModelConfig,
    "data": configs.DataConfig,
    "training": configs.TrainingConfig,
    "rendering": configs.RenderingConfig,
}
_PATHS = ("run", "out", "images", "sources", "paint", "like", "vgg", "json", "sheet", "onnxruntime_web")
"""Flags whose values are paths of files and folders."""

_REMOTE = ("part", "engine")
"""Flags beside which --out may be an address."""

_KINDS = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "integers": "integers, as in 64,32",
}


def define(values: flags.FlagValues, kind: type) -> None:
    """One flag for each field of a dataclass of settings."""
    for field in dataclasses.fields(kind):
        _define(values, field)


def read(values: flags.FlagValues, kind: type[T]) -> T:
    """The dataclass as the flags give it.

    Raises:
      ValueError: a value is out of range.
    """
    items = {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        value = values[field.name].value
        items[field.name] = tuple(value) if isinstance(value, list) else value
    settings = kind(**items)
    configs.check(settings)
    return settings


def define_config(values: flags.FlagValues) -> None:
    """One flag for each setting of a run."""
    for kind in SECTIONS.values():
        define(values, kind)


def read_config(values: flags.FlagValues) -> configs.Config:
    """The settings of a run as the flags give them.

    Raises:
      ValueError: a value is out of range.
    """
    return configs.Config(**{section: read(values, kind) for section, kind in SECTIONS.items()})


def given_settings(values: flags.FlagValues) -> set[str]:
    """The names of the settings of a run that the command line, a flag file or a preset gives."""
    return set().union(*(given(values, kind) for kind in SECTIONS.values()))


def given(values: flags.FlagValues, kind: type) -> set[str]:
    """The fields of a dataclass of settings that the command line or a flag file gives."""
    return {field.name for field in dataclasses.fields(typing.cast(Any, kind)) if values[field.name].present}


def define_device(values: flags.FlagValues) -> None:
    """The flag that chooses between GPU and processor."""
    text = "Where to compute: gpu, cpu, or auto for a GPU where TensorFlow finds one."
    flags.DEFINE_enum("device", "auto", ["auto", "cpu", "gpu"], text, flag_values=values)


def define_run(values: flags.FlagValues) -> None:
    """The flags of a program that reads a trained run."""
    kinds = ["auto", "float32", "mixed_bfloat16"]
    text = "Compute type; auto is bfloat16 where the hardware multiplies it natively."
    flags.DEFINE_string("run", None, "The folder of the run.", flag_values=values)
    flags.DEFINE_enum("dtype", "auto", kinds, text, flag_values=values)
    text = "Detail stage: patches, none, or auto for the run's own setting."
    flags.DEFINE_enum("detail", "auto", ["auto", "patches", "none"], text, flag_values=values)
    define_device(values)


def define_model(values: flags.FlagValues) -> None:
    """The flag of a program that also reads ready-made models."""
    text = (
        "Instead of --run, a ready-made model: the name of one that comes with the package, a folder that export "
        "--weights made, or hf://OWNER/NAME."
    )
    flags.DEFINE_string("model", None, text, flag_values=values)


def define_map(values: flags.FlagValues) -> None:
    """The flag that chooses a picture of a material."""
    text = "Of a material: the map to make instead of its colours, for example normal."
    flags.DEFINE_enum("map", material.COLOUR, [material.COLOUR, *material.MAPS], text, flag_values=values)


def source(values: flags.FlagValues) -> Path | Pretrained:
    """The run or the ready-made model that a program reads.

    Raises:
      SettingError: neither or both are given, or a flag that says nothing of a ready-made model.
    """
    if not values.model:
        return path(values, "run")
    for name in ("run", "detail"):
        if values[name].present:
            raise SettingError(name, "says nothing beside --model", "leave one of them out")
    return Pretrained(values.model)


def path(values: flags.FlagValues, name: str) -> Path:
    """The path that a required flag gives, with ~ as the user's home.

    Raises:
      SettingError: the flag is not given.
    """
    value: Any = values[name].value
    if not value:
        raise SettingError(name, "missing", f"give --{name}=PATH")
    return Path(value).expanduser()


def path_or_address(values: flags.FlagValues, name: str) -> Path | str:
    """As `path`, or an address as it is."""
    value: Any = values[name].value
    return value if files.scheme(value or "") else path(values, name)


def check_paths(values: flags.FlagValues) -> None:
    """Checks what flags give as paths, before anything is read.

    Raises:
      SettingError: an address instead of a path, or a name with a comma that was read as several names.
    """
    for name in _PATHS:
        given: Any = values[name].value if name in values else None
        items = given if isinstance(given, list) else [given or ""]
        for first, item in enumerate(items):
            scheme = files.scheme(item)
            if scheme and name == "out" and any(other in values and values[other].value for other in _REMOTE):
                continue
            if scheme:
                allowed = f"files are not read from or written to {scheme} addresses; give a path"
                raise SettingError(name, f"{item!r} is not on this machine", allowed, value=item)
            if os.path.lexists(os.path.expanduser(item)):
                continue
            for last in range(first + 2, len(items) + 1):
                for separator in (",", ", "):
                    joined = separator.join(items[first:last])
                    if os.path.lexists(os.path.expanduser(joined)):
                        allowed = f"""write --{name}='"{joined}"' (in a flag file --{name}="{joined}")"""
                        raise SettingError(name, f"{joined!r} was read as {last - first} names", allowed, value=items)


def parse(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
    """Reads a command line into the flags, with flag files, presets and old names.

    Args:
      argv: the program's name and its arguments.

    Returns:
      The arguments that are no flags.

    Raises:
      ValueError, absl.flags.Error: a wrong argument, in words for a user.
    """
    try:
        return values([argv[0], *renamed.expanded(values, argv[1:])])[1:]
    except flags.IllegalFlagValueError as error:
        given = str(error).partition(": ")[0].removeprefix("flag ")
        flag = values[given.removeprefix("--").partition("=")[0]]
        wanted = _KINDS.get(flag.flag_type()) or str(error).partition(": ")[2]
        raise ValueError(f"{given}: {'give ' if flag.flag_type() in _KINDS else ''}{wanted}.") from None
    except flags.UnrecognizedFlagError as error:
        raise ValueError(f"{str(error).replace(' ?', '?')} (--help lists all flags)") from None
    except flags.CantOpenFlagFileError as error:
        reason = error.__context__
        if isinstance(reason, OSError):
            raise ValueError(f"--flagfile={reason.filename}: {reason.strerror}; correct the name.") from None
        raise
    except UnicodeDecodeError:
        raise ValueError("--flagfile: not a text file; give one with a --name=value on each line.") from None


def describe(usage: str, values: flags.FlagValues) -> str:
    """The text of `--help`: the program's own flags, then the settings of a run by section where it has all of them."""
    every = {name: [field.name for field in dataclasses.fields(kind)] for name, kind in SECTIONS.items()}
    sections = {name: names for name, names in every.items() if all(field in values for field in names)}
    of_sections = {name for names in sections.values() for name in names}
    own = [name for name in values if name not in of_sections and name not in ("flagfile", "undefok", "h")]
    lines = [usage]
    for section, names in ({"": own} | sections).items():
        shown = [name for name in names if name in values]
        lines += ["", f"{section.capitalize()}:"] if section and shown else [""] if shown else []
        for name in shown:
            lines += [f"  {_synopsis(values[name])}", f"      {values[name].help}"]
        if not section:
            text = "Reads flags from a file, one --name=value on each line; # starts a comment. Later flags win."
            lines += ["  --flagfile=FILE", f"      {text}"]
    return "\n".join(lines)


class _Integers(flags.ArgumentParser):
    """Integers separated by commas."""

    def parse(self, argument: Any) -> list[int]:
        """The list of integers; ValueError for anything else."""
        items = argument if isinstance(argument, list) else argument.split(",") if argument else []
        return [int(item) for item in items]

    def flag_type(self) -> str:
        """The kind of value, a key of `_KINDS`."""
        return "integers"


def _define(values: flags.FlagValues, field: dataclasses.Field) -> None:
    kind, text, choices = field.type, field.metadata["help"], field.metadata["choices"]
    default: Any = field.default
    where: Mapping[str, Any] = {"flag_values": values}
    if choices and kind is str:
        flags.DEFINE_enum(field.name, default, choices, text, **where)
    elif kind is bool:
        flags.DEFINE_bool(field.name, default, text, **where)
    elif kind is int:
        flags.DEFINE_integer(field.name, default, text, **where)
    elif kind is float:
        flags.DEFINE_float(field.name, default, text, **where)
    elif kind is str:
        flags.DEFINE_string(field.name, default, text, **where)
    elif typing.get_args(kind)[0] is int:
        joined = [str(item) for item in default]
        flags.DEFINE(_Integers(), field.name, joined, text, serializer=flags.ListSerializer(","), **where)
    else:
        flags.DEFINE_list(field.name, list(default), text, **where)


def _synopsis(flag: flags.Flag) -> str:
    """How a flag is written, with its default."""
    default = flag.default
    if flag.boolean:
        return f"--[no]{flag.name}  (default: {'yes' if default else 'no'})"
    if isinstance(default, list):
        return f"--{flag.name}={','.join(str(item) for item in default)}"
    return f"--{flag.name}={'' if default is None else default}"
