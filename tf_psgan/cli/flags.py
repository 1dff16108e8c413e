"""The edge: config fields -> absl flags -> config, one-line errors and exit codes.

A user's mistake prints one line that names the thing, its value and the remedy, and exits
with 2; `--help` shows every flag with its default and exits with 0. With TF_PSGAN_DEBUG=1
in the environment an error shows where it came from instead.
"""

import dataclasses
import os
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from tf_psgan import config as configs
from tf_psgan.rendering.request import Request
from tf_psgan.runtime import threads
from tf_psgan.runtime.stderr import filtered_stderr as filtered_stderr  # scripts import TensorFlow inside it
from tf_psgan.runtime.stderr import logged_to_stderr

T = typing.TypeVar("T")

SECTIONS: dict[str, type] = {
    "model": configs.ModelConfig,
    "data": configs.DataConfig,
    "training": configs.TrainingConfig,
}
LONGEST_MESSAGE = 600
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "integers": "whole numbers, as in 64,32",
}


def run(argv: Sequence[str], usage: str, define: Callable[[flags.FlagValues], None], main: Callable[[Any], str]) -> int:
    """Parses a command line, calls `main` with the flags and prints its result as the last line.

    Args:
      argv: the program's name and its arguments.
      usage: a line or two for `--help`.
      define: adds the program's flags.
      main: does the work and returns what to print.

    Returns:
      The exit code: 0; 2 for a user's mistake; 1 where the machine or the training failed.
    """
    values = flags.FlagValues()
    define(values)
    threads.set_defaults()
    flags.DEFINE_bool("help", False, "Shows this text.", short_name="h", flag_values=values)
    try:
        rest = _parse(values, argv)
        if values.help:
            print(describe(usage, values))
            return 0
        if rest:
            raise ValueError(f"{rest[0]!r}: not a flag; write --name=value (in a flagfile too).")
        with logged_to_stderr():
            result = main(values)
        print(result, flush=True)
        return 0
    except KeyboardInterrupt as error:
        return _fail(str(error) or "stopped by the keyboard.", 130)
    except Exception as error:
        if os.environ.get("TF_PSGAN_DEBUG"):
            raise
        if isinstance(error, flags.Error | ValueError):
            return _fail(str(error), 2)
        if isinstance(error, OSError) and error.filename and error.strerror:
            return _fail(f"{error.filename}: {error.strerror}.", 1)
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
            reason = str(error).partition("\n")[0][:200]
            return _fail(f"not enough memory ({reason}); ask for less at a time.", 1)
        if isinstance(error, OSError | ArithmeticError):
            return _fail(str(error), 1)
        return _fail(f"{type(error).__name__}: {error} (TF_PSGAN_DEBUG=1 shows where)", 1)


def define_config(values: flags.FlagValues) -> None:
    """One flag for each setting of a run."""
    _define_settings(values, *SECTIONS.values())


def define_request(values: flags.FlagValues) -> None:
    """One flag for each setting of a picture."""
    _define_settings(values, Request)


def read_request(values: flags.FlagValues) -> Request:
    """What picture the flags ask for; ValueError for a value out of range."""
    return _read_settings(values, Request)


def define_run(values: flags.FlagValues) -> None:
    """The flags of a program that makes something from a trained run."""
    kinds, text = ["auto", "float32", "mixed_bfloat16"], "Compute type; auto takes bfloat16 where it is native."
    flags.DEFINE_string("run", None, "The run's folder.", flag_values=values)
    flags.DEFINE_enum("dtype", "auto", kinds, text, flag_values=values)


def read_config(values: flags.FlagValues) -> configs.Config:
    """The config that the flags say; ValueError for a value out of range."""
    return configs.Config(**{section: _read_settings(values, kind) for section, kind in SECTIONS.items()})


def path(values: flags.FlagValues, name: str) -> Path:
    """The path that a flag must give, ~ meaning the user's home; ValueError where it is missing."""
    value: Any = values[name].value
    if not value:
        raise ValueError(f"{name}: missing; say --{name}=PATH.")
    return Path(value).expanduser()


def describe(usage: str, values: flags.FlagValues) -> str:
    """The text of `--help`: the program's own flags, then, if it has all settings of a run, each section's."""
    every = {name: [field.name for field in dataclasses.fields(kind)] for name, kind in SECTIONS.items()}
    sections = {name: names for name, names in every.items() if all(field in values for field in names)}
    set_up = {name for names in sections.values() for name in names}
    own = [name for name in values if name not in set_up and name not in ("flagfile", "undefok", "h")]
    lines = [usage]
    for section, names in ({"": own} | sections).items():
        shown = [name for name in names if name in values]
        lines += ["", f"{section.capitalize()}:"] if section and shown else [""] if shown else []
        for name in shown:
            lines += [f"  {_call(values[name])}", f"      {values[name].help}"]
        if not section:
            text = "Flags from a file, one --name=value a line; # starts a comment. Later flags win."
            lines += ["  --flagfile=FILE", f"      {text}"]
    return "\n".join(lines)


def _define_settings(values: flags.FlagValues, *kinds: type) -> None:
    """One flag for each setting, with the setting's own default, help and range."""
    for kind in kinds:
        for field in dataclasses.fields(kind):
            _define(values, field)


def _read_settings(values: flags.FlagValues, kind: type[T]) -> T:
    """The settings that the flags say; ValueError for a value out of range."""
    items = {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        value = values[field.name].value
        items[field.name] = tuple(value) if isinstance(value, list) else value
    settings = kind(**items)
    configs.check(settings)
    return settings


class _Integers(flags.ArgumentParser):
    """Whole numbers separated by commas."""

    def parse(self, argument: Any) -> list[int]:
        """The list of numbers; ValueError for anything else."""
        items = argument if isinstance(argument, list) else argument.split(",") if argument else []
        return [int(item) for item in items]

    def flag_type(self) -> str:
        """Names the kind of value in errors."""
        return "integers"


def _parse(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
    """Reads the flags; the arguments left over. Raises ValueError or flags.Error, worded for a user."""
    try:
        return values(list(argv))[1:]
    except flags.IllegalFlagValueError as error:
        asked = str(error).partition(": ")[0].removeprefix("flag ")
        flag = values[asked.removeprefix("--").partition("=")[0]]
        wanted = _KINDS.get(flag.flag_type()) or str(error).partition(": ")[2]
        raise ValueError(f"{asked}: {'give ' if flag.flag_type() in _KINDS else ''}{wanted}.") from None
    except flags.UnrecognizedFlagError as error:
        raise ValueError(f"{str(error).replace(' ?', '?')} (--help lists all flags)") from None
    except flags.CantOpenFlagFileError as error:
        reason = error.__context__
        if isinstance(reason, OSError):
            raise ValueError(f"--flagfile={reason.filename}: {reason.strerror}; correct the name.") from None
        raise
    except UnicodeDecodeError:
        raise ValueError("--flagfile: not a text file; give one with a --name=value a line.") from None


def _define(values: flags.FlagValues, field: dataclasses.Field) -> None:
    kind, text, choices = field.type, field.metadata["help"], field.metadata["choices"]
    default: Any = field.default
    where: Mapping[str, Any] = {"flag_values": values}
    if choices:
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


def _call(flag: flags.Flag) -> str:
    """How a flag is written, with its default."""
    default = flag.default
    if flag.boolean:
        return f"--[no]{flag.name}  (default: {'yes' if default else 'no'})"
    if isinstance(default, list):
        return f"--{flag.name}={','.join(str(item) for item in default)}"
    return f"--{flag.name}={'' if default is None else default}"


def _fail(message: str, code: int) -> int:
    line = " ".join(message.removeprefix("ERROR::").split())
    if len(line) > LONGEST_MESSAGE:
        line = line[:LONGEST_MESSAGE] + " ..."
    print(f"error: {line}", file=sys.stderr, flush=True)
    return code
