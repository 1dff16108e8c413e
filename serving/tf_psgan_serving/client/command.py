"""The command `psgan-client`: writes one picture from a server to a file.

Errors are one line on standard error. The exit code is 2 for a mistake of the user and 1 for a failure of the server or
the machine.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tf_psgan_serving.client.partial import path_for
from tf_psgan_serving.errors import ServingError, printable

USER_CODES = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED")
"""Status codes of a request that was wrong, which end the command with exit code 2."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the picture and prints its path.

    Args:
      arguments: of the command line; None for those of this process.

    Returns:
      The exit code.
    """
    parsed = None
    try:
        parsed = _parser().parse_args(arguments)
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC is imported, or it logs to standard error
        from tf_psgan_serving.client import picture_file

        print(asyncio.run(picture_file.write(parsed)), flush=True)
        return 0
    except KeyboardInterrupt:
        message, code = "interrupted.", 130
    except ServingError as error:
        message, code = str(error), 2 if error.code in USER_CODES else 1
    except ValueError as error:
        message, code = str(error), 2
    except OSError as error:
        message, code = f"{error.filename}: {error.strerror}." if error.filename else str(error), 1
    except MemoryError:
        message, code = "not enough memory; request a smaller picture.", 1
    kept = path_for(parsed.out) if parsed else None
    if kept and kept.exists():
        message = f"{message[:400]} The same command continues with the finished pieces in {kept}."
    print(f"error: {printable(' '.join(message.split()))[:700]}", file=sys.stderr, flush=True)
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (--help lists all flags)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("psgan-client", description="Writes a picture from a server of exported models to a file.",
                     allow_abbrev=False)  # fmt: skip
    add = parser.add_argument
    add("--server", default="localhost:8500", metavar="HOST:PORT", help="gRPC address, or unix:/path for a Unix socket "
        "(default: %(default)s)")  # fmt: skip
    add("--model", required=True, help="name of the model on the server")
    add("--version", type=int, default=0, help="version of the model (default: the newest)")
    add("--out", required=True, type=Path, help="file to write, .png or .jpg")
    add("--height", type=int, default=512, help="in pixels (default: %(default)s)")
    add("--width", type=int, default=512, help="in pixels (default: %(default)s)")
    add("--top", type=int, default=0, help="first row on the plane, any integer (default: %(default)s)")
    add("--left", type=int, default=0, help="first column on the plane (default: %(default)s)")
    add("--seed", type=int, default=0, help="selects the plane (default: %(default)s)")
    add("--texture", type=int, default=0, help="texture of a model that holds many (default: %(default)s)")
    add("--tile", "--torus", action=_Tile, help="a seamless picture (--torus is the deprecated name)")
    add("--morph", default="", metavar="A,B/C,D", help="blend of four textures, one a corner, as in 1,7/9,30")
    add("--parallel", type=int, default=4, help="concurrent requests for a large picture (default: %(default)s)")
    add("--timeout", type=float, default=30.0, help="seconds for one attempt of a request (default: %(default)s)")
    add("--retries", type=int, default=5, help="further attempts if the server is unavailable, full or late "
        "(default: %(default)s)")  # fmt: skip
    add("--deadline", type=float, default=3600.0, help="seconds for the picture, with all requests and retries "
        "(default: %(default)s)")  # fmt: skip
    add("--reconnect", type=float, default=120.0, help="seconds for which a large picture that has begun waits for a "
        "server that starts again (default: %(default)s)")  # fmt: skip
    add("--tls", action="store_true", help="encrypt, trusting the public certificate authorities")
    add("--tls_ca", type=Path, metavar="FILE", help="encrypt, trusting the certificates in this PEM file")
    add("--tls_cert", type=Path, metavar="FILE", help="encrypt, with this client certificate (PEM)")
    add("--tls_key", type=Path, metavar="FILE", help="key of --tls_cert (PEM)")
    return parser


class _Tile(argparse.Action):
    """Sets --tile, and warns if it was given by its old name."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, "tile", nargs=0, default=False, help=help)

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        if option == "--torus":
            print("warning: --torus is deprecated; use --tile.", file=sys.stderr)
        namespace.tile = True
