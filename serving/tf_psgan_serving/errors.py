"""The error of a request, as a client sees it."""


class ServingError(Exception):
    """A request that failed at the server or on the way to it, or whose response is not what was requested.

    Args:
      code: the name of the gRPC status code (UNAVAILABLE, INVALID_ARGUMENT, ...); WRONG_RESPONSE for a response that is
        not what was requested.
      text: one line for people. A server's own words may be part of it, so it is made `printable`.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(printable(text))
        self.code = code


def printable(text: str) -> str:
    """A text whose control characters, such as a terminal's escape sequences, are written as in a Python literal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
