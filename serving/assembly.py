"""A whole server from its settings: models, limits and services behind one port."""

import concurrent.futures
import functools
import logging
import os
import time
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2
from tensorflow_serving.apis import model_service_pb2_grpc as model_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc as prediction_grpc

from serving import limits, predict, refusals, tls
from serving.models import Models
from serving.settings import Settings
from serving.versions import Version

SERVICES = (
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    health.SERVICE_NAME,
    reflection.SERVICE_NAME,
)
LOG = logging.getLogger("serving")
MOST_CALLS = 1000
"""Calls at once; gRPC itself refuses more before any thread looks at them."""

SPARE_THREADS = 16
"""Threads beside those of requests that run and wait: they refuse, and answer health and status."""


class Server:
    """A server that listens; `port` is where.

    Args:
      settings: what the flags say.

    Raises:
      ValueError: a setting is wrong, or the address is taken.
      OSError: the TLS file cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        running = settings.running or max(1, (settings.threads or cores) // 2)
        waiting = running if settings.waiting < 0 else settings.waiting
        load = functools.partial(Version, wanted=settings.signatures, threads=settings.threads or cores)
        self._health = _Health()
        self._models = Models(settings.models, load, settings.poll, self._health.changed)
        self._pool = concurrent.futures.ThreadPoolExecutor(running + waiting + refusals.STREAMS + SPARE_THREADS, "grpc")
        options = [
            ("grpc.max_receive_message_length", int(settings.request_mb * 2**20)),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # or a second server would share the port without a word
        ]
        self._server = grpc.server(
            self._pool, interceptors=[refusals.Guard()], options=options, maximum_concurrent_rpcs=MOST_CALLS
        )
        self._line = limits.Line(running, waiting)
        prediction = predict.Prediction(
            self._models,
            self._line,
            limits.Rate(settings.rate),
            limits.Sizes(settings.sizes),
            settings.seconds,
        )
        prediction_grpc.add_PredictionServiceServicer_to_server(prediction, self._server)
        model_grpc.add_ModelServiceServicer_to_server(predict.Status(self._models), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        reflection.enable_server_reflection(SERVICES, self._server)
        self.port = _bind(self._server, settings)
        self._models.start()
        self._server.start()
        LOG.info("listening on %s:%d, %d requests run and %d wait", settings.host, self.port, running, waiting)
        if not settings.ssl_config_file and settings.host not in ("127.0.0.1", "::1", "localhost"):
            LOG.warning("%s: others may connect and nothing is encrypted; give --ssl_config_file", settings.host)
        if not self._health.served:
            LOG.warning("%s: holds no version that can be served yet", settings.models)

    def stop(self, grace: float) -> None:
        """Accepts nothing more, lets running requests end within `grace` seconds, and closes the models."""
        self._health.servicer.enter_graceful_shutdown()
        over = time.monotonic() + grace
        self._line.drain(grace)
        self._server.stop(max(0.0, over - time.monotonic())).wait()
        self._models.close()
        self._pool.shutdown(wait=False)


class _Health:
    """gRPC's health service: "" for the whole server, and each model by its name."""

    def __init__(self) -> None:
        self.servicer = health.HealthServicer()
        self.served: set[str] = set()
        self._states: dict[str, bool] = {}
        self._set("", False)

    def changed(self, name: str, available: bool) -> None:
        """Notes whether a model is served."""
        (self.served.add if available else self.served.discard)(name)
        self._set(name, available)
        self._set("", bool(self.served))

    def _set(self, service: str, well: bool) -> None:
        if self._states.get(service) is not well:  # or those that watch would be told at every look
            self._states[service] = well
            states = health_pb2.HealthCheckResponse
            self.servicer.set(service, states.SERVING if well else states.NOT_SERVING)


def _bind(server: Any, settings: Settings) -> int:
    """Takes the address; the port."""
    secure = tls.credentials(settings.ssl_config_file) if settings.ssl_config_file else None
    address = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    try:
        port: int = server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        also = f"; or key and certificate in {settings.ssl_config_file} do not go together" if secure else ""
        raise ValueError(f"{address}: cannot listen there; choose another --port or --host{also}.")
    return port
