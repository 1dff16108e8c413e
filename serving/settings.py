"""The server's settings and their flags."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ABOUT = """The embedded server: TensorFlow Serving's gRPC API over folders of SavedModels, in one Python process.

  python -m serving.server --models=models"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the flags say; see `_parser` for what they mean."""

    models: Path
    host: str = "127.0.0.1"
    port: int = 8500
    ssl_config_file: Path | None = None
    signatures: tuple[str, ...] = ("serving_default", "window", "describe")
    poll: float = 1.0
    running: int = 0
    waiting: int = -1
    rate: float = 0.0
    sizes: int = 64
    request_mb: float = 4.0
    seconds: float = 60.0
    grace: float = 20.0
    threads: int = 0


def read(arguments: Sequence[str]) -> Settings:
    """Parses a command line; SystemExit 2 after one line for a mistake, 0 after --help."""
    parser = _parser()
    settings = Settings(**vars(parser.parse_args(arguments)))
    if not settings.models.is_dir():
        parser.error(f"{settings.models}: no folder; give --models=FOLDER, of models or of one model's versions")
    return settings


def _parser() -> argparse.ArgumentParser:
    usual = Settings(Path())
    made = _Parser(prog="python -m serving.server", description=ABOUT, allow_abbrev=False,
                   formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip

    def add(name: str, kind: Any, text: str) -> None:
        default = getattr(usual, name)
        shown = ",".join(default) if isinstance(default, tuple) else "none" if default is None else default
        made.add_argument(f"--{name}", type=kind, help=f"{text} [{shown}]", default=default)

    made.add_argument("--models", type=Path, required=True, help="A folder of models, or one model's folder.")
    add("host", str, "Address to listen on; the default lets only this machine connect.")
    add("port", _whole(0, 65535), "Port; 0 for any free one.")
    add("ssl_config_file", Path, "TLS: TensorFlow Serving's file, see serving/ssl.config.example.")
    add("signatures", _names, 'Signatures that a version must have to be served, as a,b,c; "" for none.')
    add("poll", _number(0.01), "Seconds between two looks for new versions.")
    add("running", _whole(0), "Requests at a time; 0 for half as many as there are cores.")
    add("waiting", _whole(-1), "Requests that may wait, more are refused at once; -1 for as many as run.")
    add("rate", _number(0.0), "Requests a second from one address; 0 for no limit.")
    add("sizes", _whole(0), "Different sizes of inputs whose shape may vary, as latents; 0 for no limit.")
    add("request_mb", _number(0.01), "Largest request.")
    add("seconds", _number(0.01), "That a request may run, its own deadline apart.")
    add("grace", _number(0.0), "Seconds that running requests may still take after SIGTERM or Ctrl-C.")
    add("threads", _whole(0), "TensorFlow's threads; 0 for one per core.")
    return made


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        print(f"error: {message}; --help shows all flags.", file=sys.stderr)
        sys.exit(2)


def _whole(low: int, high: int = 2**31) -> Callable[[str], Any]:
    return lambda text: _value(int, text, low, high)


def _number(low: float) -> Callable[[str], Any]:
    return lambda text: _value(float, text, low, 1e9)


def _value(kind: Callable[[str], Any], text: str, low: float, high: float) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is no number within {low:g} .. {high:g}")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
