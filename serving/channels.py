"""How a client reaches a server: TLS, message limits, and which failures are worth another try, and when."""

import dataclasses
import random
import ssl
from pathlib import Path
from typing import Any

import grpc

from serving import wire

PREDICT = "/tensorflow.serving.PredictionService/Predict"
MESSAGE_BYTES = 2**28
"""Largest message either way: a 4096 x 4096 picture with a number for each value takes 100 MB."""

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds before the second try, doubled for each further one, and the longest; up to halved at random, so that
clients do not come back as one."""

PUSHBACK = "grpc-retry-pushback-ms"
"""gRPC's own word in a refusal: when to come again; what is no number means never."""

RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
_REMEDIES = {
    "UNAVAILABLE": "start the server there, or correct the address or the TLS files",
    "RESOURCE_EXHAUSTED": "ask for less at a time, or later",
    "DEADLINE_EXCEEDED": "allow more seconds (timeout), or ask for less at a time",
    "NOT_FOUND": "correct the model's name or version",
    "UNIMPLEMENTED": "give the gRPC address of a server that speaks TensorFlow Serving's API",
}

# A channel that lost its server tries again by waits of its own: they must not outlast ours.
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@dataclasses.dataclass(frozen=True)
class Tls:
    """Files in PEM for an encrypted connection.

    Attributes:
      ca: certificates to trust a server by; None for the public authorities that gRPC comes with.
      cert, key: the client's own, for servers that ask for them (mutual TLS); both or neither.

    Raises:
      ValueError: only one of `cert` and `key`.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Checks that the files go together."""
        if (self.cert is None) != (self.key is None):
            missing, other = ("tls_key", "tls_cert") if self.key is None else ("tls_cert", "tls_key")
            raise ValueError(f"{missing}: missing; {other} needs it, give both or neither.")

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files; ValueError for what is no certificate or key, OSError for what cannot be read."""
        content = [path.read_bytes() if path else None for path in (self.ca, self.key, self.cert)]
        # gRPC takes anything here, and fails at the first request without saying why.
        context, name = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "tls_ca"
        try:
            if self.ca:
                context.load_verify_locations(self.ca)
            name = "tls_cert, tls_key"
            if self.cert:
                context.load_cert_chain(self.cert, self.key, password="")
        except ssl.SSLError as error:
            reason = error.reason or "no PEM"
            raise ValueError(f"{name}: not what is wanted ({reason}); give PEM files that belong together.") from None
        return grpc.ssl_channel_credentials(*content)


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a client waits for one answer, and how often it asks again.

    Attributes:
      timeout: seconds for one try.
      retries: tries after the first; 0 for none.
    """

    timeout: float
    retries: int

    def __post_init__(self) -> None:
        """Checks the values."""
        if not 0 < self.timeout < 1e6:
            raise ValueError(f"timeout: {self.timeout} is no time to wait; give seconds above 0.")
        if self.retries < 0:
            raise ValueError(f"retries: {self.retries} is below 0; give 0 for none.")

    def wait(self, failure: grpc.RpcError, tries: int, target: str) -> float:
        """Seconds to wait before the next try.

        Args:
          failure: of the last try.
          tries: how many there were.

        Raises:
          wire.Error: another try would not help, or there were enough.
        """
        code: Any = failure.code()
        asked = dict(failure.trailing_metadata() or ()).get(PUSHBACK, "0")
        if code in RETRIED and tries <= self.retries and asked.isdecimal():
            own, theirs = FIRST_WAIT * 2 ** (tries - 1) * random.uniform(0.5, 1.0), int(asked[:9]) / 1000
            return min(LONGEST_WAIT, max(own, theirs * random.uniform(1.0, 1.5)))
        details = " ".join(str(failure.details()).split())[:400].rstrip(".; ")
        often = f" ({tries} tries)" if tries > 1 else ""
        remedy = f"; {_REMEDIES[code.name]}" if code.name in _REMEDIES else ""
        raise wire.Error(code.name, f"{target}: {code.name}: {details}{often}{remedy}.") from None


def check_target(target: str) -> None:
    """Raises ValueError for an address without a port: gRPC would silently take 443."""
    port = target.rpartition(":")[2]
    if not target.startswith("unix:") and not (":" in target and port.isdecimal()):
        raise ValueError(f"server: {target!r} is no address; write host:port, as in localhost:8500.")
