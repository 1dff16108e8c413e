"""A large picture that several workers request piece by piece, all of them from one content of the model.

A server may switch to another version at any time, or start again with another model under the same version. The
version and the identity of every response are therefore compared with those of the description. If the content is still
the same after a new start, the finished pieces stay.
"""

import collections
import threading
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from tf_psgan_serving import wire
from tf_psgan_serving.client.partial import PartialFile
from tf_psgan_serving.client.requests import Answer
from tf_psgan_serving.client.views import MAX_PIECES, Limits, Morph, Piece, Window, count, split
from tf_psgan_serving.errors import ServingError

MAX_ROUNDS = 5
"""Times that a picture is begun: each content that the server changes to takes one."""


class WorkerReleased(Exception):
    """Ends one worker of a large picture because the server is full; the other workers continue."""


class ContentChanged(ServingError):
    """A response of another version or another content than the picture's other pieces."""


class LargePicture:
    """The state of a large picture. Thread-safe.

    A picture is requested in rounds: `start` with the server's description, `next_piece` and `fill` by the workers, and
    `finish`. When the server is full, workers end one by one until its capacity suffices for the rest.

    Args:
      view: the whole picture.
      workers: their number in each round.
      partial: a file that keeps the finished pieces; None for none.
    """

    def __init__(self, view: Window | Morph, workers: int, partial: Path | None = None) -> None:
        self.version = 0
        self.pixels = np.empty((0, 0, 3), np.uint8)
        self.received = 0
        self._view, self._all_workers, self._path = view, workers, partial
        self._file: PartialFile | None = None
        self._identity, self._sent_identity, self._side, self._rounds = "", "", 0, 0
        self._done: set[tuple[int, int]] = set()
        self._pieces: collections.deque[Piece] = collections.deque()
        self._workers, self._lock = 0, threading.Lock()

    def start(self, described: Answer) -> None:
        """Begins a round with a response of the signature `describe`.

        Raises:
          ServingError: WRONG_RESPONSE, the description has no usable limits, or ones that take more than `MAX_PIECES`.
        """
        self._rounds += 1
        response = wire.parse_response(described.data)
        description = wire.description(response)
        side = Limits.from_description(description).piece_pixels()
        pieces = count(self._view, side)
        if pieces > MAX_PIECES:
            text = (
                f"{self._view.height}x{self._view.width} pixels take {pieces} requests of {side}x{side} pixels, which "
            )
            text += f"are the server's limits; at most {MAX_PIECES} are sent. Request a smaller picture."
            raise ServingError("WRONG_RESPONSE", f"WRONG_RESPONSE: {text}")
        self.version = response.model_spec.version.value  # 0 if the server omits it
        identity = described.identity or _identity(description)
        self._sent_identity, self._workers = described.identity, self._all_workers
        if not (identity and (identity, side) == (self._identity, self._side)):
            self._begin(identity, side)
        self._pieces = collections.deque(each for each in split(self._view, side) if _place(each) not in self._done)

    @property
    def must_check(self) -> bool:
        """Whether only another description shows that the content has stayed: the pieces carry no identity."""
        return bool(self._identity and not self._sent_identity and self.received)

    def finish(self, described: Answer) -> None:
        """Compares a description after the last piece with that of the round.

        Raises:
          ContentChanged: the identities differ.
        """
        response = wire.parse_response(described.data)
        if _identity(wire.description(response)) != self._identity:
            self._changed(f"version {response.model_spec.version.value} has another content now")

    def next_round(self, error: ServingError) -> None:
        """Prepares a further round after the failure of one, or raises the failure.

        Raises:
          ServingError: `error`, unless the model has changed and there were fewer than `MAX_ROUNDS`.
        """
        if self._rounds >= MAX_ROUNDS or not (isinstance(error, ContentChanged) or error.code == "NOT_FOUND"):
            raise error
        if isinstance(error, ContentChanged):
            self._identity = ""  # without an identity of their own not even the finished pieces are of one content

    def next_piece(self) -> Piece | None:
        """The next piece; None when none is left, and the worker must end."""
        with self._lock:
            if self._pieces:
                return self._pieces.popleft()
            self._workers -= 1
            return None

    def release_worker(self, piece: Piece, failure: grpc.RpcError) -> None:
        """Returns a piece to the queue if the server was full and another worker remains to request it.

        Raises:
          WorkerReleased: the calling worker must end.
        """
        with self._lock:
            if failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and self._workers > 1:
                self._workers -= 1
                self._pieces.appendleft(piece)
                raise WorkerReleased

    def fill(self, piece: Piece, answer: Answer) -> None:
        """Copies the response for a piece into the picture.

        Raises:
          ContentChanged: it is of another version or another content than the description.
          ServingError: WRONG_RESPONSE, it has no such picture.
          OSError: the file for the finished pieces cannot be written.
        """
        rows, columns, view = piece
        response = wire.parse_response(answer.data)
        version = response.model_spec.version.value
        if (version, answer.identity) != (self.version, self._sent_identity):
            self._changed(f"a piece is of version {version} or of another content")
        pixels = wire.image(response, view.height, view.width)
        with self._lock:
            self.pixels[rows, columns] = pixels
            self._done.add(_place(piece))
            self.received += 1
            if self._file:
                self._file.append(_place(piece), pixels)

    def _begin(self, identity: str, side: int) -> None:
        """Begins without pieces, or with those that the file has of the same content."""
        self._identity, self._side, self._done = identity, side, set()
        if not self.pixels.size:
            self.pixels = np.empty((self._view.height, self._view.width, 3), np.uint8)
        if self._path and self._sent_identity:  # otherwise nothing shows of which content each piece is
            inputs = {name: value.tolist() for name, value in self._view.inputs().items()}
            header = {"identity": identity, "side": side, "signature": self._view.signature, "inputs": inputs}
            self._file = PartialFile(self._path, header)
            self._done = self._file.read({_place(each): each for each in split(self._view, side)}, self.pixels)

    def _changed(self, what: str) -> None:
        text = f"WRONG_RESPONSE: {what}, while the picture is of version {self.version}"
        raise ContentChanged("WRONG_RESPONSE", f"{text}; use a server whose models stay, or request it again.")


def _place(piece: Piece) -> tuple[int, int]:
    return piece[0].start, piece[1].start


def _identity(description: Any) -> str:
    identity = description.get("identity", "")
    return identity if isinstance(identity, str) else ""
