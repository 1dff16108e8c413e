"""Prometheus metrics, liveness and readiness over HTTP, on a port of their own.

The paths are /metrics, /livez and /readyz. Nothing here waits for gRPC's threads.
"""

import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import prometheus_client
from prometheus_client import core, process_collector

SECONDS = 5.0
"""Longest time of a request for metrics."""


class Metrics:
    """Counts requests, and reads the server's other values when they are asked for.

    Args:
      gauges: values by name and label: (name, help, {model: value}); the model "" has no label.
    """

    def __init__(self, gauges: Callable[[], Iterable[tuple[str, str, dict[str, float]]]]) -> None:
        self.registry = core.CollectorRegistry()
        process_collector.ProcessCollector(registry=self.registry)
        self._requests = prometheus_client.Counter(
            "psgan_requests", "Calls that have ended.", ["method", "code"], registry=self.registry
        )
        self._seconds = prometheus_client.Histogram(
            "psgan_request_seconds", "Seconds from the message to the response.", ["method"], registry=self.registry
        )
        self._pixels = prometheus_client.Counter("psgan_pixels", "Pixels of the pictures made.", registry=self.registry)
        self._gauges = gauges
        self.registry.register(self)

    def ended(self, method: str, code: str, seconds: float) -> None:
        """Counts a call."""
        self._requests.labels(method, code).inc()
        self._seconds.labels(method).observe(seconds)

    def made(self, pixels: float) -> None:
        """Counts the pixels of a response."""
        self._pixels.inc(pixels)

    def collect(self) -> Iterator[Any]:
        """Prometheus' hook: the values of this moment."""
        for name, text, values in self._gauges():
            family = core.GaugeMetricFamily(name, text, labels=["model"] if "" not in values else None)
            for label, value in values.items():
                family.add_metric([label] if label else [], value)
            yield family


class Monitor:
    """The HTTP server.

    Args:
      host, port: to listen on; port 0 for any free one.
      metrics: to show.
      unready: why requests cannot be answered now; "" if they can.

    Attributes:
      port: the port that it listens on.

    Raises:
      ValueError: the address cannot be used.
    """

    def __init__(self, host: str, port: int, metrics: Metrics, unready: Callable[[], str]) -> None:
        show = prometheus_client.make_wsgi_app(metrics.registry)

        def answer(environment: dict[str, Any], start: Any) -> Any:
            path = environment.get("PATH_INFO")
            if path == "/metrics":
                return show(environment, start)
            reason = unready() if path == "/readyz" else ""
            known = path in ("/livez", "/readyz")
            status = "404 Not Found" if not known else "503 Service Unavailable" if reason else "200 OK"
            start(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{reason or ('ok' if known else 'try /metrics, /livez or /readyz')}\n".encode()]

        try:
            self._server = wsgiref.simple_server.make_server(host, port, answer, _Server, _Handler)
        except OSError as error:
            text = f"{host}:{port}: cannot listen there for metrics ({error.strerror}); choose another --metrics_port"
            raise ValueError(text) from None
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def start(self) -> None:
        """Starts to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stops to answer, and closes the port."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error."""


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = SECONDS

    def log_message(self, format: str, *arguments: Any) -> None:
        """Probes are not logged."""
