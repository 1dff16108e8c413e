"""A program's frame: parse the flags, do the work, print the result as the last line, word errors, exit codes.

A user's mistake prints one line that names the thing, its value and the remedy, and exits with 2; `--help` prints all
flags and exits with 0. With TF_PSGAN_DEBUG=1 in the environment an error shows its traceback instead.
"""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from tf_psgan.cli.flags import check_paths, describe, parse
from tf_psgan.errors import InputError
from tf_psgan.runtime import threads
from tf_psgan.runtime.signals import Terminated, terminations_raised
from tf_psgan.runtime.stderr import STREAM, logged_to_stderr, open_standard_streams

LONGEST_MESSAGE = 600
"""Characters of an error line at most."""

LISTED = 10
"""Lines below an error about several things, one for each, at most; a file has the others."""

_FLAGS = {"run_folder": "run", "path": "run", "out_folder": "out"}
"""The flags of arguments of the library that have another name."""


class Reported(Exception):
    """An end that another process has told the user of.

    Args:
      code: its exit code; negative for a signal.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = 128 - code if code < 0 else code


def run(argv: Sequence[str], usage: str, define: Callable[[flags.FlagValues], None], main: Callable[[Any], str]) -> int:
    """Parses a command line, calls `main` with the flags and prints its result.

    Args:
      argv: the program's name and its arguments.
      usage: the first lines of `--help`.
      define: adds the program's flags.
      main: does the work and returns what to print.

    Returns:
      The exit code: 0; 2 for a user's mistake; 1 for a failure of the machine or of the training; 130 for Ctrl-C, 143
      for SIGTERM, 129 for SIGHUP.
    """
    open_standard_streams()
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about damaged files, which errors name
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    values = flags.FlagValues()
    define(values)
    threads.set_defaults()
    flags.DEFINE_bool("help", False, "Shows this text.", short_name="h", flag_values=values)
    try:
        rest = parse(values, argv)
        if values.help:
            _print(describe(usage, values))
            return 0
        if rest:
            raise ValueError(f"{rest[0]!r}: not a flag; write --name=value (in a flag file too).")
        check_paths(values)
        with logged_to_stderr(), terminations_raised():
            result = main(values)
        _print(result)
        return 0
    except Reported as error:
        return error.code
    except Terminated as error:
        return _fail(str(error), 128 + error.number)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "stopped by the keyboard.", 130)
    except Exception as error:
        if os.environ.get("TF_PSGAN_DEBUG"):
            raise
        return _fail(*_worded(error, values), error.details if isinstance(error, InputError) else ())


def with_remedy(error: InputError, names: Sequence[str]) -> str:
    """The error's message with the flags to change, among those of these names, unless it names them itself."""
    changeable = [_FLAGS.get(name, name) for name in error.settings]
    remedies = [f"--{name}" for name in dict.fromkeys(changeable) if name in names and name != error.subject]
    message = f"{error.headline}."
    if not remedies or all(remedy in message for remedy in remedies):
        return message
    change = f"change {' or '.join(remedies)}"
    return f"{message.removesuffix('.')} ({change})." if error.allowed else f"{message.removesuffix('.')}; {change}."


def _print(text: str) -> None:
    """Prints text in which a path may have bytes that are no characters. A reader that has seen enough is no error."""
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        is_utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail again at its end
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from None


def _worded(error: Exception, values: flags.FlagValues) -> tuple[str, int]:
    """The line and the exit code of an error."""
    if isinstance(error, InputError):
        return with_remedy(error, list(values)), 2
    if isinstance(error, flags.Error | ValueError):
        return str(error), 2
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}.", 1
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        reason = str(error).partition("\n")[0][:200]
        return f"not enough memory ({reason}); make less at a time.", 1
    if isinstance(error, OSError | ArithmeticError):
        return str(error), 1
    return f"{type(error).__name__}: {error} (TF_PSGAN_DEBUG=1 shows where)", 1


def _fail(message: str, code: int, details: Sequence[str] = ()) -> int:
    line = " ".join(message.removeprefix("ERROR::").split())
    if len(line) > LONGEST_MESSAGE:
        line = line[:LONGEST_MESSAGE] + " ..."
    STREAM.write(f"error: {line}\n" if not details else f"error: {line.rstrip('.')}:\n")
    for detail in details[:LISTED]:
        STREAM.write(f"  {detail}\n")
    if len(details) > LISTED:
        STREAM.write(f"  and {len(details) - LISTED} more; all are in {_listed(details)}\n")
    STREAM.flush()
    return code


def _listed(details: Sequence[str]) -> str:
    """The path of a new file with a line for each detail."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="psgan-", suffix=".txt", delete=False, encoding="utf-8", errors="surrogateescape"
    ) as file:
        file.write("".join(f"{detail}\n" for detail in details))
    return file.name
