"""The command `psgan-viewer`: serves the API and the page until SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from tf_psgan_serving import command_line, ready_made
from tf_psgan_serving.command_line import LOG
from tf_psgan_serving.errors import ServingError
from tf_psgan_serving.viewer import settings
from tf_psgan_serving.viewer.settings import Settings

GRACE = 5.0
"""Seconds that running requests of the embedded server have to finish."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or Ctrl-C.

    Args:
      arguments: of the command line; None for those of this process.

    Returns:
      The exit code: 0 after serving, 2 for a mistake of the user.
    """
    parsed = settings.parse(arguments)
    command_line.configure_logging()
    for number in (signal.SIGTERM, signal.SIGINT):  # nothing is served yet that must be ended well
        signal.signal(number, lambda *_: os._exit(0))
    try:
        models = ready_made.resolved(parsed.models) if parsed.models else None
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(_listener(parsed.host, parsed.port))
            embedded = embedded_server(models, waits=False) if models else None
            target = stack.enter_context(embedded) if embedded else parsed.server
            asyncio.run(_serve(parsed, target, listener))
    except ModuleNotFoundError as error:
        extras = "viewer,serving" if parsed.models else "viewer"
        print(f"error: {error}; the viewer requires pip install 'tf_psgan[{extras}]'.", file=sys.stderr)
        return 2
    except (ValueError, OSError, ServingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    LOG.info("stopped")
    logging.shutdown()
    if parsed.models:
        os._exit(0)  # a thread may still be loading a version, which TensorFlow does not interrupt
    return 0


@contextlib.contextmanager
def embedded_server(folder: Path, *, waits: bool = True) -> Iterator[str]:
    """An embedded server in this process; its address, from the moment when its models are loaded if it `waits`."""
    from tf_psgan_serving.server.command import captured_stderr

    with captured_stderr():
        from tf_psgan_serving.server.grpc_server import Server
        from tf_psgan_serving.server.settings import Settings as ServerSettings
    server = Server(ServerSettings(folder, port=0))
    try:
        if waits:
            server.wait_until_loaded(threading.TIMEOUT_MAX)
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop(GRACE)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{host}:{port}: cannot listen there ({reason}); choose another --port or --host.") from None


async def _serve(parsed: Settings, target: str, listener: socket.socket) -> None:
    from tf_psgan_serving.client.channels import Tls
    from tf_psgan_serving.viewer import app
    from tf_psgan_serving.viewer.models import Models

    encrypt = parsed.tls or parsed.tls_ca or parsed.tls_cert or parsed.tls_key
    tls = Tls(parsed.tls_ca, parsed.tls_cert, parsed.tls_key) if encrypt else None
    models = Models(target, parsed.model, tls=tls, deadline=parsed.deadline)
    try:
        await models.names()
    except ServingError as error:
        if error.code == "UNIMPLEMENTED":
            text = f"{target}: the server does not list its models; name them with --model=NAME,NAME"
            raise ValueError(text) from None
        LOG.warning(error)  # a server that is not there yet may come
    application = app.make(
        models,
        parallel=parsed.parallel,
        cache_bytes=int(parsed.cache_mb * 1e6),
        waiting=parsed.waiting,
        deadline=parsed.deadline,
        cors=parsed.cors,
    )
    host, port = listener.getsockname()[:2]
    LOG.info("listening on http://%s:%d, models of %s", f"[{host}]" if ":" in host else host, port, target)
    if host not in ("127.0.0.1", "::1"):
        LOG.warning("%s: other machines can connect without encryption; put a proxy with TLS in front", host)
    server = app.web_server(application)

    def leave(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn replaces them while it serves, and raises them again
        signal.signal(number, leave)
    await server.serve(sockets=[listener])
