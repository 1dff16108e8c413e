"""Pictures from a server of exported models, over the gRPC API of TensorFlow Serving; loads no TensorFlow.

    with Client("localhost:8500", "honeycomb") as client:
        picture = client.window(seed=1, texture=0, top=-100, left=10**9, height=512, width=512)
        large = client.large(Window(seed=1, texture=0, top=0, left=0, height=16384, width=16384))

`AsyncClient` does the same under asyncio. As a command: python -m serving.client --help
"""

import os
import sys

if __name__ == "__main__":  # before gRPC is loaded: its own words would stand beside the command's one line
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import contextlib
import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Self

import grpc
import numpy as np

from serving import wire
from serving.asking import Asker, Large, Left
from serving.async_client import AsyncClient as AsyncClient
from serving.channels import OPTIONS, PREDICT
from serving.channels import Tls as Tls
from serving.views import Encoding, Morph, Torus, View, Window
from serving.wire import Error


class Client(Asker):
    """Asks a server for pictures; may be used from several threads.

    What fails because the server is away, full or late (UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED) is tried
    again after growing waits: asking twice does no harm. Every method raises `Error` for what fails otherwise or for
    too long, its `code` the name of gRPC's status code; and ValueError for a view that is none.

    Args:
      target: host:port.
      model: its name on the server.
      tls: None for a connection without encryption.
      timeout: seconds for one try.
      retries: tries after the first.
      parallel: requests at a time for one large picture, at most.
      version: of the model; 0 for the newest.

    Raises:
      ValueError: a setting out of range, or a TLS file that is no PEM.
      OSError: a TLS file that cannot be read.
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
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Ends the connection; requests under way fail as CANCELLED."""
        self._channel.close()

    def window(self, seed: int, texture: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A window of a texture's plane, uint8 [height, width, 3]; the arguments are those of `Window`."""
        return self.picture(Window(seed, texture, top, left, height, width))

    def torus(self, seed: int, texture: int, height: int, width: int) -> np.ndarray:
        """An exact tile, uint8 [height, width, 3]; the arguments are those of `Torus`."""
        return self.picture(Torus(seed, texture, height, width))

    def morph(self, seed: int, textures: Sequence[int], height: int, width: int) -> np.ndarray:
        """Four textures blended over the whole picture, uint8 [height, width, 3]; for a window of it see `Morph`."""
        return self.picture(Morph.whole(seed, textures, height, width))

    def picture(self, view: View) -> np.ndarray:
        """What a view shows, by one request: uint8 [height, width, 3]."""
        return wire.picture(wire.response(self._call(self.asking(view))), view.height, view.width)

    def encoded(self, view: View, encoding: Encoding) -> bytes:
        """What a view shows, by one request, as the server's PNG or JPEG file."""
        answer = wire.response(self._call(self.asking(view, encoding)))
        return wire.encoded(answer, encoding, view.height, view.width)

    def describe(self) -> dict[str, Any]:
        """What the model says of itself: its configuration, limits, tiles, textures."""
        return wire.description(wire.response(self._call(self.describing)))

    def large(self, view: Window | Morph) -> np.ndarray:
        """What a view of any extent shows, by many requests for one version of the model: uint8 [height, width, 3].

        Where that version leaves the server on the way, the picture starts over with the one that came. Where the
        server is full, fewer than `parallel` requests go on.
        """
        failed: tuple[int, Error] | None = None
        while True:
            job = Large(self._call(self.describing), view, self.parallel)
            if failed and failed[0] == job.version:
                raise failed[1]
            try:
                self._fill(job)
                return job.picture
            except Error as error:
                if error.code != "NOT_FOUND":
                    raise
                failed = job.version, error

    def _fill(self, job: Large) -> None:
        stopped = threading.Event()

        def work() -> None:
            with contextlib.suppress(Left):
                while (piece := job.take()) and not stopped.is_set():
                    request, leave = self.asking(piece[2], version=job.version), functools.partial(job.leave, piece)
                    job.fill(piece, self._call(request, leave, stopped))

        with ThreadPoolExecutor(self.parallel) as pool:
            working = [pool.submit(work) for _ in range(self.parallel)]
            try:
                for done in as_completed(working):
                    done.result()
            except BaseException:  # Ctrl-C too: only what is under way comes to its end
                stopped.set()
                raise

    def _call(
        self,
        request: bytes,
        leave: Callable[[grpc.RpcError], None] | None = None,
        stopped: threading.Event | None = None,
    ) -> bytes:
        """The answer, after as many tries as it takes; `leave` is shown each failure and may end them."""
        tries = 0
        while True:
            tries += 1
            try:
                return self._predict(request, timeout=self.patience.timeout)
            except grpc.RpcError as failure:
                if leave:
                    leave(failure)
                seconds = self.patience.wait(failure, tries, self.target)
            if (stopped or threading.Event()).wait(seconds):
                raise Error("CANCELLED", f"{self.target}: CANCELLED: another part of the picture failed first.")

    @functools.cached_property
    def _predict(self) -> Any:
        return self._channel.unary_unary(PREDICT)


if __name__ == "__main__":
    from serving import client_command

    sys.exit(client_command.main(sys.argv[1:]))
