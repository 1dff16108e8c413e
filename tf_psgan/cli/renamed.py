"""Command lines as they are before parsing: flag files and presets are read, old names are replaced by today's.

Old names of flags and of values work for one release, in flag files too; each warns once.
"""

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from absl import flags

from tf_psgan import presets
from tf_psgan.config import RENAMED_SETTINGS, RENAMED_VALUES
from tf_psgan.runtime.stderr import STREAM

_FLAG = re.compile(r"--?(\w+)(?:=(.*))?", re.DOTALL)


def expanded(values: flags.FlagValues, arguments: Sequence[str]) -> list[str]:
    """The arguments with the lines of flag files and presets in their places, under today's names.

    Raises:
      SettingError: no preset has this name.
      absl.flags.Error: a flag file cannot be read.
    """
    found = _lines(values, arguments)
    if "preset" in values:
        found = [line for argument in _joined(found, {"preset"}) for line in _preset(values, argument)]
    return list(_renamed(values, found))


def _lines(values: flags.FlagValues, arguments: Sequence[str]) -> list[str]:
    found: list[str] = []
    for line in values.read_flags_from_files(list(arguments), force_gnu=False):
        without_mark = line.removeprefix("\ufeff")  # a byte-order mark, with which editors on Windows begin a file
        if without_mark == line:
            found.append(line)
        elif without_mark and not without_mark.startswith(("#", "//")):
            found += _lines(values, [without_mark])
    return found


def _preset(values: flags.FlagValues, argument: str) -> list[str]:
    """The flags of a preset in place of `--preset=NAME`; any other argument as it is."""
    match = _FLAG.fullmatch(argument)
    if not match or match[1] != "preset" or match[2] is None:
        return [argument]
    return [_with_packaged_pictures(line) for line in _lines(values, [f"--flagfile={presets.path(match[2])}"])]


def _with_packaged_pictures(line: str) -> str:
    """A preset's `--images` with the package's own pictures in place of those that the working directory lacks."""
    name, _, value = line.partition("=")
    if name != "--images":
        return line
    package = presets.textures_folder().parent
    is_packaged = [not os.path.exists(path) and (package / path).exists() for path in value.split(",")]
    paths = [str(package / path) if use else path for path, use in zip(value.split(","), is_packaged, strict=True)]
    return f"{name}={','.join(paths)}"


def _renamed(values: flags.FlagValues, arguments: Iterable[str]) -> Iterator[str]:
    old = {name: new for name, new in RENAMED_SETTINGS.items() if new in values and name not in values}
    warned: set[str] = set()
    for argument in _joined(arguments, {*old, *RENAMED_VALUES}):
        match = _FLAG.fullmatch(argument)
        name, value = (match[1], match[2]) if match else ("", None)
        new_name = old.get(name, name)
        new_value = value if value is None else RENAMED_VALUES.get(new_name, {}).get(value, value)
        if (new_name, new_value) == (name, value):
            yield argument
            continue
        before, after = (name, new_name) if new_name != name else (f"{name}={value}", f"{name}={new_value}")
        if before not in warned:
            warned.add(before)
            STREAM.write(f"warning: --{before} is an old name and will be removed; write --{after}.\n")
        yield f"--{new_name}" if new_value is None else f"--{new_name}={new_value}"


def _joined(arguments: Iterable[str], names: set[str]) -> Iterator[str]:
    """The arguments with `--name value` as `--name=value` for these names, up to the first that is no flag."""
    rest = deque(arguments)
    while rest:
        argument = rest.popleft()
        if argument == "--" or not argument.startswith("-"):
            yield argument
            yield from rest
            return
        if "=" not in argument and rest and not rest[0].startswith("-"):
            if argument.lstrip("-") in names:
                argument = f"{argument}={rest.popleft()}"
            else:
                yield argument
                argument = rest.popleft()
        yield argument
