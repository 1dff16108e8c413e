"""How a client reaches a server: address, TLS, message sizes, and the policy of retries."""

import dataclasses
import math
import random
import ssl
import time
from collections.abc import Callable
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
      deadline: seconds for a whole call of a client, with all its requests and retries.
      reconnect: seconds for which a large picture that has begun waits for a server that has become unavailable.
    """

    timeout: float
    retries: int
    deadline: float = 3600.0
    reconnect: float = 120.0

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("timeout", "deadline"):
            if not 0 < getattr(self, name) < 1e6:
                raise ValueError(f"{name}: {getattr(self, name)} is not a number of seconds above 0.")
        if not 0 <= self.reconnect < 1e6:
            raise ValueError(f"reconnect: {self.reconnect} is not a number of seconds; give 0 for no waiting.")
        if self.retries < 0:
            raise ValueError(f"retries: {self.retries} is below 0; give 0 for none.")

    def delay(self, failure: grpc.RpcError, attempts: int, target: str, waits: bool = False) -> float:
        """Seconds to wait before the next attempt.

        The server's `grpc-retry-pushback-ms` is respected; a value that is not a number forbids retries.

        Args:
          failure: of the last attempt.
          attempts: their number so far.
          target: the server's address, for the message.
          waits: whether the failure is temporary whatever the number of attempts.

        Raises:
          ServingError: the failure is not temporary, or there were enough attempts.
        """
        code: Any = failure.code()
        retry_after = dict(failure.trailing_metadata() or ()).get(wire.RETRY_AFTER, "0")
        if retry_after.isdecimal() and (waits or (code in RETRIED and attempts <= self.retries)):
            own = FIRST_DELAY * 2 ** min(attempts - 1, 30) * random.uniform(0.5, 1.0)
            servers = int(retry_after[:9]) / 1000 * random.uniform(1.0, 1.5)
            return min(LONGEST_DELAY, max(own, servers))
        details = " ".join(str(failure.details()).split())[:400].rstrip(".; ")
        count = f" ({attempts} attempts)" if attempts > 1 else ""
        remedy = f"; {_REMEDIES[code.name]}" if code.name in _REMEDIES else ""
        raise ServingError(code.name, f"{target}: {code.name}: {details}{count}{remedy}.") from None


class Attempts:
    """The time of one call of a client: of one request, or of all requests of a large picture.

    Args:
      policy: its limits.
      target: the server's address, for messages.
      clock: seconds.
    """

    def __init__(self, policy: RetryPolicy, target: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy, self._target, self._clock = policy, target, clock
        self._end, self._answered = clock() + policy.deadline, -math.inf
        self.begun = False

    def timeout(self) -> float:
        """Seconds for the next attempt.

        Raises:
          ServingError: DEADLINE_EXCEEDED, the time of the whole call is over.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise late(self._target, self._policy.deadline)
        return min(self._policy.timeout, left)

    def succeed(self) -> None:
        """Records that the server has answered."""
        self._answered = self._clock()

    def delay(self, failure: grpc.RpcError, attempts: int, temporary: tuple[grpc.StatusCode, ...] = ()) -> float:
        """Seconds to wait before the next attempt, at most until the time of the whole call is over.

        Once the call has `begun`, a server that is unavailable is waited for, whatever the number of attempts.

        Args:
          failure: of the last attempt.
          attempts: of this request so far.
          temporary: further status codes of a server that starts again.

        Raises:
          ServingError: as `RetryPolicy.delay`.
        """
        away = failure.code() in (grpc.StatusCode.UNAVAILABLE, *temporary)
        waits = self.begun and away and self._clock() < self._answered + self._policy.reconnect
        seconds = self._policy.delay(failure, attempts, self._target, waits)
        return max(0.0, min(seconds, self._end - self._clock()))


def late(target: str, deadline: float) -> ServingError:
    """The error of a call that took longer than its `deadline` in seconds."""
    text = f"not finished within {deadline:g} s; raise the deadline, or request a smaller picture."
    return ServingError("DEADLINE_EXCEEDED", f"{target}: DEADLINE_EXCEEDED: {text}")


def check_target(target: str) -> None:
    """Raises ValueError for an address without a port, for which gRPC would silently use port 443."""
    port = target.rpartition(":")[2]
    if not target.startswith("unix:") and not (":" in target and port.isdecimal()):
        raise ValueError(f"server: {target!r} is not an address; write host:port, as in localhost:8500, or unix:/path.")
