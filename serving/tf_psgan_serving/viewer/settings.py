"""The viewer's settings, and their command-line flags."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tf_psgan_serving.command_line import Parser, integer, names, number
from tf_psgan_serving.ready_made import is_folder

USAGE = """An HTTP tile API and a web page of endless textures, over a server of exported models.

  psgan-viewer --models=models            starts the embedded server, too
  psgan-viewer --models=pretrained        with the models that come with tf_psgan
  psgan-viewer --server=localhost:8500    uses a server that runs"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The viewer's settings; `_parser` has their meanings."""

    server: str = ""
    models: Path | None = None
    model: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    parallel: int = 2
    cache_mb: float = 64.0
    waiting: int = 64
    deadline: float = 30.0
    cors: tuple[str, ...] = ()
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Parses a command line.

    Raises:
      SystemExit: 2 after one line on standard error for a mistake, 0 after --help.
    """
    parser = _parser()
    settings = Settings(**vars(parser.parse_args(arguments)))
    if bool(settings.server) == bool(settings.models):
        parser.error("give --models=FOLDER, which starts a server, or --server=HOST:PORT of one that runs")
    if settings.models and not is_folder(settings.models):
        parser.error(
            f"{settings.models}: not a folder; give --models=FOLDER, of models or of one's versions, or pretrained"
        )
    if settings.models and (settings.tls or settings.tls_ca or settings.tls_cert or settings.tls_key):
        parser.error("--tls, --tls_ca, --tls_cert, --tls_key: for --server only; leave them out")
    return settings


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = Parser("psgan-viewer", description=USAGE, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip

    def add(name: str, kind: Any, text: str) -> None:
        default = getattr(defaults, name)
        described = ",".join(default) if isinstance(default, tuple) else default
        parser.add_argument(f"--{name}", type=kind, help=f"{text} [{described or 'none'}]", default=default)

    add("server", str, "HOST:PORT of a server with TensorFlow Serving's gRPC API.")
    add("models", Path, "A folder of models, or one model's folder, for an embedded server.")
    add("model", names, "Names of the models to show, as a,b,c; by default all that an embedded server lists.")
    add("host", str, "Address to listen on; the default accepts connections from this machine only.")
    add("port", integer(0, 65535), "Port; 0 for any free one.")
    add("parallel", integer(1), "Requests to the server at a time; further ones wait.")
    add("cache_mb", number(1.0), "Pixels that are kept, in MB.")
    add("waiting", integer(1), "Requests for pictures at a time; further ones are rejected.")
    add("deadline", number(0.01), "Longest time of a request in seconds.")
    add("cors", names, "Origins whose pages may read the responses, as https://a.org,https://b.org; * for all.")
    parser.add_argument("--tls", action="store_true", help="Encrypt, trusting the public certificate authorities.")
    add("tls_ca", Path, "Encrypt, trusting the certificates in this PEM file.")
    add("tls_cert", Path, "Encrypt, with this client certificate (PEM).")
    add("tls_key", Path, "Key of --tls_cert (PEM).")
    return parser
