"""The embedded server in its own process: memory, and overload."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.support.small_server import OPTIONS, WINDOW, export, predict, request

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
ENVIRONMENT["PYTHONPATH"] = str(Path(__file__).resolve().parents[2] / "serving")


@contextlib.contextmanager
def server_process(models, *flags):
    """A server started as a command; (process, channel)."""
    command = [sys.executable, "-m", "tf_psgan_serving.server", f"--models={models}", "--port=0", *flags]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        with grpc.insecure_channel(f"127.0.0.1:{found.group(1)}", OPTIONS) as channel:
            yield process, channel
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    export(folder / "tiny")
    return folder


def resident_megabytes(process):
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def check_memory(models, requests, warm, sizes):
    random = np.random.default_rng(0)
    extents = random.integers(1, 1025, (sizes, 2))
    kinds = ["window", "window_png", "window_jpeg"]
    with server_process(models) as (process, channel):
        start = 0.0
        for i in range(requests):
            height, width = (int(value) for value in extents[i % sizes])
            predict(channel, request(kinds[i % 3], **WINDOW | {"seed": i, "height": height, "width": width}))
            if i == warm:
                start = resident_megabytes(process)
        grown = resident_megabytes(process) - start
        print(f"resident {start:.0f} MB after {warm} requests, {grown:+.1f} MB after {requests}")
        assert grown < 50


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_variety_of_sizes(models):
    check_memory(models, requests=120, warm=40, sizes=100)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_two_thousand_requests_of_four_hundred_sizes_stay_within_fifty_megabytes(models):
    check_memory(models, requests=2000, warm=200, sizes=400)


def response_times(channel, message, count):
    """Seconds that each of several consecutive requests takes."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        predict(channel, message)
        times.append(time.perf_counter() - start)
    return np.array(times)


def offered(channel, message, rate, seconds):
    """Requests at a constant rate: times of accepted and of rejected ones, and of those with other status codes."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    accepted, rejected, others, open_calls = [], [], [], threading.Semaphore(0)

    def done(future, start):
        taken = time.perf_counter() - start
        code = future.code()
        busy = code == grpc.StatusCode.RESOURCE_EXHAUSTED
        (accepted if code == grpc.StatusCode.OK else rejected if busy else others).append(taken)
        open_calls.release()

    begin, count = time.perf_counter(), int(rate * seconds)
    for i in range(count):
        time.sleep(max(0.0, begin + i / rate - time.perf_counter()))
        future, start = stub.Predict.future(message, timeout=60), time.perf_counter()
        future.add_done_callback(lambda future, start=start: done(future, start))
    for _ in range(count):
        open_calls.acquire()
    return np.array(accepted), np.array(rejected), others


def check_overload(models, model, seconds):
    message = request(model=model, **WINDOW | {"height": 1024, "width": 1024})
    with server_process(models) as (_, channel):
        response_times(channel, message, 30)
        alone = response_times(channel, message, 200)
        p99 = np.percentile(alone, 99)
        accepted, rejected, others = offered(channel, message, 4 / alone.mean(), seconds)
        for name, times in (("alone", alone), ("accepted", accepted), ("rejected", rejected)):
            p50, high, most = 1e3 * np.percentile(times, [50, 99, 100])
            print(f"{name}: {len(times)} requests, p50 {p50:.1f}, p99 {high:.1f}, longest {most:.1f} ms")
        assert others == []
        assert len(rejected) > len(accepted) > seconds
        assert np.percentile(accepted, 99) < 3 * p99
        assert np.median(rejected) < np.median(alone)


@pytest.mark.long
def test_four_times_the_load_leaves_accepted_requests_within_three_times_the_unloaded_p99(models):
    check_overload(models, "tiny", 60)
