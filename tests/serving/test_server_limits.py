"""Excess requests are rejected at once; late requests are not run, or stop soon if they run already."""

import logging
import threading
import time

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.support import plain_model
from tests.support.fake_server import HANG
from tests.support.small_server import WINDOW, export, predict, request, running, status, until
from tf_psgan_serving import wire
from tf_psgan_serving.server import cost
from tf_psgan_serving.server.admission import LINGER, AdmissionQueue
from tf_psgan_serving.server.limiters import MAX_ADDRESSES, RateLimiter, ShapeLimiter
from tf_psgan_serving.server.status import StatusError
from tf_psgan_serving.server.version import Version


class Context:
    """The methods of gRPC's context that the queue uses."""

    def __init__(self, seconds=None, peer="ipv4:10.0.0.1:1"):
        self.name = peer
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.callbacks, self.active, self.entered = [], True, threading.Event()

    def peer(self):
        return self.name

    def time_remaining(self):
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def is_active(self):
        return self.active

    def add_callback(self, callback):
        self.callbacks.append(callback)
        self.entered.set()
        return True

    def end(self):
        """Ends the call, as a response or a cancellation does."""
        self.active = False
        for callback in self.callbacks:
            callback()


class RequestThread(threading.Thread):
    """A request in its own thread that runs until `done` is set."""

    def __init__(self, queue, seconds=None, peer="ipv4:10.0.0.1:1", pixels=0.0):
        super().__init__(daemon=True)
        self.queue, self.context, self.pixels = queue, Context(seconds, peer), pixels
        self.started, self.done, self.error = threading.Event(), threading.Event(), None
        self.start()

    def run(self):
        try:
            with self.queue.admit(self.context, self.pixels):
                self.started.set()
                self.done.wait(HANG)
        except StatusError as error:
            self.error = error
        self.context.end()

    def finish(self):
        self.done.set()
        self.join(HANG)


def runs(request):
    return request.started.wait(HANG)


def waits(request):
    """Whether a request is in the queue and does not run."""
    return request.context.entered.wait(HANG) and not request.started.wait(0.1)


def waiting_requests(server):
    return server.queue.counts()[1]


def test_requests_beyond_the_running_and_waiting_ones_are_rejected_at_once():
    queue = AdmissionQueue(running=2, waiting=1)
    first, second = RequestThread(queue), RequestThread(queue)
    assert runs(first) and runs(second)
    third = RequestThread(queue)
    assert waits(third)
    fourth = RequestThread(queue)
    fourth.join(HANG)  # ends while the others are running and waiting
    assert first.is_alive() and second.is_alive() and waits(third)
    assert fourth.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "busy: 2 requests run and 1 wait; retry in" in fourth.error.text
    assert fourth.error.retry_ms > 0
    first.finish()
    assert runs(third)
    second.finish()
    third.finish()


def test_the_queue_is_first_in_first_out():
    queue = AdmissionQueue(running=1, waiting=3)
    first = RequestThread(queue)
    assert runs(first)
    others = []
    for _ in range(3):
        others.append(RequestThread(queue))
        assert waits(others[-1])
    for thread, following in zip([first, *others], [*others, None], strict=True):
        thread.finish()
        assert following is None or runs(following)


def test_without_waiting_requests_the_second_one_is_rejected():
    queue = AdmissionQueue(running=1, waiting=0)
    first = RequestThread(queue)
    assert runs(first)
    with pytest.raises(StatusError, match="busy"), queue.admit(Context()):
        pass
    first.finish()
    with queue.admit(Context()):
        pass


def test_a_waiting_request_that_is_late_or_cancelled_is_not_run_and_leaves_the_queue():
    queue = AdmissionQueue(running=1, waiting=1)
    first = RequestThread(queue)
    assert runs(first)
    late = RequestThread(queue, seconds=0.1)
    late.join(HANG)
    assert late.error.code == grpc.StatusCode.DEADLINE_EXCEEDED
    gone = RequestThread(queue)
    assert waits(gone)
    gone.context.end()
    gone.join(HANG)
    assert gone.error.code == grpc.StatusCode.CANCELLED
    third = RequestThread(queue)
    assert waits(third)
    first.finish()
    assert runs(third)
    third.finish()


def test_the_rate_limit_is_per_address_and_ignores_the_port():
    now = [0.0]
    rate = RateLimiter(2.0, lambda: now[0])
    for port in (1, 2):
        rate.acquire(f"ipv4:10.0.0.1:{port}")
    with pytest.raises(StatusError, match="more than 2 requests per second from one address; retry in 501 ms") as error:
        rate.acquire("ipv4:10.0.0.1:3")
    assert error.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    rate.acquire("ipv4:10.0.0.2:1")
    now[0] += 0.5
    rate.acquire("ipv4:10.0.0.1:4")
    for number in range(2 * MAX_ADDRESSES):
        rate.acquire(f"ipv6:[::{number}]:1")
    assert len(rate._buckets) == MAX_ADDRESSES
    unlimited = RateLimiter(0.0)
    for _ in range(1000):
        unlimited.acquire("ipv4:10.0.0.1:1")


def test_a_small_request_runs_beside_a_large_one_and_beyond_those_that_wait():
    queue = AdmissionQueue(running=1, waiting=1, large=2)
    large = [RequestThread(queue, peer=f"ipv4:10.0.0.{i}:1", pixels=2.0**24) for i in (1, 2)]
    until(lambda: queue.counts() == (1, 1))
    refused = RequestThread(queue, pixels=2.0**24)
    refused.join(HANG)
    assert refused.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    small = RequestThread(queue, pixels=2.0**16)
    assert runs(small)
    small.finish()
    for one in sorted(large, key=lambda one: not one.started.is_set()):
        assert runs(one)
        one.finish()


def test_sides_given_as_one_element_cost_their_pixels():
    sides = {"height": np.array([4096], np.int32), "width": np.array([4096], np.int32)}
    assert cost.pixels(request(**sides).inputs, {}) == 2**24
    assert cost.pixels(request(height=4096, width=4096).inputs, {"cost_per_pixel": 2.0}) == 2**25


def test_the_client_that_had_least_is_next():
    queue = AdmissionQueue(running=1, waiting=9)
    first = RequestThread(queue, peer="ipv4:10.0.0.1:1", pixels=2.0**20)
    assert runs(first)
    others = []
    for peer, pixels in [("ipv4:10.0.0.1:1", 9.0), ("ipv4:10.0.0.1:2", 8.0), ("ipv4:10.0.0.2:1", 7.0)]:
        others.append(RequestThread(queue, peer=peer, pixels=pixels))
        until(lambda: queue.counts()[1] == len(others))
    first.finish()
    for one in reversed(others):
        assert runs(one) and queue.counts()[0] == 1
        one.finish()


def test_a_client_with_fewer_requests_displaces_a_waiting_one_of_the_client_with_the_most():
    queue = AdmissionQueue(running=1, waiting=1)
    first = RequestThread(queue, peer="ipv4:10.0.0.1:1")
    assert runs(first)
    second = RequestThread(queue, peer="ipv4:10.0.0.1:1")
    until(lambda: queue.counts() == (1, 1))
    other = RequestThread(queue, peer="ipv4:10.0.0.1:2")
    second.join(HANG)
    assert second.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    equal = RequestThread(queue, peer="ipv4:10.0.0.1:3")  # as many as each of the others would have
    equal.join(HANG)
    assert equal.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    first.finish()
    assert runs(other)
    other.finish()


def test_known_shapes_are_accepted_and_new_ones_up_to_the_limit():
    shapes = ShapeLimiter(2)
    for shape in (1, 2, 1, 2):
        shapes.check(shape)
        shapes.add(shape)
    with pytest.raises(StatusError, match="inputs of 2 distinct shapes have been run"):
        shapes.check(3)
    ShapeLimiter(0).check(3)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with one tiny model."""
    folder = tmp_path_factory.mktemp("models")
    export(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder with a model that is loaded in no time."""
    folder = tmp_path_factory.mktemp("plain")
    plain_model.publish(folder / "tiny")
    return folder


@pytest.fixture
def slow(monkeypatch):
    """Makes every run of window_png wait for an event; (the event, a list with one item per run)."""
    go, count, run = threading.Event(), [], Version.run

    def slowly(self, signature, *rest):
        if signature == "window_png":
            count.append(signature)
            assert go.wait(HANG)
        return run(self, signature, *rest)

    monkeypatch.setattr(Version, "run", slowly)
    return go, count


def test_a_full_server_rejects_at_once_with_a_delay_and_still_reports_its_health(plain, slow):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    go, count = slow
    with running(plain, running=1, waiting=1) as (server, channel):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        message = request("window_png")
        accepted = [stub.Predict.future(message, timeout=HANG)]
        until(lambda: count)
        accepted.append(stub.Predict.future(message, timeout=HANG))
        until(lambda: waiting_requests(server) == 1)
        for _ in range(50):  # all are rejected before any accepted request ends
            with pytest.raises(grpc.RpcError) as error:
                stub.Predict(message, timeout=HANG)
            assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert int(dict(error.value.trailing_metadata())[wire.RETRY_AFTER]) > 0
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=HANG)
        go.set()
        assert all(future.result().outputs["image_bytes"].string_val for future in accepted)


def test_an_overloaded_server_answers_every_request_and_runs_at_most_its_limit(plain, monkeypatch):
    rejected, lock, run, running_now, most, codes = threading.Event(), threading.Lock(), Version.run, [], [], []

    def held(self, signature, *rest):
        if signature == "window_png":
            with lock:
                running_now.append(signature)
                most.append(len(running_now))
            assert rejected.wait(HANG)
        try:
            return run(self, signature, *rest)
        finally:
            if signature == "window_png":
                with lock:
                    running_now.pop()

    def client(channel):
        for _ in range(10):
            codes.append(status(channel, request("window_png"))[0])
            if codes[-1] != "OK":
                rejected.set()

    monkeypatch.setattr(Version, "run", held)
    with running(plain, running=2, waiting=2) as (server, channel):
        threads = [threading.Thread(target=client, args=(channel,), daemon=True) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG)
        until(lambda: waiting_requests(server) == 0)
        assert status(channel, request("window_png"))[0] == "OK"
    assert len(codes) == 160 and set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
    assert max(most) <= 2


def test_a_request_whose_deadline_passed_in_the_queue_is_never_run(plain, slow):
    go, count = slow
    with running(plain, running=1, waiting=4) as (server, channel):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        message = request("window_png")
        first = stub.Predict.future(message, timeout=HANG)
        until(lambda: count)
        cancelled = stub.Predict.future(message, timeout=HANG)
        until(lambda: waiting_requests(server) == 1)
        cancelled.cancel()
        until(lambda: waiting_requests(server) == 0)
        late = stub.Predict.future(message, timeout=0.3)
        assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: waiting_requests(server) == 0)
        go.set()
        assert first.result()
        predict(channel, request())
        assert len(count) == 1


def test_a_running_request_stops_between_chunks_when_its_deadline_passes(models, monkeypatch, caplog):
    begun, ended, run = [], [], Version.run

    def recorded(self, signature, inputs, *rest):
        name = inputs["seed"].int64_val[0] if "seed" in inputs else signature
        begun.append(name)
        try:
            return run(self, signature, inputs, *rest)
        finally:
            ended.append(name)

    monkeypatch.setattr(Version, "run", recorded)
    logging.getLogger("tf_psgan_serving").propagate = True
    large = WINDOW | {"height": 4096, "width": 4096}
    whole, client_limit, server_limit = 1, 2, 3  # seeds
    with running(models, seconds=600.0, running=2) as (_, channel):
        future = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(
            request(**large | {"seed": whole}), timeout=600
        )
        until(lambda: whole in begun)
        assert status(channel, request(**large | {"seed": client_limit}), timeout=0.1)[0] == "DEADLINE_EXCEEDED"
        assert future.result()
        until(lambda: ended.count(client_limit) == begun.count(client_limit))
        # The second request for the same number of chunks began later and ended earlier.
        assert client_limit not in begun or ended.index(client_limit) < ended.index(whole)
    with running(models, seconds=0.1) as (_, channel):
        code, details = status(channel, request(**large | {"seed": server_limit}))
        assert code == "DEADLINE_EXCEEDED"
        assert "not finished within" in details
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_shapes_and_rates_are_limited_over_the_wire(models, plain):
    def latents(rows):
        return request("serving_default", latents=np.zeros((1, rows, 7, 10), np.float32))

    with running(models, sizes=2) as (_, channel):
        for rows in (1, 2, 3):  # rejected by the graph, so not counted
            assert status(channel, latents(rows))[0] == "INVALID_ARGUMENT"
        for rows in (7, 8, 7, 8):
            predict(channel, latents(rows))
        assert status(channel, latents(9))[0] == "RESOURCE_EXHAUSTED"
        predict(channel, request())
    with running(plain, rate=0.001) as (_, channel):
        assert [status(channel, request())[0] for _ in range(3)] == ["OK", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"]


def test_a_draining_queue_finishes_its_requests_and_admits_no_more():
    slept = []
    queue = AdmissionQueue(running=1, waiting=1, clock=lambda: 7.0, sleep=slept.append)
    first = RequestThread(queue)
    assert runs(first)
    second = RequestThread(queue)
    assert waits(second)
    draining = threading.Thread(target=queue.drain, args=(HANG,), daemon=True)
    draining.start()
    until(lambda: queue._draining)
    third = RequestThread(queue)
    third.join(HANG)
    assert third.error.code is grpc.StatusCode.UNAVAILABLE and "stopping" in third.error.text
    first.finish()
    assert runs(second) and draining.is_alive() and slept == []
    second.finish()
    draining.join(HANG)
    assert not draining.is_alive()
    assert slept == [LINGER]  # clients may still read their responses


def test_an_idle_queue_drains_without_a_delay():
    slept = []
    AdmissionQueue(running=1, waiting=0, sleep=slept.append).drain(HANG)
    assert slept == [0.0]
