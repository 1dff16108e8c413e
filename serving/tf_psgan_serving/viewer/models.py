"""The models of the server: their names, versions and descriptions, and requests for their pictures."""

import asyncio
import collections
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np

from tf_psgan_serving import wire
from tf_psgan_serving.client.async_client import AsyncClient
from tf_psgan_serving.client.channels import FIRST_DELAY, OPTIONS, Tls
from tf_psgan_serving.client.views import Limits, View
from tf_psgan_serving.errors import ServingError

KEPT_SECONDS = 5.0
"""Age at which a description or the list of models is requested again."""

MOST_VERSIONS = 256
"""Descriptions that are kept."""

MOST_NAMES = 256
"""Textures with names of a model."""

NOT_MODELS = ("", "liveness")
"""Services of the embedded server that are not models."""


@dataclasses.dataclass(frozen=True)
class Version:
    """A version of a model.

    Attributes:
      model: its name.
      number: of the version.
      identity: of its content; "" for an export without one.
      limits: of one request.
      cell: side of a cell in pixels.
      several: whether there is a texture for each integer, rather than one.
      names: of textures, with their numbers, in the order of these.
      scenes: whether it has the signature `scene`: blends, paintings and moving noise.
      detail: "patches" with a detail stage, otherwise "none".
      licence: of the training pictures; "" if it is not stated.
    """

    model: str
    number: int
    identity: str
    limits: Limits
    cell: int
    several: bool
    names: tuple[tuple[str, int], ...]
    scenes: bool
    detail: str
    licence: str

    @classmethod
    def from_description(cls, model: str, number: int, description: Mapping[str, Any]) -> "Version":
        """Reads what `describe` returns.

        Raises:
          ServingError: WRONG_RESPONSE, something is missing.
        """
        limits = Limits.from_description(description)
        signatures = description.get("signatures")
        cell, settings = description.get("pixels_per_cell"), description.get("model", {})
        if not isinstance(cell, int) or cell < 1 or not isinstance(settings, dict):
            raise wire.wrong_response("description: no usable pixels_per_cell and model")
        return cls(
            model=model,
            number=number,
            identity=str(description.get("identity", ""))[:64],
            limits=limits,
            cell=cell,
            several=bool(settings.get("global_channels")),
            names=_names(description.get("texture_numbers")),
            scenes=isinstance(signatures, list) and "scene" in signatures,
            detail=str(description.get("detail", "none"))[:20],
            licence=str(description.get("source_licence", ""))[:200],
        )


def _names(found: Any) -> tuple[tuple[str, int], ...]:
    """What a description says of textures' names; nothing where it is not as an export writes it."""
    pairs = [*found.items()][:MOST_NAMES] if isinstance(found, dict) else []
    fitting = [(str(name)[:80], number) for name, number in pairs if type(number) is int and 0 <= number < 2**63]
    return tuple(sorted(fitting, key=lambda pair: pair[1]))


class _ModelClient(AsyncClient):
    """A client whose every request may name a version."""

    async def described(self, number: int) -> Version:
        """The version with this number; 0 for the newest."""
        request = wire.predict_request(self.model, number, "describe", {})
        response = self.response(await self._call(request, self.attempts()))
        return Version.from_description(self.model, response.model_spec.version.value, wire.description(response))

    async def pixels(self, view: View, version: Version) -> np.ndarray:
        """The pixels of a view, uint8 [height, width, 3]."""
        answer = await self._call(self.request(view, version=version.number), self.attempts())
        response = self.response(answer)
        found = response.model_spec.version.value
        if found != version.number:
            raise wire.wrong_response(f"version {found} of the model, not {version.number}")
        if answer.identity and version.identity and answer.identity != version.identity:
            raise ServingError("NOT_FOUND", f"version {found} of {self.model} has other content now; reload the page.")
        return wire.image(response, view.height, view.width)


class Models:
    """All models of one server. Belongs to the event loop of its first request.

    Args:
      target: its gRPC address; no request changes it.
      names: of the models; empty to ask the server's health service, as of the embedded server.
      tls: None for an unencrypted connection.
      deadline: seconds for one request with its retries.
      clock: seconds.

    Raises:
      ValueError: the address or a TLS file is unusable.
      OSError: a TLS file cannot be read.
    """

    def __init__(
        self,
        target: str,
        names: tuple[str, ...] = (),
        *,
        tls: Tls | None = None,
        deadline: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target, self._named, self._tls, self._deadline, self._clock = target, names, tls, deadline, clock
        self._clients: dict[str, _ModelClient] = {}
        self._listed: tuple[float, tuple[str, ...]] = (-1e9, ())
        self.is_ready = True
        """Whether the server said so when it listed its models; not while it loads those that it had at its start."""
        self._versions: collections.OrderedDict[tuple[str, int], tuple[float, Version]] = collections.OrderedDict()
        self._descriptions: dict[tuple[str, int], asyncio.Task[Version]] = {}
        self._channel: grpc.aio.Channel | None = None
        self._client("")  # checks the settings

    async def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            await client.close()
        if self._channel:
            await self._channel.close()

    async def names(self) -> tuple[str, ...]:
        """The names of the models, sorted; of a server that lists them, those that are loaded.

        Raises:
          ServingError: the server cannot be reached, or UNIMPLEMENTED, it does not list its models.
        """
        if self._named:
            return self._named
        since, names = self._listed
        if self._clock() - since > KEPT_SECONDS or not (names and self.is_ready):
            self._listed = (self._clock(), await self._list())
        return self._listed[1]

    async def newest(self, name: str) -> Version:
        """The newest version of a model whose name is known.

        Raises:
          ServingError: as the clients' methods.
        """
        return await self._described(name, 0)

    async def version(self, name: str, number: int) -> Version:
        """A version of a model whose name is known.

        Raises:
          ServingError: as the clients' methods; NOT_FOUND, there is no such version.
        """
        return await self._described(name, number)

    async def pixels(self, version: Version, view: View) -> np.ndarray:
        """The pixels of a view, uint8 [height, width, 3]. Waits while the server is full.

        Raises:
          ServingError: as the clients' methods; NOT_FOUND, the version has another identity now.
        """
        while True:
            try:
                return await self._client(version.model).pixels(view, version)
            except ServingError as error:
                if error.code == "NOT_FOUND":
                    self._versions.clear()
                if not _is_full(error):
                    raise
            await asyncio.sleep(FIRST_DELAY)  # whoever asked ends the wait

    async def _described(self, name: str, number: int) -> Version:
        key = (name, number)
        since, version = self._versions.get(key, (-1e9, None))
        if version is not None and self._clock() - since <= KEPT_SECONDS:
            return version
        task = self._descriptions.get(key)
        if task is None:
            task = self._descriptions[key] = asyncio.ensure_future(self._describe(key, version))
            task.add_done_callback(lambda done: self._described_once(key, done))
        return await asyncio.shield(task)

    async def _describe(self, key: tuple[str, int], known: Version | None) -> Version:
        """The description of a version. While the server is full, an old one; without one it waits."""
        name, number = key
        async with asyncio.timeout(self._deadline):
            while True:
                try:
                    version = await self._client(name).described(number)
                    break
                except ServingError as error:
                    if not _is_full(error):
                        raise
                    if known is not None:
                        return known
                await asyncio.sleep(FIRST_DELAY)
        for kept in {key, (name, version.number)}:
            self._versions[kept] = (self._clock(), version)
        while len(self._versions) > MOST_VERSIONS:
            self._versions.popitem(last=False)
        return version

    def _described_once(self, key: tuple[str, int], done: "asyncio.Task[Version]") -> None:
        self._descriptions.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may be gone

    def _client(self, name: str) -> _ModelClient:
        if name not in self._clients:
            settings: dict[str, Any] = {"tls": self._tls, "timeout": self._deadline, "deadline": self._deadline}
            self._clients[name] = _ModelClient(self.target, name, **settings)
        return self._clients[name]

    async def _list(self) -> tuple[str, ...]:
        if self._channel is None:
            credentials = self._tls.credentials() if self._tls else None
            self._channel = (
                grpc.aio.secure_channel(self.target, credentials, OPTIONS)
                if credentials
                else grpc.aio.insecure_channel(self.target, OPTIONS)
            )
        try:
            data = await self._channel.unary_unary(wire.HEALTH_LIST)(b"", timeout=min(5.0, self._deadline))
        except grpc.RpcError as failure:
            code: Any = failure.code()
            raise ServingError(code.name, f"{self.target}: {code.name}: the models cannot be listed.") from None
        services = wire.services(data)
        self.is_ready = services.get("", True)
        return tuple(sorted(name for name, is_loaded in services.items() if is_loaded and name not in NOT_MODELS))


def _is_full(error: ServingError) -> bool:
    """Whether the server has no place now. A picture for which it has too little memory would fail again."""
    return error.code == "RESOURCE_EXHAUSTED" and "memory" not in str(error)
