"""What is too much is refused at once; what is late is not run, and stops soon where it runs."""

import logging
import threading
import time

import grpc
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.limits import ADDRESSES, DAY, LINGER, UNREAD, Line, Rate, Sizes, remaining
from serving.refusals import PUSHBACK, Refusal
from serving.versions import Version
from tests.support.small_server import WINDOW, export, predict, refusal, request, running


class Context:
    """What the line asks of gRPC's context."""

    def __init__(self, seconds=None):
        self.end = None if seconds is None else time.monotonic() + seconds
        self.callbacks, self.active = [], True

    def time_remaining(self):
        return None if self.end is None else max(0.0, self.end - time.monotonic())

    def is_active(self):
        return self.active

    def add_callback(self, callback):
        self.callbacks.append(callback)
        return True

    def over(self):
        """The call ends, by an answer or because the client has gone."""
        self.active = False
        for callback in self.callbacks:
            callback()


class Asking(threading.Thread):
    """A request in a thread of its own that runs until `done` is set."""

    def __init__(self, line, seconds=None):
        super().__init__(daemon=True)
        self.line, self.context = line, Context(seconds)
        self.started, self.done, self.refusal = threading.Event(), threading.Event(), None
        self.start()

    def run(self):
        try:
            with self.line.turn(self.context):
                self.started.set()
                self.done.wait(30)
        except Refusal as error:
            self.refusal = error
        self.context.over()

    def finish(self):
        self.done.set()
        self.join(30)


def runs(asking):
    return asking.started.wait(30)


def waits(asking):
    return not asking.started.wait(0.1)


def test_so_many_run_so_many_wait_and_more_are_refused_at_once():
    line = Line(running=2, waiting=1)
    first, second = Asking(line), Asking(line)
    assert runs(first) and runs(second)
    third = Asking(line)
    assert waits(third)
    start = time.monotonic()
    with pytest.raises(Refusal, match="busy: 2 requests run and 1 wait; try again in") as error, line.turn(Context()):
        pass
    assert time.monotonic() - start < 0.1
    assert error.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.value.retry_ms > 0
    first.finish()
    assert runs(third)
    second.finish()
    third.finish()


def test_first_come_first_served():
    line = Line(running=1, waiting=3)
    first = Asking(line)
    assert runs(first)
    others = []
    for _ in range(3):
        others.append(Asking(line))
        assert waits(others[-1])
    for asking, following in zip([first, *others], [*others, None], strict=True):
        asking.finish()
        assert following is None or runs(following)


def test_nobody_need_wait_where_none_may():
    line = Line(running=1, waiting=0)
    first = Asking(line)
    assert runs(first)
    with pytest.raises(Refusal, match="busy"), line.turn(Context()):
        pass
    first.finish()
    with line.turn(Context()):
        pass


def test_a_waiting_request_that_is_late_or_given_up_is_not_run_and_leaves_its_place():
    line = Line(running=1, waiting=1)
    first = Asking(line)
    assert runs(first)
    late = Asking(line, seconds=0.1)
    late.join(30)
    assert late.refusal.code == grpc.StatusCode.DEADLINE_EXCEEDED
    gone = Asking(line)
    assert waits(gone)
    gone.context.over()
    gone.join(30)
    assert gone.refusal.code == grpc.StatusCode.CANCELLED
    third = Asking(line)
    assert waits(third)
    first.finish()
    assert runs(third)
    third.finish()


def test_answers_that_nobody_reads_are_limited_too():
    line, contexts = Line(running=1, waiting=0), []
    for _ in range(1 + UNREAD):
        contexts.append(Context())
        with line.turn(contexts[-1]):
            pass
    with pytest.raises(Refusal, match="busy"), line.turn(Context()):
        pass
    contexts[3].over()
    with line.turn(Context()):
        pass


def test_grpcs_endless_deadline_is_one():
    context = Context()
    context.time_remaining = lambda: float("inf")
    assert remaining(context) == DAY


def test_a_rate_is_kept_for_each_address_whatever_its_port():
    now = [0.0]
    rate = Rate(2.0, lambda: now[0])
    for port in (1, 2):
        rate.take(f"ipv4:10.0.0.1:{port}")
    with pytest.raises(Refusal, match="more than 2 requests a second from one address; try again in 501 ms") as error:
        rate.take("ipv4:10.0.0.1:3")
    assert error.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    rate.take("ipv4:10.0.0.2:1")
    now[0] += 0.5
    rate.take("ipv4:10.0.0.1:4")
    for number in range(2 * ADDRESSES):
        rate.take(f"ipv6:[::{number}]:1")
    assert len(rate._buckets) == ADDRESSES
    unlimited = Rate(0.0)
    for _ in range(1000):
        unlimited.take("ipv4:10.0.0.1:1")


def test_known_sizes_pass_and_new_ones_up_to_a_number():
    sizes = Sizes(2)
    for size in (1, 2, 1, 2):
        sizes.admit(size)
    with pytest.raises(Refusal, match="inputs of 2 different sizes have been run"):
        sizes.admit(3)
    Sizes(0).admit(3)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with one tiny model."""
    folder = tmp_path_factory.mktemp("models")
    export(folder / "tiny")
    return folder


@pytest.fixture
def slow(monkeypatch):
    """Makes every run wait for an event; (the event, the number of runs)."""
    go, count, run = threading.Event(), [], Version.run

    def slowly(self, signature, *rest):
        if signature == "window_png":
            count.append(signature)
            assert go.wait(60)
        return run(self, signature, *rest)

    monkeypatch.setattr(Version, "run", slowly)
    return go, count


def test_a_full_server_refuses_at_once_says_when_and_still_answers_for_its_health(models, slow):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    go, count = slow
    with running(models, running=1, waiting=1) as (_, channel):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        asked = request("window_png")
        accepted = [stub.Predict.future(asked, timeout=60)]
        while not count:
            time.sleep(0.01)
        accepted.append(stub.Predict.future(asked, timeout=60))
        time.sleep(0.3)
        start = time.monotonic()
        for _ in range(50):
            with pytest.raises(grpc.RpcError) as error:
                stub.Predict(asked, timeout=60)
            assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert int(dict(error.value.trailing_metadata())[PUSHBACK]) > 0
        assert (time.monotonic() - start) / 50 < 0.1
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        go.set()
        assert all(future.result().outputs["image_bytes"].string_val for future in accepted)


def test_a_request_whose_deadline_passed_in_line_is_never_run(models, slow):
    go, count = slow
    with running(models, running=1, waiting=4) as (_, channel):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        asked = request("window_png")
        first = stub.Predict.future(asked, timeout=60)
        while not count:
            time.sleep(0.01)
        late = stub.Predict.future(asked, timeout=0.3)
        cancelled = stub.Predict.future(asked, timeout=60)
        assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        cancelled.cancel()
        time.sleep(0.2)
        go.set()
        assert first.result()
        predict(channel, request())
        assert len(count) == 1


def test_a_running_request_stops_between_tiles_when_its_deadline_passes(models, monkeypatch, caplog):
    stopped, run = [], Version.run

    def timed(self, *rest):
        start = time.monotonic()
        try:
            return run(self, *rest)
        finally:
            stopped.append(time.monotonic() - start)

    monkeypatch.setattr(Version, "run", timed)
    logging.getLogger("serving").propagate = True
    large = WINDOW | {"height": 4096, "width": 4096}
    with running(models, seconds=600.0) as (_, channel):
        predict(channel, request(**large))
        whole = stopped[-1]
        # Both by the client's deadline and by the server's own limit.
        code, _ = refusal(channel, request(**large), timeout=whole / 8)
        assert code == "DEADLINE_EXCEEDED"
        predict(channel, request())
        assert stopped[-2] < whole / 2
    with running(models, seconds=whole / 8) as (_, channel):
        code, details = refusal(channel, request(**large))
        assert code == "DEADLINE_EXCEEDED"
        assert "not done within" in details
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_sizes_and_rates_are_limited_over_the_wire(models):
    import numpy as np

    def latents(rows):
        return request("serving_default", latents=np.zeros((1, rows, 7, 10), np.float32))

    with running(models, sizes=2) as (_, channel):
        for rows in (7, 8, 7, 8):
            predict(channel, latents(rows))
        assert refusal(channel, latents(9))[0] == "RESOURCE_EXHAUSTED"
        predict(channel, request())
    with running(models, rate=3.0) as (_, channel):
        codes = [refusal(channel, request())[0] for _ in range(20)]
        assert {"OK", "RESOURCE_EXHAUSTED"} == set(codes)
        assert codes[:3] == ["OK"] * 3


def test_a_line_that_ends_lets_those_in_it_out_and_nobody_in():
    line = Line(running=1, waiting=1)
    first, second = Asking(line), Asking(line)
    assert runs(first) and waits(second)
    ending = threading.Thread(target=line.drain, args=(30.0,), daemon=True)
    ending.start()
    while not line._ending:
        time.sleep(0.01)
    third = Asking(line)
    third.join(30)
    assert third.refusal.code is grpc.StatusCode.UNAVAILABLE and "stopping" in third.refusal.text
    first.finish()
    assert runs(second) and ending.is_alive()
    second.finish()
    began = time.monotonic()
    ending.join(30)
    # Answers are still being read.
    assert not ending.is_alive() and LINGER - 0.2 < time.monotonic() - began < LINGER + 5


def test_an_idle_line_ends_at_once():
    began = time.monotonic()
    Line(running=1, waiting=0).drain(30.0)
    assert time.monotonic() - began < LINGER / 2
