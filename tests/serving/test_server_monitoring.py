"""Metrics, liveness and readiness have a port of their own."""

import socket
import types
import urllib.error
import urllib.request

import pytest

from tests.support import plain_model
from tests.support.fake_server import HANG
from tests.support.small_server import WINDOW, predict, request, running, status
from tf_psgan_serving.server import health
from tf_psgan_serving.server.monitoring import Metrics, Monitor


def get(monitor, path):
    """The status and text of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{monitor.port}{path}", timeout=HANG) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_requests_pixels_and_versions_are_counted(tmp_path):
    plain_model.publish(tmp_path / "tiny", number=7)
    with running(tmp_path, metrics_port=0) as (server, channel):
        predict(channel, request(**WINDOW))
        assert status(channel, request(**WINDOW | {"height": 0}))[0] == "INVALID_ARGUMENT"
        code, text = get(server.monitor, "/metrics")
        assert code == 200
        predicted = 'method="/tensorflow.serving.PredictionService/Predict"'
        for line in (
            f'psgan_requests_total{{code="OK",{predicted}}} 1.0',
            f'psgan_requests_total{{code="INVALID_ARGUMENT",{predicted}}} 1.0',
            "psgan_pixels_total 2000.0",
            "psgan_ready 1.0",
            "psgan_running 0.0",
            'psgan_version{model="tiny"} 7.0',
        ):
            assert line in text.splitlines()
        assert get(server.monitor, "/readyz") == get(server.monitor, "/livez") == (200, "ok\n")
        assert get(server.monitor, "/x")[0] == 404


class Models:
    """The attributes of a repository that readiness depends on."""

    def __init__(self, loading=False, number=1, watch_age=0.0):
        self.loading, self.watch_age = loading, watch_age
        self.models = {"m": types.SimpleNamespace(number=number)}


@pytest.mark.parametrize(
    "models, run, reason",
    [
        (Models(loading=True), 0.0, "loading: "),
        (Models(number=0), 0.0, "no model: "),
        (
            Models(watch_age=health.WATCH_SECONDS + 1.0),
            0.0,
            "watch dead: the folder of models was last looked at 61 s ago",
        ),
        (Models(), 10.0 + health.RUN_SPARE + 1.0, "locked: a request has run for 41 s"),
        (Models(watch_age=health.WATCH_SECONDS), 10.0 + health.RUN_SPARE, ""),
    ],
)
def test_a_server_is_unready_while_it_loads_without_a_model_with_a_dead_watch_and_when_locked(models, run, reason):
    found = health.unready(models, lambda: run, seconds=10.0)
    assert found.startswith(reason) and bool(found) == bool(reason)


def test_readiness_says_why_and_liveness_does_not_depend_on_it():
    monitor = Monitor("127.0.0.1", 0, Metrics(lambda: []), lambda: "no model: no version is loaded")
    monitor.start()
    try:
        with socket.create_connection(("127.0.0.1", monitor.port)):  # a client that sends nothing
            assert get(monitor, "/readyz") == (503, "no model: no version is loaded\n")
            assert get(monitor, "/livez")[0] == 200
        with pytest.raises(ValueError, match="cannot listen there for metrics"):
            Monitor("127.0.0.1", monitor.port, Metrics(lambda: []), lambda: "")
    finally:
        monitor.close()
