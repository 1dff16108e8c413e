"""What the long-running commands share: a parser whose errors are one line, types of flags, and logging in lines."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

LOG = logging.getLogger("tf_psgan_serving")


class Parser(argparse.ArgumentParser):
    """A parser that ends a wrong command line with one line on standard error and the exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Ends the process."""
        print(f"error: {message}; --help lists all flags.", file=sys.stderr)
        sys.exit(2)


def integer(low: int, high: int = 2**31) -> Callable[[str], Any]:
    """The type of a flag: an integer from `low` to `high`."""
    return lambda text: _value(int, text, low, high)


def number(low: float) -> Callable[[str], Any]:
    """The type of a flag: a number from `low` on."""
    return lambda text: _value(float, text, low, 1e9)


def names(text: str) -> tuple[str, ...]:
    """The type of a flag: names with commas between them."""
    return tuple(name for name in text.split(",") if name)


def configure_logging() -> None:
    """Logs this package's events and the libraries' errors to standard error, one line each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each load logs a deprecation of its loader


class _OneLine(logging.Formatter):
    """Escapes what would end a line or change a terminal: names and messages come from others."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def _value(kind: Callable[[str], Any], text: str, low: float, high: float) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number within {low:g} .. {high:g}")
    return value
