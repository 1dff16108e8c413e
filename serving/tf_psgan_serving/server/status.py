"""The errors that a client may see."""

import grpc


class StatusError(Exception):
    """A request that ends with a gRPC error status.

    Args:
      code: the status code.
      text: for the client: subject, value, and what to change.
      retry_ms: milliseconds after which a retry may succeed; None if it cannot.
    """

    def __init__(self, code: grpc.StatusCode, text: str, retry_ms: int | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.retry_ms = code, text, retry_ms


def invalid_argument(text: str) -> StatusError:
    """The status error of a wrong request."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, text)


def quoted(text: object) -> str:
    """A client's own value for use in a message: quoted, and shortened to 80 characters."""
    value = str(text)
    return repr(value if len(value) <= 80 else value[:77] + "...")
