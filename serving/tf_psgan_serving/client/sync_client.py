"""The blocking client."""

import contextlib
import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Self

import grpc
import numpy as np

from tf_psgan_serving import wire
from tf_psgan_serving.client.channels import OPTIONS, Attempts
from tf_psgan_serving.client.large_picture import LargePicture, WorkerReleased
from tf_psgan_serving.client.requests import Answer, RequestBuilder
from tf_psgan_serving.client.views import Encoding, Morph, Tile, View, Window
from tf_psgan_serving.errors import ServingError


class Client(RequestBuilder):
    """Requests pictures from a server of exported models. Thread-safe.

    Temporary failures (UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED) are retried with growing delays, because
    requests are idempotent. Every method raises `ServingError` for other failures and after the last retry, and
    ValueError for a view with wrong values.

    Args:
      target: host:port, or unix:/path.
      model: the model's name on the server.
      tls: None for an unencrypted connection.
      timeout: seconds for one attempt.
      retries: attempts after the first.
      parallel: largest number of concurrent requests for one large picture.
      version: version of the model; 0 for the newest.
      deadline: seconds for one call of a method, with all its requests and retries.
      reconnect: seconds for which a large picture that has begun waits for a server that starts again.

    Raises:
      ValueError: a setting is out of range, or a TLS file is not PEM.
      OSError: a TLS file cannot be read.
    """

    @functools.cached_property
    def _channel(self) -> grpc.Channel:
        if self.credentials:
            return grpc.secure_channel(self.target, self.credentials, OPTIONS)
        return grpc.insecure_channel(self.target, OPTIONS)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the client."""
        self.close()

    def close(self) -> None:
        """Closes the connection; requests in flight fail with CANCELLED."""
        self._channel.close()

    def window(
        self, height: int, width: int, *, top: int = 0, left: int = 0, seed: int = 0, texture: int = 0
    ) -> np.ndarray:
        """A window of a texture's plane, uint8 [height, width, 3]; see `Window` for the arguments."""
        return self.picture(Window(seed=seed, texture=texture, top=top, left=left, height=height, width=width))

    def tile(self, height: int, width: int, *, seed: int = 0, texture: int = 0) -> np.ndarray:
        """A seamless picture, uint8 [height, width, 3]; see `Tile` for the arguments."""
        return self.picture(Tile(seed=seed, texture=texture, height=height, width=width))

    def morph(self, height: int, width: int, *, textures: Sequence[int], seed: int = 0) -> np.ndarray:
        """A blend of four textures over the whole picture, uint8 [height, width, 3]; see `Morph` for a window of it."""
        return self.picture(Morph.whole(height, width, textures=textures, seed=seed))

    def picture(self, view: View) -> np.ndarray:
        """The pixels of a view in one request, uint8 [height, width, 3]."""
        response = self.response(self._call(self.request(view), self.attempts()))
        return wire.image(response, view.height, view.width)

    def encoded(self, view: View, encoding: Encoding) -> bytes:
        """The picture of a view in one request, as a PNG or JPEG file encoded by the server."""
        response = self.response(self._call(self.request(view, encoding), self.attempts()))
        return wire.encoded_image(response, encoding, view.height, view.width)

    def describe(self) -> dict[str, Any]:
        """The model's description: configuration, limits, chunk size, textures."""
        return wire.description(self.response(self._call(self.describe_request, self.attempts())))

    def large(self, view: Window | Morph, *, partial: Path | None = None) -> np.ndarray:
        """The pixels of a view of any size, in many requests to one content of a model: uint8 [height, width, 3].

        If the server changes to another version or another content meanwhile, the picture starts again with that, a few
        times at most. If the server starts again with the same content, the finished pieces stay. If it is full, fewer
        than `parallel` requests continue.

        Args:
          view: the picture.
          partial: a file for the finished pieces, which a later call for the same picture continues with. It stays;
            remove it when the picture is stored. Only the embedded server sends the identity of the content with each
            piece, so no pieces of other servers are kept.

        Raises:
          OSError: `partial` cannot be read or written.
        """
        picture, attempts = LargePicture(view, self.parallel, partial), self.attempts()
        while True:
            picture.start(self._call(self.describe_request, attempts, temporary=(grpc.StatusCode.NOT_FOUND,)))
            attempts.begun = True
            try:
                self._fill(picture, attempts)
                if picture.must_check:
                    picture.finish(self._call(self.describe_request, attempts))
                return picture.pixels
            except ServingError as error:
                picture.next_round(error)

    def _fill(self, picture: LargePicture, attempts: Attempts) -> None:
        stopped = threading.Event()

        def work() -> None:
            with contextlib.suppress(WorkerReleased):
                while (piece := picture.next_piece()) and not stopped.is_set():
                    request = self.request(piece[2], version=picture.version)
                    on_failure = functools.partial(picture.release_worker, piece)
                    picture.fill(piece, self._call(request, attempts, on_failure, stopped))

        with ThreadPoolExecutor(self.parallel) as pool:
            workers = [pool.submit(work) for _ in range(self.parallel)]
            try:
                for worker in as_completed(workers):
                    worker.result()
            except BaseException:  # KeyboardInterrupt too: only requests in flight are completed
                stopped.set()
                raise

    def _call(
        self,
        request: bytes,
        attempts: Attempts,
        on_failure: Callable[[grpc.RpcError], None] | None = None,
        stopped: threading.Event | None = None,
        temporary: tuple[grpc.StatusCode, ...] = (),
    ) -> Answer:
        """The response, after retries. `on_failure` is called with each failure and may raise."""
        number = 0
        while True:
            number += 1
            try:
                data, ended = self._predict.with_call(request, timeout=attempts.timeout())
                attempts.succeed()
                return Answer.of(data, ended.trailing_metadata())
            except grpc.RpcError as failure:
                if on_failure:
                    on_failure(failure)
                seconds = attempts.delay(failure, number, temporary)
            if (stopped or threading.Event()).wait(seconds):
                raise ServingError("CANCELLED", f"{self.target}: CANCELLED: another part of the picture failed.")

    @functools.cached_property
    def _predict(self) -> Any:
        return self._channel.unary_unary(wire.PREDICT)
