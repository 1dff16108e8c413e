"""The address that the server listens on: a host and a port, or a Unix socket."""

import socket
from pathlib import Path
from typing import Any

from tf_psgan_serving.server import tls
from tf_psgan_serving.server.settings import Settings

UNIX = "unix:"
"""Begins a host that is the path of a Unix socket."""

CONNECT_SECONDS = 1.0
"""Longest wait for another server that may listen on the socket."""

LOCAL = ("127.0.0.1", "::1", "localhost")


def bind(server: Any, settings: Settings) -> tuple[str, int]:
    """Binds the address.

    Returns:
      The address for clients, and the port; 0 for a Unix socket.

    Raises:
      ValueError: the address cannot be used, or key and certificate do not belong together.
      OSError: the TLS file cannot be read.
    """
    secure = tls.credentials(settings.ssl_config_file) if settings.ssl_config_file else None
    is_unix = settings.host.startswith(UNIX)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = settings.host if is_unix else f"{host}:{settings.port}"
    if is_unix and _answers(Path(address.removeprefix(UNIX))):
        raise ValueError(f"{address}: another server listens there; choose another --host.")
    try:
        port: int = server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        remedy = "choose another path for --host" if is_unix else "choose another --port or --host"
        reason = f"; or key and certificate in {settings.ssl_config_file} do not belong together" if secure else ""
        raise ValueError(f"{address}: cannot listen there; {remedy}{reason}.")
    return (address, 0) if is_unix else (f"{host}:{port}", port)


def is_local(host: str) -> bool:
    """Whether only this machine can connect."""
    return host in LOCAL or host.startswith(UNIX)


def metrics_host(host: str) -> str:
    """Where the metrics listen: they have no Unix socket."""
    return LOCAL[0] if host.startswith(UNIX) else host


def _answers(path: Path) -> bool:
    """Whether a server listens on a socket. gRPC replaces a socket without asking; that of a dead server may be."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(CONNECT_SECONDS)
            client.connect(str(path))
        return True
    except OSError as error:
        return isinstance(error, PermissionError | TimeoutError | BlockingIOError)  # not for us, or its queue is full
