"""Builds the server from its settings: models, limits and services on one port."""

import concurrent.futures
import contextlib
import functools
import logging
import os
import threading
from collections.abc import Iterator

import grpc
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from tf_psgan_serving.server import health, interceptor, listening, memory_limit, monitoring, services, trial
from tf_psgan_serving.server.admission import AdmissionQueue
from tf_psgan_serving.server.call_guard import CallGuard
from tf_psgan_serving.server.limiters import RateLimiter, ShapeLimiter
from tf_psgan_serving.server.memory_limit import UNFINISHED_MESSAGES
from tf_psgan_serving.server.repository import ModelRepository
from tf_psgan_serving.server.settings import Settings, resolved
from tf_psgan_serving.server.status import StatusError
from tf_psgan_serving.server.upkeep import Upkeep

SERVICES = (
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    grpc_health.SERVICE_NAME,
    reflection.SERVICE_NAME,
)
LOG = logging.getLogger("tf_psgan_serving")
MAX_CALLS = 1000
"""Concurrent calls; gRPC rejects further ones before a thread handles them."""

SPARE_THREADS = 16
"""Threads beyond those of all calls that wait or run, for rejections, health and status."""

CONNECTION_OPTIONS = [
    ("grpc.max_concurrent_streams", 100),  # of one connection
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class Server:
    """A listening server.

    Attributes:
      address: where it listens, as clients write it: host:port, or unix:/path.
      port: the port of the address; 0 for a Unix socket.
      monitor: the HTTP server of metrics; None without.
      queue, receiving, sending: the limits on requests and on calls that wait for their peer.

    Raises:
      ValueError: a setting is wrong, or the address is in use.
      OSError: the TLS file cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._settings = settings = resolved(settings, cores)
        load = functools.partial(
            trial.load, required=settings.signatures, threads=settings.threads, trusted=settings.trust_models
        )
        self._health = health.HealthServicer()
        self._models = ModelRepository(settings.models, load, settings.poll, self._health.update)
        self.receiving = CallGuard(settings.receive_seconds, UNFINISHED_MESSAGES)
        self.sending = CallGuard(settings.send_seconds, settings.unread_mb * 2**20)
        self._ready = threading.Event()  # the models that were present at the start have been scanned
        self._upkeep = Upkeep([self.receiving.expire, self.sending.expire, self._update_readiness])
        unread = int(settings.unread_mb * 2**20 / interceptor.LEAST_WEIGHT)
        requests = settings.running + settings.waiting + settings.large
        threads = requests + UNFINISHED_MESSAGES + unread + interceptor.MAX_STREAMS + SPARE_THREADS
        self._metrics = monitoring.Metrics(self._gauges)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "grpc")
        options = [
            ("grpc.max_receive_message_length", int(settings.request_mb * 2**20)),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # otherwise a second server would share the port without an error
            ("grpc.max_connection_age_grace_ms", int(1000 * (settings.seconds + settings.send_seconds))),
            *CONNECTION_OPTIONS,
        ]
        self._server = grpc.server(
            self._pool,
            interceptors=[interceptor.StatusInterceptor(self.receiving, self.sending, self._metrics.ended)],
            options=options,
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        self.queue = AdmissionQueue(settings.running, settings.waiting, settings.large)
        prediction = services.PredictionService(
            self._models,
            self.queue,
            RateLimiter(settings.rate),
            ShapeLimiter(settings.sizes),
            settings.seconds,
            self._metrics.made,
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(services.ModelService(self._models), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(SERVICES, self._server)
        self.address, self.port = listening.bind(self._server, settings)
        self.monitor = None
        if settings.metrics_port >= 0:
            host = listening.metrics_host(settings.host)
            self.monitor = monitoring.Monitor(host, settings.metrics_port, self._metrics, lambda: self.unready)
            self.monitor.start()
            LOG.info("metrics on %s:%d", host, self.monitor.port)
        self._server.start()
        text = "listening on %s, %d requests run and %d wait"
        LOG.info(text, self.address, settings.running, settings.waiting)
        if not (settings.ssl_config_file or listening.is_local(settings.host)):
            LOG.warning("%s: other machines can connect without encryption; use --ssl_config_file", settings.host)
        self._models.start()
        self._upkeep.start()

    def wait_until_loaded(self, seconds: float) -> bool:
        """Waits until the models that were present at the start are loaded or have failed; whether they are."""
        return self._ready.wait(seconds)

    @property
    def unready(self) -> str:
        """Why requests cannot be answered now; "" if they can."""
        return health.unready(self._models, self.queue.longest_run, self._settings.seconds)

    def _gauges(self) -> Iterator[tuple[str, str, dict[str, float]]]:
        running, waiting = self.queue.counts()
        yield "psgan_ready", "1 if requests can be answered.", {"": float(not self.unready)}
        yield "psgan_running", "Requests that run.", {"": running}
        yield "psgan_waiting", "Requests that wait.", {"": waiting}
        yield "psgan_unfinished_messages", "Calls whose message has not arrived.", {"": self.receiving.weight}
        yield "psgan_unread_bytes", "Responses that are not read, at least 4 MB each.", {"": self.sending.weight}
        ended = self.receiving.ended + self.sending.ended
        yield "psgan_stalled_calls", "Calls ended because their peer did not go on.", {"": ended}
        yield "psgan_watch_age_seconds", "Seconds since the models' folder was looked at.", {"": self._models.watch_age}
        versions = {name: float(model.number) for name, model in self._models.models.items()}
        yield "psgan_version", "The version in service; 0 for none.", versions
        text = "Memory that requests for a model can take at most, beyond the loaded models."
        yield "psgan_worst_case_bytes", text, dict(self._worst_cases())

    def _worst_cases(self) -> Iterator[tuple[str, float]]:
        for name, model in self._models.models.items():
            with contextlib.suppress(StatusError), model.use(None) as version:
                yield name, float(memory_limit.worst_case(self._settings, version.description))

    def _update_readiness(self) -> None:
        reason = self.unready
        self._health.update("", not reason)
        if not self._models.loading and not self._ready.is_set():
            if reason:
                LOG.warning("%s: no version is loaded yet", self._settings.models)
            self._ready.set()

    def stop(self, grace: float) -> None:
        """Rejects new requests, lets running ones finish within `grace` seconds, and closes the models."""
        self._health.enter_graceful_shutdown()
        self.queue.drain(grace)
        self._server.stop(None).wait()  # what is left is health watches, and peers that ignore that they are to go
        self._upkeep.close()
        if self.monitor:
            self.monitor.close()
        self._models.close()
        self._pool.shutdown(wait=False)
