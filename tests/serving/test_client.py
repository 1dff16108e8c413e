"""The clients: the same pixels in one request or many, retries, and no import of TensorFlow."""

import asyncio
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.support.fake_server import HANG, NO_RESPONSE, FakeServer, paint, response
from tf_psgan_serving import client as client_package
from tf_psgan_serving import wire
from tf_psgan_serving.client import AsyncClient, Client, Morph, Scene, ServingError, Window, channels

UNAVAILABLE, FULL, LATE = (grpc.StatusCode[name] for name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server():
    with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(channels, "FIRST_DELAY", 0.01)


@pytest.fixture(params=["sync", "asyncio"])
def call(request):
    """Calls one method of a client of either kind; `view` holds its keyword arguments."""

    def sync(target, method, *args, view=None, **settings):
        with Client(target, "m", **settings) as client:
            return getattr(client, method)(*args, **(view or {}))

    async def aio(target, method, *args, view=None, **settings):
        async with AsyncClient(target, "m", **settings) as client:
            return await getattr(client, method)(*args, **(view or {}))

    return sync if request.param == "sync" else lambda *args, **settings: asyncio.run(aio(*args, **settings))


@pytest.mark.parametrize("as_numbers", [False, True])
def test_windows_tiles_and_morphs_use_their_signatures(server, call, as_numbers):
    server.as_numbers = as_numbers
    position = {"top": -5, "left": 10**9}
    found = call(server.target, "window", 7, 9, view={"seed": 1, "texture": 2} | position)
    np.testing.assert_array_equal(found, paint(2, 2, -5, 10**9, 7, 9))
    assert found.flags.writeable
    np.testing.assert_array_equal(
        call(server.target, "tile", 8, 16, view={"seed": 1, "texture": 2}), paint(2, 2, 0, 0, 8, 16)
    )
    np.testing.assert_array_equal(
        call(server.target, "morph", 7, 9, view={"seed": 1, "textures": [1, 0, 0, 5]}), paint(2, 21, 0, 0, 7, 9)
    )
    assert server.seen == [
        ("window", {"seed": 1, "texture": 2, "top": -5, "left": 10**9, "height": 7, "width": 9}, 0),
        ("torus", {"seed": 1, "texture": 2, "height": 8, "width": 16}, 0),
        ("morph", {"seed": 1, "textures": [1, 0, 0, 5], "extent_height": 7, "extent_width": 9, "top": 0, "left": 0,
                   "height": 7, "width": 9}, 0),
    ]  # fmt: skip


def test_a_scene_sends_its_weights_as_numbers(server, call):
    weights = np.array([[[0.25, 1.0]], [[0.75, 0.0]]], np.float32)
    where = {"first_row": 2, "first_col": -1, "top": 3, "left": -2, "height": 5, "width": 4}
    scene = Scene(seed=1, textures=(4, 8), weights=weights, time=0.5, amount=0.25, **where)
    expected = paint(2, np.array([[7, 7, 4, 4]])[..., np.newaxis] + 12, 3, -2, 5, 4)
    np.testing.assert_array_equal(call(server.target, "picture", scene), expected)
    name, inputs, _ = server.seen[-1]
    assert name == "scene" and inputs["weights"] == weights.tolist() and inputs["time"] == 0.5


@pytest.mark.parametrize(
    "change, words",
    [
        ({"textures": (1,)}, "weights: 2 for 1 textures; give one map for each"),
        ({"textures": (1, 2**63)}, "textures: 9223372036854775808 is outside"),
        ({"weights": np.ones((2, 1, 1), np.float32)}, "do not sum to 1 at a cell; divide them by their sum"),
        ({"weights": np.ones((2, 1, 1))}, r"weights: not a float32 array \[textures, rows, cols\]"),
        ({"weights": np.ones((2, 0, 1), np.float32)}, "weights: not a float32 array"),
        ({"weights": np.full((2, 1, 1), np.nan, np.float32)}, "weights: some are negative, or do not sum"),
        ({"time": 1.0}, r"time: 1.0 is outside \[0, 1\)"),
        ({"amount": float("nan")}, "amount: nan is outside"),
        ({"period_height": -1}, "period_height: -1 is outside"),
        ({"height": 0}, "height: 0 is outside 1"),
        ({"first_row": 1.5}, "first_row: 1.5 is not an integer"),
    ],
)
def test_a_scene_with_wrong_values_is_refused_before_it_is_sent(change, words):
    scene = {"textures": (1, 2), "weights": np.full((2, 1, 1), 0.5, np.float32), "height": 8, "width": 8}
    with pytest.raises(ValueError, match=words):
        Scene(**scene | change)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_encoded_pictures_are_encoded_by_the_server(server, call, kind):
    data = call(server.target, "encoded", Window(height=30, width=20, top=3, left=4, seed=1, texture=2), kind)
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.size) == (kind.upper(), (20, 30))
    assert server.seen[0][0] == f"window_{kind}"


def test_a_file_of_another_encoding_or_size_is_an_error(server, call):
    other = call(server.target, "encoded", Window(height=30, width=21, top=3, left=4, seed=1, texture=2), "png")
    for kind, data, words in (
        ("png", other, "30x21 pixels, not 30x20"),
        ("jpeg", other, "not a complete JPEG file"),
        ("png", b"nonsense", "not a complete PNG file"),
        ("png", other[:20], "not a complete PNG file"),
    ):
        server.wrong = response("image_bytes", wire.STRING, [], string_val=[data])
        with pytest.raises(ServingError, match=words):
            call(server.target, "encoded", Window(height=30, width=20, top=3, left=4, seed=1, texture=2), kind)


def test_the_description_is_parsed(server, call):
    assert call(server.target, "describe")["chunk_pixels"] == 32


@pytest.mark.parametrize(
    "view",
    [
        Window(height=260, width=190, top=-50, left=70, seed=3, texture=4),
        Morph(
            seed=3,
            textures=(1, 2, 3, 4),
            extent_height=500,
            extent_width=500,
            top=9,
            left=-9,
            height=150,
            width=200,
        ),
    ],
)
def test_a_large_picture_equals_the_picture_of_one_request(server, call, view):
    found = call(server.target, "large", view)
    texture = view.texture if isinstance(view, Window) else 30
    np.testing.assert_array_equal(found, paint(4, texture, view.top, view.left, view.height, view.width))
    requested = [inputs for signature, inputs, _ in server.seen if signature != "describe"]
    chunks = [(inputs["top"] // 64, inputs["left"] // 64) for inputs in requested]
    assert len(set(chunks)) == len(chunks)  # no chunk is computed for two requests
    assert max(inputs["height"] * inputs["width"] for inputs in requested) <= 4096


@pytest.mark.parametrize("parallel", [1, 3])
def test_parallel_is_the_number_of_concurrent_requests(server, call, parallel):
    server.barrier = threading.Barrier(parallel)  # 9 pieces; fewer concurrent requests would never pass it
    call(server.target, "large", Window(height=192, width=192), parallel=parallel)
    assert server.most == parallel


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_large_picture_adapts_to_the_servers_capacity(server, call, capacity):
    server.capacity = capacity
    found = call(server.target, "large", Window(height=300, width=300), parallel=8, retries=3)
    np.testing.assert_array_equal(found, paint(1, 0, 0, 0, 300, 300))


def test_a_large_picture_fails_if_the_server_stays_full(server, call):
    server.faults = [None] + [FULL] * 99
    with pytest.raises(ServingError, match=r"RESOURCE_EXHAUSTED: a fault of two lines \(3 attempts\)"):
        call(server.target, "large", Window(height=300, width=300), retries=2)
    assert len(server.faults) == 99 - 3 - 3  # three of four workers end, the last one makes three attempts


def test_a_failure_of_one_request_ends_the_retry_delays_of_the_others(server, call, monkeypatch):
    delays, delayed, caught = channels.RetryPolicy.delay, threading.Event(), []

    def long_delay(*args):
        delays(*args)  # raises for INTERNAL
        delayed.set()
        return 10 * HANG

    def fail():
        with pytest.raises(ServingError) as error:
            call(server.target, "large", Window(height=300, width=300), parallel=2)
        caught.append(error.value.code)

    monkeypatch.setattr(channels.RetryPolicy, "delay", long_delay)
    # The description; one worker is delayed; the other then gets a response, and its next request fails.
    server.faults = [None, UNAVAILABLE, delayed, grpc.StatusCode.INTERNAL]
    thread = threading.Thread(target=fail, daemon=True)
    thread.start()
    thread.join(HANG)
    assert caught == ["INTERNAL"]


def test_a_large_picture_survives_temporary_failures(server, call):
    server.faults = [UNAVAILABLE, UNAVAILABLE, *[None, FULL] * 6, NO_RESPONSE, LATE]
    found = call(server.target, "large", Window(height=300, width=300), timeout=1.0, retries=99)
    np.testing.assert_array_equal(found, paint(1, 0, 0, 0, 300, 300))


def test_all_pieces_of_a_large_picture_come_from_one_version(server, call):
    server.versions = [1, 2]
    found = call(server.target, "large", Window(height=100, width=100))
    np.testing.assert_array_equal(found, paint(2, 0, 0, 0, 100, 100))
    assert {version for signature, _, version in server.seen if signature == "window"} == {2}


def test_a_large_picture_starts_again_if_its_version_is_unloaded(server, call):
    server.swap = (7, [2])
    found = call(server.target, "large", Window(height=300, width=300))
    np.testing.assert_array_equal(found, paint(2, 0, 0, 0, 300, 300))
    assert {version for signature, _, version in server.seen if signature == "window"} == {1, 2}


def test_a_large_picture_ends_with_the_first_permanent_failure(server, call):
    server.faults = [None, None, grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: a fault of two lines") as caught:
        call(server.target, "large", Window(height=900, width=900))
    assert caught.value.code == "INVALID_ARGUMENT"
    assert len(server.seen) < 50  # of 226


@pytest.mark.parametrize("code", [UNAVAILABLE, FULL, LATE])
def test_temporary_failures_are_retried(server, call, code):
    server.faults = [code, code]
    np.testing.assert_array_equal(call(server.target, "window", 5, 5), paint(1, 0, 0, 0, 5, 5))
    server.faults = [code] * 3
    words = rf"^{server.target}: {code.name}: a fault of two lines \(3 attempts\); .*\.$"
    with pytest.raises(ServingError, match=words) as found:
        call(server.target, "window", 5, 5, retries=2)
    assert found.value.code == code.name
    assert server.faults == []


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "INTERNAL", "UNKNOWN"])
def test_other_failures_are_not_retried(server, call, name):
    server.faults = [grpc.StatusCode[name], FULL]
    with pytest.raises(ServingError, match=f"{name}: a fault") as caught:
        call(server.target, "window", 5, 5)
    assert caught.value.code == name
    assert server.faults == [FULL]


def test_the_timeout_ends_an_attempt(server, call):
    server.faults = [NO_RESPONSE]
    with pytest.raises(ServingError, match=r"DEADLINE_EXCEEDED: .*; raise the timeout"):
        call(server.target, "window", 5, 5, timeout=1.0, retries=0)
    assert server.received <= 1  # 0 on a very slow machine
    assert all(seconds < 10 for seconds in server.allowed)  # gRPC rounds 1 up, clocks are set; without the timeout: 30


def test_a_picture_of_another_size_than_requested_is_an_error(server, call):
    server.wrong = response("image", wire.UINT8, [4, 5, 3], tensor_content=bytes(60))
    with pytest.raises(ServingError, match=r"WRONG_RESPONSE: image: shape \[4, 5, 3\], not \[5, 5, 3\]"):
        call(server.target, "window", 5, 5)


def test_a_response_may_exceed_grpcs_default_limit(call):
    with FakeServer() as server:
        assert call(server.target, "window", 1500, 1500).nbytes > 4 * 2**20


def test_a_client_reconnects_to_a_restarted_server(monkeypatch):
    with FakeServer() as server:
        client, port = Client(server.target, "m", retries=0), server.port
        client.window(5, 5)
    with pytest.raises(ServingError, match=r"UNAVAILABLE: .*; start the server there"):
        client.window(5, 5)
    client.close()
    delays, failed = channels.RetryPolicy.delay, threading.Event()

    def delay(*args):
        failed.set()
        return delays(*args)

    monkeypatch.setattr(channels.RetryPolicy, "delay", delay)
    retrying = Client(f"localhost:{port}", "m", retries=999)
    found = []
    thread = threading.Thread(target=lambda: found.append(retrying.window(5, 5)), daemon=True)
    thread.start()
    assert failed.wait(HANG)
    with FakeServer(port=port):
        thread.join(HANG)
    retrying.close()
    assert found[0].shape == (5, 5, 3)


def test_cancelling_a_picture_cancels_its_requests(server):
    server.faults = [None, NO_RESPONSE, NO_RESPONSE]

    async def go():
        async with AsyncClient(server.target, "m", parallel=2) as client:
            picture = asyncio.ensure_future(client.large(Window(height=900, width=900)))
            while server.received < 3:
                await asyncio.sleep(0.01)
            picture.cancel()
            with pytest.raises(asyncio.CancelledError):
                await picture
            # While the channel is still open: closing it would end the calls too.
            assert [await asyncio.to_thread(server.ended.acquire, timeout=HANG) for _ in range(2)] == [True, True]

    asyncio.run(go())
    assert server.received == 3


@pytest.mark.parametrize(
    "target, settings, words",
    [
        ("localhost", {}, "server: 'localhost' is not an address; write host:port"),
        ("localhost:8500", {"timeout": 0}, "timeout: 0 is not a number of seconds"),
        ("localhost:8500", {"retries": -1}, "retries: -1 is below 0"),
        ("localhost:8500", {"parallel": 0}, "parallel: 0 is below 1"),
        ("localhost:8500", {"version": -1}, "version: -1 is below 0"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_settings_are_checked_before_anything_is_sent(kind, target, settings, words):
    with pytest.raises(ValueError, match=words):
        kind(target, "m", **settings)


class Failure(grpc.RpcError):
    """UNAVAILABLE with trailing metadata."""

    def __init__(self, *metadata):
        self._metadata = metadata

    def code(self):
        return UNAVAILABLE

    def details(self):
        return "away"

    def trailing_metadata(self):
        return self._metadata


def test_delays_grow_to_a_maximum_and_are_random():
    delays = [[channels.RetryPolicy(1, 99).delay(Failure(), tries, "") for _ in range(20)] for tries in range(1, 15)]
    for tries, found in enumerate(delays):
        expected = channels.FIRST_DELAY * 2**tries
        assert (
            min(channels.LONGEST_DELAY, expected / 2)
            <= min(found)
            <= max(found)
            <= min(channels.LONGEST_DELAY, expected)
        )
        assert min(found) < max(found) or min(found) == channels.LONGEST_DELAY


def test_the_servers_retry_delay_is_respected():
    policy = channels.RetryPolicy(1, 99)
    assert 0.7 <= policy.delay(Failure((wire.RETRY_AFTER, "700")), 1, "") <= 1.05
    assert policy.delay(Failure((wire.RETRY_AFTER, "999999")), 1, "") == channels.LONGEST_DELAY
    with pytest.raises(ServingError, match="UNAVAILABLE: away"):
        policy.delay(Failure((wire.RETRY_AFTER, "-1")), 1, "")


def test_a_client_imports_neither_tensorflow_nor_tf_psgan():
    script = (
        "import sys\n"
        "from tests.support.fake_server import FakeServer\n"
        "from tf_psgan_serving.client import Client, Window\n"
        "with FakeServer() as server, Client(server.target, 'm') as client:\n"
        "    print(client.large(Window(height=100, width=100)).shape)\n"
        "print({name.partition('.')[0] for name in sys.modules} & "
        "{'tensorflow', 'tensorflow_serving', 'keras', 'tf_psgan'})\n"
    )
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'serving'}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=300)
    assert done.stdout.split("\n")[:2] == ["(100, 100, 3)", "set()"], done.stderr


def test_every_name_of_the_stub_can_be_imported():
    assert {"AsyncClient", "Client", "Morph", "ServingError", "Tile", "Tls", "Window"} <= set(client_package.__all__)
    assert all(hasattr(client_package, name) for name in client_package.__all__)
