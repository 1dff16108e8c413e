"""The error of a request, as a client sees it."""


class ServingError(Exception):
    """A request that failed at the server or on the way to it, or whose response is not what was requested.

    Args:
      code: the name of the gRPC status code (UNAVAILABLE, INVALID_ARGUMENT, ...); WRONG_RESPONSE for a response that is
        not what was requested.
      text: one line for people.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
