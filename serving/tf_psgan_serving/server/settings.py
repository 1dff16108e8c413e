"""The server's settings, and their command-line flags."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tf_psgan_serving.command_line import Parser, integer, names, number
from tf_psgan_serving.ready_made import is_folder

USAGE = """A small server with TensorFlow Serving's gRPC API over folders of SavedModels, in one Python process.

  psgan-server --models=models
  psgan-server --models=pretrained        the models that come with tf_psgan"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The server's settings; `_parser` has their meanings."""

    models: Path
    host: str = "127.0.0.1"
    port: int = 8500
    metrics_port: int = -1
    ssl_config_file: Path | None = None
    signatures: tuple[str, ...] = ("serving_default", "window", "describe")
    trust_models: bool = False
    poll: float = 1.0
    running: int = 0
    waiting: int = -1
    large: int = 2
    rate: float = 0.0
    sizes: int = 64
    request_mb: float = 4.0
    unread_mb: float = 256.0
    seconds: float = 60.0
    receive_seconds: float = 20.0
    send_seconds: float = 60.0
    grace: float = 20.0
    threads: int = 0


def resolved(settings: Settings, cores: int) -> Settings:
    """The settings with numbers in place of those that follow from the machine's cores."""
    threads = settings.threads or cores
    running = settings.running or max(1, threads // 2)
    waiting = running if settings.waiting < 0 else settings.waiting
    return dataclasses.replace(settings, threads=threads, running=running, waiting=waiting)


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Parses a command line.

    Raises:
      SystemExit: 2 after one line on standard error for a mistake, 0 after --help.
    """
    parser = _parser()
    settings = Settings(**vars(parser.parse_args(arguments)))
    if not is_folder(settings.models):
        parser.error(
            f"{settings.models}: not a folder; give --models=FOLDER, of models or of one's versions, or pretrained"
        )
    return settings


def _parser() -> argparse.ArgumentParser:
    defaults = Settings(Path())
    parser = Parser("psgan-server", description=USAGE, allow_abbrev=False,
                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip

    def add(name: str, kind: Any, text: str) -> None:
        default = getattr(defaults, name)
        described = ",".join(default) if isinstance(default, tuple) else "none" if default is None else default
        parser.add_argument(f"--{name}", type=kind, help=f"{text} [{described}]", default=default)

    parser.add_argument(
        "--models", type=Path, required=True, help="A folder of models, one model's folder, or pretrained."
    )
    text = "Address to listen on; the default accepts connections from this machine only. unix:/path for a Unix socket."
    add("host", str, text)
    add("port", integer(0, 65535), "Port; 0 for any free one. A Unix socket has none.")
    text = "HTTP port for /metrics (Prometheus), /livez and /readyz; 0 for any free one, -1 for none."
    add("metrics_port", integer(-1, 65535), text)
    add("ssl_config_file", Path, "TLS: the file of TensorFlow Serving's flag, see serving/ssl.config.example.")
    add("signatures", names, 'Signatures that a version must have to be loaded, as a,b,c; "" for none.')
    text = "Load graphs with operations on files, network or code outside the graph. A SavedModel is a program."
    parser.add_argument("--trust_models", action="store_true", help=text)
    add("poll", number(0.01), "Seconds between two scans for new versions.")
    add("running", integer(0), "Concurrent requests; 0 for half the number of cores.")
    add("waiting", integer(-1), "Requests that may wait; further ones are rejected at once. -1 for as many as run.")
    add("large", integer(1), "Requests beyond a million pixels that may run or wait; one of them runs at a time.")
    add("rate", number(0.0), "Requests per second from one address; 0 for no limit.")
    add("sizes", integer(0), "Distinct shapes of inputs with a variable shape, such as latents; 0 for no limit.")
    add("request_mb", number(0.01), "Largest request in MB.")
    add(
        "unread_mb",
        number(1.0),
        "Responses in MB that clients have not read; beyond, the oldest of the client with the most is ended.",
    )
    add("seconds", number(0.01), "Longest time of a request, whatever its own deadline.")
    add("receive_seconds", number(0.01), "Longest time in which a request's message must arrive.")
    add("send_seconds", number(0.01), "Longest time in which a client must read a response.")
    add("grace", number(0.0), "Seconds that running requests have to finish after SIGTERM or Ctrl-C.")
    add("threads", integer(0), "TensorFlow's threads; 0 for one per core.")
    return parser
