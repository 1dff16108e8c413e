"""Parses mutated command lines and looks for anything but a result or one line about a mistake.

  python -m benchmarks.reliability.command_lines --lines=2000

In one process, without TensorFlow: flags are parsed and the settings of a run, the description of a picture, or the
arguments of an export or an evaluation are read and checked; nothing is trained or rendered.
"""

import contextlib
import io
import random
import sys
from typing import Any

from absl import flags

from tf_psgan.cli import evaluate, export, generate, program, request, texts, train
from tf_psgan.cli import flags as fields

USAGE = "Parses mutated command lines and counts how they end."
VALUES = [
    "", "0", "1", "-1", "7", "3.5", "nan", "inf", "-inf", "1e400", "99999999999999999999999", "true", "a", "a b", "ü",
    "стена", "\x00", "\n", "\udcff", "x" * 5000, "1,2", "1,2/3,4", ",", "1,,2", "3x4", "0x0", "1000x1000", "2x3x4",
    "xy", "all", "0,1,1,0", "drift", "walk", "ff0000=3", "ff0000", "=", "../a", "~", "/dev/null", "a.png", "a.tif",
    "[1]", "%s", "{}", "$(x)", "--", "-", "half", "float32", "none", "class", "9223372036854775808",
]  # fmt: skip


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("lines", 2000, "Command lines.", flag_values=values)
    flags.DEFINE_integer("seed", 1, "Seed of the mutations.", flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Runs the experiment; one line with the counts."""
    random_numbers, codes, bad = random.Random(values.seed), {0: 0, 2: 0}, []
    for _ in range(values.lines):
        tool, read = random_numbers.choice(list(READERS.items()))
        arguments = _mutated(tool, random_numbers)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = program.run(["p", *arguments], "usage", tool.define, read)
        lines = [line for line in err.getvalue().splitlines() if not line.startswith("warning: ")]
        codes[code] = codes.get(code, 0) + 1
        if code not in (0, 2) or len(lines) != (code == 2) or "Traceback" in err.getvalue():
            bad.append((arguments, code, err.getvalue()[:300]))
    for each in bad:
        print(each, file=sys.stderr)
    return f"{values.lines} command lines, exit codes {codes}; other ends than a result or one line: {len(bad)}"


def _mutated(tool: Any, random_numbers: random.Random) -> list[str]:
    """Up to five flags of a program with values from the list, some misspelt, doubled, or without a value."""
    values = flags.FlagValues()
    tool.define(values)
    names, arguments = [name for name in values if name != "help"], []
    for _ in range(random_numbers.randint(1, 5)):
        name, value = random_numbers.choice(names), random_numbers.choice(VALUES)
        kind = random_numbers.random()
        if kind < 0.1:
            at = random_numbers.randrange(len(name))
            name = name[:at] + random_numbers.choice("aäz_=-") + name[at + 1 :]
        arguments += [f"--{name}"] if kind > 0.95 else [f"--{name}", value] if kind > 0.9 else [f"--{name}={value}"]
    return arguments


def _train(values: Any) -> str:
    return str(fields.read_config(values))


def _generate(values: Any) -> str:
    return str(request.parse(fields.read(values, request.Request), fields.given(values, request.Request)))


def _evaluate(values: Any) -> str:
    return str(texts.textures(values.texture or [], "texture"))


def _export(values: Any) -> str:
    return str((fields.path(values, "run"), fields.path(values, "out")))


READERS = {train: _train, generate: _generate, evaluate: _evaluate, export: _export}


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
