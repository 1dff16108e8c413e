"""The edge: config fields -> absl flags -> config, one-line errors and exit codes.

A user's mistake prints one line that names the thing, its value and the remedy, and exits
with 2; `--help` shows every flag with its default and exits with 0.
"""

import dataclasses
import os
import sys
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from tf_psgan import config as configs

SECTIONS = {
    "model": configs.ModelConfig,
    "data": configs.DataConfig,
    "training": configs.TrainingConfig,
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
    flags.DEFINE_bool("help", False, "Shows this text.", flag_values=values)
    values["help"].allow_override = True
    try:
        rest = values(list(argv))[1:]
        if values.help:
            print(describe(usage, values))
            return 0
        if rest:
            raise ValueError(f"{rest[0]!r}: not a flag; write --name=value (in a flagfile too).")
        # Before TensorFlow loads: its start-up lines are no news to a user.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        print(main(values), flush=True)
        return 0
    except flags.Error as error:
        return _fail(str(error), 2)
    except ValueError as error:
        return _fail(str(error), 2)
    except (OSError, ArithmeticError) as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("stopped by the keyboard.", 130)


def define_config(values: flags.FlagValues) -> None:
    """One flag for each setting of a run, with the setting's own default, help and range."""
    for section, kind in SECTIONS.items():
        for field in dataclasses.fields(kind):
            _define(values, section, field)


def read_config(values: flags.FlagValues) -> configs.Config:
    """The config that the flags say; ValueError for a value out of range."""
    read = {}
    for section, kind in SECTIONS.items():
        items = {}
        for field in dataclasses.fields(kind):
            value = values[field.name].value
            items[field.name] = tuple(value) if isinstance(value, list) else value
        read[section] = kind(**items)
    config = configs.Config(**read)
    configs.check(config)
    return config


def path(values: flags.FlagValues, name: str) -> Path:
    """The path that a flag must give; ValueError where it is missing."""
    if not values[name].value:
        raise ValueError(f"{name}: missing; say --{name}=PATH.")
    return Path(values[name].value)


def describe(usage: str, values: flags.FlagValues) -> str:
    """The text of `--help`: every flag with its default and help."""
    lines = [usage, ""]
    for name in values:
        flag = values[name]
        if name in ("flagfile", "undefok") or flag.help is None:
            continue
        default = "" if flag.default is None else _default(flag)
        lines.append(f"  --{name}={default}\n      {flag.help}")
    lines.append("  --flagfile=\n      A file with one --name=value a line; # starts a comment. Later flags override it.")
    return "\n".join(lines)


class _Integers(flags.ListParser):
    """Whole numbers separated by commas."""

    def parse(self, argument: Any) -> list[int]:
        """The list of numbers; ValueError for anything else."""
        return [int(item) for item in super().parse(argument)]


def _define(values: flags.FlagValues, section: str, field: dataclasses.Field) -> None:
    kind, text, choices = field.type, field.metadata["help"], field.metadata["choices"]
    default, where = field.default, {"flag_values": values}
    text = f"{section}: {text}"
    if choices:
        flags.DEFINE_enum(field.name, typing.cast(str, default), choices, text, **where)
    elif kind is bool:
        flags.DEFINE_bool(field.name, typing.cast(bool, default), text, **where)
    elif kind is int:
        flags.DEFINE_integer(field.name, typing.cast(int, default), text, **where)
    elif kind is float:
        flags.DEFINE_float(field.name, typing.cast(float, default), text, **where)
    elif typing.get_args(kind)[0] is int:
        joined = [str(item) for item in typing.cast(tuple, default)]
        flags.DEFINE(_Integers(), field.name, joined, text, serializer=flags.ListSerializer(","), **where)
    else:
        flags.DEFINE_list(field.name, list(typing.cast(tuple, default)), text, **where)


def _default(flag: flags.Flag) -> str:
    value = flag.default
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _fail(message: str, code: int) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr, flush=True)
    return code
