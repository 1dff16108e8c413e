"""The blocking client."""

import contextlib
import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Self

import grpc
import numpy as np

from tf_psgan_serving import wire
from tf_psgan_serving.client.channels import OPTIONS
from tf_psgan_serving.client.requests import LargePicture, RequestBuilder, WorkerReleased
from tf_psgan_serving.client.views import Encoding, Morph, Tile, View, Window
from tf_psgan_serving.errors import ServingError


class Client(RequestBuilder):
    """Requests pictures from a server of exported models. Thread-safe.

    Temporary failures (UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED) are retried with growing delays, because
    requests are idempotent. Every method raises `ServingError` for other failures and after the last retry, and
    ValueError for a view with wrong values.

    Args:
      target: host:port.
      model: the model's name on the server.
      tls: None for an unencrypted connection.
      timeout: seconds for one attempt.
      retries: attempts after the first.
      parallel: largest number of concurrent requests for one large picture.
      version: version of the model; 0 for the newest.

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
        response = wire.parse_response(self._call(self.request(view)))
        return wire.image(response, view.height, view.width)

    def encoded(self, view: View, encoding: Encoding) -> bytes:
        """The picture of a view in one request, as a PNG or JPEG file encoded by the server."""
        response = wire.parse_response(self._call(self.request(view, encoding)))
        return wire.encoded_image(response, encoding, view.height, view.width)

    def describe(self) -> dict[str, Any]:
        """The model's description: configuration, limits, chunk size, textures."""
        return wire.description(wire.parse_response(self._call(self.describe_request)))

    def large(self, view: Window | Morph) -> np.ndarray:
        """The pixels of a view of any size, in many requests to one version of the model: uint8 [height, width, 3].

        If the server unloads that version meanwhile, the picture starts again with the newest version. If the server is
        full, fewer than `parallel` requests continue.
        """
        failed: tuple[int, ServingError] | None = None
        while True:
            picture = LargePicture(self._call(self.describe_request), view, self.parallel)
            if failed and failed[0] == picture.version:
                raise failed[1]
            try:
                self._fill(picture)
                return picture.pixels
            except ServingError as error:
                if error.code != "NOT_FOUND":
                    raise
                failed = picture.version, error

    def _fill(self, picture: LargePicture) -> None:
        stopped = threading.Event()

        def work() -> None:
            with contextlib.suppress(WorkerReleased):
                while (piece := picture.next_piece()) and not stopped.is_set():
                    request = self.request(piece[2], version=picture.version)
                    on_failure = functools.partial(picture.release_worker, piece)
                    picture.fill(piece, self._call(request, on_failure, stopped))

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
        on_failure: Callable[[grpc.RpcError], None] | None = None,
        stopped: threading.Event | None = None,
    ) -> bytes:
        """The response, after retries. `on_failure` is called with each failure and may raise."""
        attempts = 0
        while True:
            attempts += 1
            try:
                return self._predict(request, timeout=self.retry_policy.timeout)
            except grpc.RpcError as failure:
                if on_failure:
                    on_failure(failure)
                seconds = self.retry_policy.delay(failure, attempts, self.target)
            if (stopped or threading.Event()).wait(seconds):
                raise ServingError("CANCELLED", f"{self.target}: CANCELLED: another part of the picture failed.")

    @functools.cached_property
    def _predict(self) -> Any:
        return self._channel.unary_unary(wire.PREDICT)
