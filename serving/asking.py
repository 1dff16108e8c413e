"""What the two clients share: settings, requests as bytes, and a large picture on its way."""

import collections
import threading

import grpc
import numpy as np

from serving import wire
from serving.channels import Patience, Tls, check_target
from serving.views import Limits, Morph, Piece, View, Window, cut


class Asker:
    """What both clients share: settings, and requests as bytes; `Client` says what they mean."""

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
    ) -> None:
        check_target(target)
        for name, value, low in (("parallel", parallel, 1), ("version", version, 0)):
            if value < low:
                raise ValueError(f"{name}: {value} is below {low}; choose a larger value.")
        self.target, self.model, self.parallel, self.version = target, model, parallel, version
        self.patience = Patience(timeout, retries)
        self.credentials = tls.credentials() if tls else None
        self.describing = wire.request(model, version, "describe", {})

    def asking(self, view: View, kind: str = "", version: int = 0) -> bytes:
        """The request for a view: its pixels, or a file of that kind."""
        signature = f"{view.signature}_{kind}" if kind else view.signature
        return wire.request(self.model, version or self.version, signature, view.inputs())


class Left(Exception):
    """Ends one worker of a large picture: the server is full, and the others go on."""


class Large:
    """A large picture on its way: its array, its pieces, and the version that is asked for all of them.

    A server may change to another version at any time, and one picture must not be made of two. So many workers as
    the client allows take pieces, one after the other; where the server is full they become fewer, as each of them
    keeps it full for the others. May be used from several threads.

    Args:
      described: the answer of `describe`.
      workers: how many there are.
    """

    def __init__(self, described: bytes, view: Window | Morph, workers: int) -> None:
        answer = wire.response(described)
        self.version: int = answer.model_spec.version.value  # 0 where a server does not say
        side = Limits.read(wire.description(answer)).piece()
        self.picture = np.empty((view.height, view.width, 3), np.uint8)
        self.workers = workers
        self._pieces, self._lock = collections.deque(cut(view, side)), threading.Lock()

    def take(self) -> Piece | None:
        """The next piece; None where there is no more, and its worker ends."""
        with self._lock:
            if self._pieces:
                return self._pieces.popleft()
            self.workers -= 1
            return None

    def leave(self, piece: Piece, failure: grpc.RpcError) -> None:
        """Raises Left where a piece was refused for want of room and others are there to take it."""
        with self._lock:
            if failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and self.workers > 1:
                self.workers -= 1
                self._pieces.appendleft(piece)
                raise Left

    def fill(self, piece: Piece, answer: bytes) -> None:
        """Puts the answer for a piece into its place."""
        rows, cols, view = piece
        self.picture[rows, cols] = wire.picture(wire.response(answer), view.height, view.width)
