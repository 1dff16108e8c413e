"""What both clients share: settings, and requests and responses as bytes."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from tf_psgan_serving import wire
from tf_psgan_serving.client.channels import Attempts, RetryPolicy, Tls, check_target
from tf_psgan_serving.client.views import View


class Answer(NamedTuple):
    """A response.

    Attributes:
      data: a serialized PredictResponse.
      identity: of the content that made it, from the response's metadata; "" if the server sends none.
    """

    data: bytes
    identity: str

    @classmethod
    def of(cls, data: bytes, metadata: Iterable[tuple[str, Any]] | None) -> "Answer":
        """The answer of a call that ended with this trailing metadata."""
        return cls(data, str(dict(metadata or ()).get(wire.IDENTITY, "")))


class RequestBuilder:
    """The settings of a client, and its requests as bytes. `Client` documents the arguments."""

    def __init__(
        self,
        target: str,
        model: str,
        *,
        tls: Tls | None = None,
        timeout: float = 30.0,
        retries: int = 5,
        parallel: int = 4,
        version: int = 0,
        deadline: float = 3600.0,
        reconnect: float = 120.0,
    ) -> None:
        check_target(target)
        for name, value, low in (("parallel", parallel, 1), ("version", version, 0)):
            if value < low:
                raise ValueError(f"{name}: {value} is below {low}.")
        self.target, self.model, self.parallel, self.version = target, model, parallel, version
        self.retry_policy = RetryPolicy(timeout, retries, deadline, reconnect)
        self.credentials = tls.credentials() if tls else None
        self.describe_request = wire.predict_request(model, version, "describe", {})

    def request(self, view: View, encoding: str = "", version: int = 0) -> bytes:
        """The request for a view.

        Args:
          encoding: "png" or "jpeg" for an encoded picture, "" for its pixels.
          version: of the model; 0 for the client's own setting.
        """
        signature = f"{view.signature}_{encoding}" if encoding else view.signature
        return wire.predict_request(self.model, version or self.version, signature, view.inputs())

    def attempts(self) -> Attempts:
        """The time of one call of this client, from now on."""
        return Attempts(self.retry_policy, self.target)

    def response(self, answer: Answer) -> Any:
        """The PredictResponse of an answer.

        Raises:
          ServingError: WRONG_RESPONSE, the bytes are not a PredictResponse, or of another version than requested.
        """
        response = wire.parse_response(answer.data)
        found = response.model_spec.version.value
        if self.version and found != self.version:
            raise wire.wrong_response(f"version {found} of the model, not {self.version}")
        return response
