"""The asyncio client; `Client` documents the methods."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
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


class AsyncClient(RequestBuilder):
    """`Client` under asyncio: the same settings, methods and errors. Belongs to the event loop of its first request."""

    @functools.cached_property
    def _channel(self) -> grpc.aio.Channel:
        if self.credentials:
            return grpc.aio.secure_channel(self.target, self.credentials, OPTIONS)
        return grpc.aio.insecure_channel(self.target, OPTIONS)

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the client."""
        await self.close()

    async def close(self) -> None:
        """As `Client.close`."""
        await self._channel.close()

    async def window(
        self, height: int, width: int, *, top: int = 0, left: int = 0, seed: int = 0, texture: int = 0
    ) -> np.ndarray:
        """As `Client.window`."""
        return await self.picture(Window(seed=seed, texture=texture, top=top, left=left, height=height, width=width))

    async def tile(self, height: int, width: int, *, seed: int = 0, texture: int = 0) -> np.ndarray:
        """As `Client.tile`."""
        return await self.picture(Tile(seed=seed, texture=texture, height=height, width=width))

    async def morph(self, height: int, width: int, *, textures: Sequence[int], seed: int = 0) -> np.ndarray:
        """As `Client.morph`."""
        return await self.picture(Morph.whole(height, width, textures=textures, seed=seed))

    async def picture(self, view: View) -> np.ndarray:
        """As `Client.picture`."""
        response = self.response(await self._call(self.request(view), self.attempts()))
        return wire.image(response, view.height, view.width)

    async def encoded(self, view: View, encoding: Encoding) -> bytes:
        """As `Client.encoded`."""
        response = self.response(await self._call(self.request(view, encoding), self.attempts()))
        return wire.encoded_image(response, encoding, view.height, view.width)

    async def describe(self) -> dict[str, Any]:
        """As `Client.describe`."""
        return wire.description(self.response(await self._call(self.describe_request, self.attempts())))

    async def large(self, view: Window | Morph, *, partial: Path | None = None) -> np.ndarray:
        """As `Client.large`. Cancelling it cancels its requests."""
        picture, attempts = LargePicture(view, self.parallel, partial), self.attempts()
        while True:
            picture.start(await self._call(self.describe_request, attempts, temporary=(grpc.StatusCode.NOT_FOUND,)))
            attempts.begun = True
            try:
                await self._fill(picture, attempts)
                if picture.must_check:
                    picture.finish(await self._call(self.describe_request, attempts))
                return picture.pixels
            except ServingError as error:
                picture.next_round(error)

    async def _fill(self, picture: LargePicture, attempts: Attempts) -> None:
        async def work() -> None:
            with contextlib.suppress(WorkerReleased):
                while piece := picture.next_piece():
                    request = self.request(piece[2], version=picture.version)
                    on_failure = functools.partial(picture.release_worker, piece)
                    picture.fill(piece, await self._call(request, attempts, on_failure))

        workers = [asyncio.ensure_future(work()) for _ in range(self.parallel)]
        try:
            await asyncio.gather(*workers)
        except BaseException:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            raise

    async def _call(
        self,
        request: bytes,
        attempts: Attempts,
        on_failure: Callable[[grpc.RpcError], None] | None = None,
        temporary: tuple[grpc.StatusCode, ...] = (),
    ) -> Answer:
        number = 0
        while True:
            number += 1
            try:
                call = self._predict(request, timeout=attempts.timeout())
                data, metadata = await call, await call.trailing_metadata()
                attempts.succeed()
                return Answer.of(data, metadata)
            except grpc.RpcError as failure:
                if on_failure:
                    on_failure(failure)
                seconds = attempts.delay(failure, number, temporary)
            await asyncio.sleep(seconds)

    @functools.cached_property
    def _predict(self) -> Any:
        return self._channel.unary_unary(wire.PREDICT)
