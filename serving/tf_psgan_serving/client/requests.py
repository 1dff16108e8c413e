"""What both clients share: settings, serialized requests, and the state of a large picture."""

import collections
import threading

import grpc
import numpy as np

from tf_psgan_serving import wire
from tf_psgan_serving.client.channels import RetryPolicy, Tls, check_target
from tf_psgan_serving.client.views import Limits, Morph, Piece, View, Window, split


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
    ) -> None:
        check_target(target)
        for name, value, low in (("parallel", parallel, 1), ("version", version, 0)):
            if value < low:
                raise ValueError(f"{name}: {value} is below {low}.")
        self.target, self.model, self.parallel, self.version = target, model, parallel, version
        self.retry_policy = RetryPolicy(timeout, retries)
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


class WorkerReleased(Exception):
    """Ends one worker of a large picture because the server is full; the other workers continue."""


class LargePicture:
    """The state of a large picture that several workers request piece by piece. Thread-safe.

    All pieces come from one version of the model: a server may switch to another version at any time, and one picture
    must not mix two. When the server is full, workers end one by one until its capacity suffices for the rest.

    Args:
      described: the response of the signature `describe`.
      view: the whole picture.
      workers: their number.
    """

    def __init__(self, described: bytes, view: Window | Morph, workers: int) -> None:
        response = wire.parse_response(described)
        self.version: int = response.model_spec.version.value  # 0 if the server omits it
        side = Limits.from_description(wire.description(response)).piece_pixels()
        self.pixels = np.empty((view.height, view.width, 3), np.uint8)
        self.workers = workers
        self._pieces, self._lock = collections.deque(split(view, side)), threading.Lock()

    def next_piece(self) -> Piece | None:
        """The next piece; None when none is left, and the worker must end."""
        with self._lock:
            if self._pieces:
                return self._pieces.popleft()
            self.workers -= 1
            return None

    def release_worker(self, piece: Piece, failure: grpc.RpcError) -> None:
        """Returns a piece to the queue if the server was full and another worker remains to request it.

        Raises:
          WorkerReleased: the calling worker must end.
        """
        with self._lock:
            if failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and self.workers > 1:
                self.workers -= 1
                self._pieces.appendleft(piece)
                raise WorkerReleased

    def fill(self, piece: Piece, response: bytes) -> None:
        """Copies the response for a piece into the picture."""
        rows, columns, view = piece
        self.pixels[rows, columns] = wire.image(wire.parse_response(response), view.height, view.width)
