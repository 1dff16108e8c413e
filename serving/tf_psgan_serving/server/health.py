"""Health over gRPC: liveness of the process, readiness of the server, and each model.

The service "" is ready if requests can be answered; "liveness" is healthy as long as the process answers at all.
"""

from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from tf_psgan_serving.server.repository import ModelRepository

LIVENESS = "liveness"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

WATCH_SECONDS = 60.0
"""Age of the last look at the models' folder beyond which the server is not ready."""

RUN_SPARE = 30.0
"""Seconds beyond the time limit of a request after which a running one is taken to be stuck."""


class HealthServicer(health.HealthServicer):
    """gRPC's health service with the method List."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=False)
        self._states: dict[str, bool] = {}
        self.update("", False)
        self.update(LIVENESS, True)

    def List(self, request: Any, context: Any) -> Any:
        """The states of all services."""
        with self._lock:
            states = dict(self._server_status)
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=state) for name, state in states.items()}
        )

    def Check(self, request: Any, context: Any) -> Any:
        """The state of one service."""
        with self._lock:
            known = request.service in self._server_status
        if not known:
            context.abort(grpc.StatusCode.NOT_FOUND, "no service or model of this name")
        return super().Check(request, context)

    def update(self, service: str, healthy: bool) -> None:
        """Sets a state; only a change notifies the watching clients."""
        if self._states.get(service) is not healthy:
            self._states[service] = healthy
            self.set(service, SERVING if healthy else NOT_SERVING)


def unready(models: ModelRepository, longest_run: Callable[[], float], seconds: float) -> str:
    """Why requests cannot be answered now; "" if they can.

    Args:
      longest_run: seconds since the oldest running request began.
      seconds: time limit of a request.
    """
    if models.loading:
        return "loading: models that were present at the start are not loaded yet"
    if not any(model.number for model in models.models.values()):
        return "no model: no version is loaded"
    if models.watch_age > WATCH_SECONDS:
        return f"watch dead: the folder of models was last looked at {models.watch_age:.0f} s ago"
    if longest_run() > seconds + RUN_SPARE:
        return f"locked: a request has run for {longest_run():.0f} s"
    return ""
