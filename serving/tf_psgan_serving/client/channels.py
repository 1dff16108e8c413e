"""How a client reaches a server: address, TLS, message sizes, and the policy of retries."""

import dataclasses
import random
import ssl
from pathlib import Path
from typing import Any

import grpc

from tf_psgan_serving import wire
from tf_psgan_serving.errors import ServingError as ServingError

MESSAGE_BYTES = 2**28
"""Largest message in either direction. A 4096 x 4096 picture with one varint per value takes 100 MB."""

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
"""Seconds before the first retry, doubled for each further one, and their maximum. Each delay is shortened at random by
up to half, so that many clients do not retry at the same moment."""

RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
_REMEDIES = {
    "UNAVAILABLE": "start the server there, or correct the address or the TLS files",
    "RESOURCE_EXHAUSTED": "send fewer requests at a time, or retry later",
    "DEADLINE_EXCEEDED": "raise the timeout, or request a smaller picture",
    "NOT_FOUND": "correct the model's name or version",
    "UNIMPLEMENTED": "give the gRPC address of a server that implements TensorFlow Serving's API",
}

# A channel that lost its server reconnects after its own delays, which must not exceed those of the retries.
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@dataclasses.dataclass(frozen=True)
class Tls:
    """PEM files for an encrypted connection.

    Attributes:
      ca: certificates of the authorities to trust; None for the public ones that gRPC ships.
      cert, key: the client's own certificate and key, for servers with mutual TLS; both or neither.

    Raises:
      ValueError: only one of `cert` and `key` is given.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Checks that the files belong together."""
        if (self.cert is None) != (self.key is None):
            missing, given = ("tls_key", "tls_cert") if self.key is None else ("tls_cert", "tls_key")
            raise ValueError(f"{missing}: missing, but {given} is given; give both or neither.")

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files.

        Raises:
          ValueError: a file is not a certificate or key in PEM, or the two do not belong together.
          OSError: a file cannot be read.
        """
        contents = [path.read_bytes() if path else None for path in (self.ca, self.key, self.cert)]
        # gRPC accepts any bytes here and fails at the first request without a reason, so the ssl module checks first.
        context, name = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "tls_ca"
        try:
            if self.ca:
                context.load_verify_locations(self.ca)
            name = "tls_cert, tls_key"
            if self.cert:
                context.load_cert_chain(self.cert, self.key, password="")
        except ssl.SSLError as error:
            reason = error.reason or "not PEM"
            raise ValueError(f"{name}: unusable ({reason}); give PEM files that belong together.") from None
        return grpc.ssl_channel_credentials(*contents)


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How long a client waits for a response, and how often it retries.

    Attributes:
      timeout: seconds for one attempt.
      retries: attempts after the first; 0 for none.
    """

    timeout: float
    retries: int

    def __post_init__(self) -> None:
        """Checks the values."""
        if not 0 < self.timeout < 1e6:
            raise ValueError(f"timeout: {self.timeout} is not a number of seconds above 0.")
        if self.retries < 0:
            raise ValueError(f"retries: {self.retries} is below 0; give 0 for none.")

    def delay(self, failure: grpc.RpcError, attempts: int, target: str) -> float:
        """Seconds to wait before the next attempt.

        The server's `grpc-retry-pushback-ms` is respected; a value that is not a number forbids retries.

        Args:
          failure: of the last attempt.
          attempts: their number so far.
          target: the server's address, for the message.

        Raises:
          ServingError: the failure is not temporary, or there were enough attempts.
        """
        code: Any = failure.code()
        retry_after = dict(failure.trailing_metadata() or ()).get(wire.RETRY_AFTER, "0")
        if code in RETRIED and attempts <= self.retries and retry_after.isdecimal():
            own = FIRST_DELAY * 2 ** (attempts - 1) * random.uniform(0.5, 1.0)
            servers = int(retry_after[:9]) / 1000 * random.uniform(1.0, 1.5)
            return min(LONGEST_DELAY, max(own, servers))
        details = " ".join(str(failure.details()).split())[:400].rstrip(".; ")
        count = f" ({attempts} attempts)" if attempts > 1 else ""
        remedy = f"; {_REMEDIES[code.name]}" if code.name in _REMEDIES else ""
        raise ServingError(code.name, f"{target}: {code.name}: {details}{count}{remedy}.") from None


def check_target(target: str) -> None:
    """Raises ValueError for an address without a port, for which gRPC would silently use port 443."""
    port = target.rpartition(":")[2]
    if not target.startswith("unix:") and not (":" in target and port.isdecimal()):
        raise ValueError(f"server: {target!r} is not an address; write host:port, as in localhost:8500.")
