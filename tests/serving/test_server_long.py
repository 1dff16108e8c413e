"""The embedded server in its own process: its memory does not grow."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.support.fake_server import HANG
from tests.support.small_server import OPTIONS, WINDOW, export, predict, request

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
ENVIRONMENT["PYTHONPATH"] = str(Path(__file__).resolve().parents[2] / "serving")


@contextlib.contextmanager
def server_process(models, *flags):
    """A server started as a command; (process, channel)."""
    command = [sys.executable, "-m", "tf_psgan_serving.server", f"--models={models}", "--port=0", *flags]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    found = None
    try:
        for line in process.stderr:
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line) or found
            if "is loaded" in line:
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        with grpc.insecure_channel(f"127.0.0.1:{found.group(1)}", OPTIONS) as channel:
            yield process, channel
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG) == 0


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
