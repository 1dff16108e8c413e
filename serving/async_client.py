"""The asyncio client; `serving.client` says what its methods do."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

import grpc
import numpy as np

from serving import wire
from serving.asking import Asker, Large, Left
from serving.channels import OPTIONS, PREDICT
from serving.views import Encoding, Morph, Torus, View, Window
from serving.wire import Error


class AsyncClient(Asker):
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
        """Closes it."""
        await self.close()

    async def close(self) -> None:
        """As `Client.close`."""
        await self._channel.close()

    async def window(self, seed: int, texture: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """As `Client.window`."""
        return await self.picture(Window(seed, texture, top, left, height, width))

    async def torus(self, seed: int, texture: int, height: int, width: int) -> np.ndarray:
        """As `Client.torus`."""
        return await self.picture(Torus(seed, texture, height, width))

    async def morph(self, seed: int, textures: Sequence[int], height: int, width: int) -> np.ndarray:
        """As `Client.morph`."""
        return await self.picture(Morph.whole(seed, textures, height, width))

    async def picture(self, view: View) -> np.ndarray:
        """As `Client.picture`."""
        return wire.picture(wire.response(await self._call(self.asking(view))), view.height, view.width)

    async def encoded(self, view: View, encoding: Encoding) -> bytes:
        """As `Client.encoded`."""
        answer = wire.response(await self._call(self.asking(view, encoding)))
        return wire.encoded(answer, encoding, view.height, view.width)

    async def describe(self) -> dict[str, Any]:
        """As `Client.describe`."""
        return wire.description(wire.response(await self._call(self.describing)))

    async def large(self, view: Window | Morph) -> np.ndarray:
        """As `Client.large`; cancelled, it takes its requests along."""
        failed: tuple[int, Error] | None = None
        while True:
            job = Large(await self._call(self.describing), view, self.parallel)
            if failed and failed[0] == job.version:
                raise failed[1]
            try:
                await self._fill(job)
                return job.picture
            except Error as error:
                if error.code != "NOT_FOUND":
                    raise
                failed = job.version, error

    async def _fill(self, job: Large) -> None:
        async def work() -> None:
            with contextlib.suppress(Left):
                while piece := job.take():
                    request, leave = self.asking(piece[2], version=job.version), functools.partial(job.leave, piece)
                    job.fill(piece, await self._call(request, leave))

        working = [asyncio.ensure_future(work()) for _ in range(self.parallel)]
        try:
            await asyncio.gather(*working)
        except BaseException:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            raise

    async def _call(self, request: bytes, leave: Callable[[grpc.RpcError], None] | None = None) -> bytes:
        tries = 0
        while True:
            tries += 1
            try:
                return await self._predict(request, timeout=self.patience.timeout)
            except grpc.RpcError as failure:
                if leave:
                    leave(failure)
                seconds = self.patience.wait(failure, tries, self.target)
            await asyncio.sleep(seconds)

    @functools.cached_property
    def _predict(self) -> Any:
        return self._channel.unary_unary(PREDICT)
