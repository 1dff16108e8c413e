"""Peers that leave calls half open or responses unread hold nothing that others need."""

import contextlib

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support import plain_model
from tests.support.fake_server import HANG
from tests.support.raw_http2 import RawClient
from tests.support.small_server import WINDOW, predict, request, running, until
from tf_psgan_serving.server.call_guard import CallGuard
from tf_psgan_serving.server.memory_limit import UNFINISHED_MESSAGES

LARGE = request(**WINDOW | {"height": 512, "width": 512}).SerializeToString()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    plain_model.publish(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def server(models):
    """A server whose time limits no test reaches, and a channel."""
    with running(models, receive_seconds=HANG, send_seconds=HANG) as both:
        yield both


def check(channel):
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=HANG)
    return answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("count", [30, 90])
def test_health_and_requests_are_answered_beside_headers_without_data(server, count):
    started, channel = server
    with RawClient(started.port) as raw:
        for _ in range(count):
            raw.call()
        for _ in range(5):
            assert check(channel)
            predict(channel, request())


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/tensorflow.serving.ModelService/GetModelStatus"])
def test_half_open_calls_of_other_methods_block_nothing(server, method):
    started, channel = server
    with RawClient(started.port) as raw:
        for _ in range(60):
            raw.call(method=method)
        assert check(channel)
        predict(channel, request())


def test_clients_that_vanish_in_the_middle_of_a_message_leave_nothing(server):
    started, channel = server
    for _ in range(4):
        with RawClient(started.port) as raw:
            for _ in range(15):
                raw.call(b"x" * 1000, declared=2**20)
    predict(channel, request())
    with RawClient(started.port) as raw:
        stream = raw.call(LARGE)
        assert raw.ended([stream])[stream]["grpc-status"] == "0"
    until(lambda: not started.receiving.weight)  # the server sees that the connections are closed


def test_at_most_32_messages_are_unfinished_and_the_server_keeps_no_memory_for_more(server):
    started, channel = server
    ended = started.receiving.ended
    with RawClient(started.port) as raw:
        for _ in range(40):
            raw.call(b"x" * 1000, declared=2**20)
        until(lambda: started.receiving.ended == ended + 40 - UNFINISHED_MESSAGES)
        assert started.receiving.weight == UNFINISHED_MESSAGES
        predict(channel, request())


def test_unread_responses_hold_no_place_in_the_queue(server):
    started, channel = server
    with RawClient(started.port, window=0) as raw:
        for number in range(18):
            raw.call(LARGE)
            until(lambda number=number: started.sending.weight == (number + 1) * 2**22)  # waiting to be read
        assert check(channel)
        predict(channel, request())


def test_calls_beyond_their_time_are_ended(models):
    with running(models, receive_seconds=0.2, send_seconds=0.2) as (started, channel):
        with RawClient(started.port) as raw:
            streams = [raw.call(), raw.call(b"x", declared=99)]
            assert all(ended.get("grpc-status") != "0" for ended in raw.ended(streams).values())
        with RawClient(started.port, window=0) as raw:
            raw.ended([raw.call(LARGE)])
        predict(channel, request())


class Context:
    """The methods of gRPC's context that a guard uses."""

    def __init__(self, peer):
        self.name, self.cancelled = peer, False

    def peer(self):
        return self.name

    def cancel(self):
        self.cancelled = True


def test_the_guard_ends_the_oldest_call_of_the_peer_with_the_most():
    guard, stack = CallGuard(seconds=10.0, most=4.0), contextlib.ExitStack()
    peers = ["ipv4:10.0.0.1:1", "ipv4:10.0.0.2:1", "ipv4:10.0.0.2:2", "ipv4:10.0.0.2:2", "ipv4:10.0.0.1:2"]
    contexts = [Context(peer) for peer in peers]
    with stack:
        for context in contexts:
            stack.enter_context(guard.track(context))
        assert [context.cancelled for context in contexts] == [False, False, True, False, False]
        assert (guard.weight, guard.ended) == (4.0, 1)
    assert guard.weight == 0.0


def test_the_guard_ends_calls_at_their_time_limit():
    now = [0.0]
    guard, first, second = CallGuard(seconds=10.0, most=9.0, clock=lambda: now[0]), Context("a:1"), Context("a:1")
    with guard.track(first):
        now[0] = 6.0
        with guard.track(second):
            now[0] = 10.0
            guard.expire()
            assert (first.cancelled, second.cancelled) == (True, False)


def test_a_message_heavier_than_the_limit_passes_alone():
    guard, first, second = CallGuard(seconds=10.0, most=4.0), Context("a:1"), Context("b:1")
    with guard.track(first, 1.0), guard.track(second, 9.0):
        assert (first.cancelled, second.cancelled) == (True, False)


def test_a_call_without_a_message_is_an_invalid_argument(server):
    call = server[1].stream_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as error:
        call(iter([]), timeout=HANG)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "no message" in error.value.details()
