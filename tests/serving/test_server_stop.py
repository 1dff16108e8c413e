"""A stop waits for requests that run, and for nothing else."""

import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support import plain_model
from tests.support.fake_server import HANG
from tests.support.raw_http2 import RawClient
from tests.support.small_server import OPTIONS, WINDOW, request, until
from tf_psgan_serving.server import admission
from tf_psgan_serving.server.grpc_server import Server
from tf_psgan_serving.server.settings import Settings
from tf_psgan_serving.server.version import Version

LARGE = request(**WINDOW | {"height": 512, "width": 512}).SerializeToString()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server whose time limits no test reaches, and that waits for readers for a moment only."""
    monkeypatch.setattr(admission, "READ_SECONDS", 0.1)
    plain_model.publish(tmp_path / "tiny")
    return Server(Settings(tmp_path, port=0, poll=0.1, receive_seconds=HANG, send_seconds=HANG))


def stopped(server):
    """Whether a stop ends long before its grace, which no test waits for."""
    thread = threading.Thread(target=server.stop, args=(2 * HANG,), daemon=True)
    thread.start()
    thread.join(HANG)
    return not thread.is_alive()


def test_unread_responses_open_watches_and_unfinished_messages_do_not_stretch_a_stop(server):
    assert server.wait_until_loaded(HANG)
    with RawClient(server.port, window=0) as unread, grpc.insecure_channel(server.address, OPTIONS) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=2 * HANG)
        next(watch)
        unread.call(LARGE)
        unread.call()
        until(lambda: server.sending.weight and server.receiving.weight)
        assert stopped(server)


def test_a_stop_does_not_wait_for_a_version_that_loads(tmp_path, monkeypatch):
    plain_model.publish(tmp_path / "tiny")
    begun, go, real = threading.Event(), threading.Event(), Version.set_description

    def held(*arguments):
        begun.set()
        assert go.wait(HANG)
        real(*arguments)

    monkeypatch.setattr(Version, "set_description", held)
    server = Server(Settings(tmp_path, port=0, poll=0.1))
    try:
        assert begun.wait(HANG)
        assert stopped(server)
    finally:
        go.set()
