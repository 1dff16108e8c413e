"""The clients: the same pixels in one request or in many, patience with a failing server, nothing of TensorFlow."""

import asyncio
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from serving import channels, wire
from serving.client import AsyncClient, Client, Error, Morph, Window
from tests.support.fake_server import FakeServer, answer, paint

UNAVAILABLE, FULL, LATE = (grpc.StatusCode[name] for name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"))
HERE = Path(__file__).resolve().parent


@pytest.fixture
def server():
    with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(channels, "FIRST_WAIT", 0.01)


@pytest.fixture(params=["sync", "asyncio"])
def ask(request):
    """Calls one method of a client of either kind."""

    def sync(target, method, *args, **settings):
        with Client(target, "m", **settings) as client:
            return getattr(client, method)(*args)

    async def aio(target, method, *args, **settings):
        async with AsyncClient(target, "m", **settings) as client:
            return await getattr(client, method)(*args)

    return sync if request.param == "sync" else lambda *args, **settings: asyncio.run(aio(*args, **settings))


@pytest.mark.parametrize("as_numbers", [False, True])
def test_each_kind_of_picture_is_asked_for_by_its_signature(server, ask, as_numbers):
    server.as_numbers = as_numbers
    found = ask(server.target, "window", 1, 2, -5, 10**9, 7, 9)
    np.testing.assert_array_equal(found, paint(2, 2, -5, 10**9, 7, 9))
    assert found.flags.writeable
    np.testing.assert_array_equal(ask(server.target, "torus", 1, 2, 8, 16), paint(2, 2, 0, 0, 8, 16))
    np.testing.assert_array_equal(ask(server.target, "morph", 1, [1, 0, 0, 5], 7, 9), paint(2, 21, 0, 0, 7, 9))
    assert server.seen == [
        ("window", {"seed": 1, "texture": 2, "top": -5, "left": 10**9, "height": 7, "width": 9}, 0),
        ("torus", {"seed": 1, "texture": 2, "height": 8, "width": 16}, 0),
        ("morph", {"seed": 1, "textures": [1, 0, 0, 5], "extent_height": 7, "extent_width": 9, "top": 0, "left": 0,
                   "height": 7, "width": 9}, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_encoded_pictures_are_the_servers_own_files(server, ask, kind):
    data = ask(server.target, "encoded", Window(1, 2, 3, 4, 30, 20), kind)
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.size) == (kind.upper(), (20, 30))
    assert server.seen[0][0] == f"window_{kind}"


def test_a_file_of_another_kind_or_extent_is_refused(server, ask):
    other = ask(server.target, "encoded", Window(1, 2, 3, 4, 30, 21), "png")
    for kind, data, words in (("png", other, "30x21 pixels, not 30x20"), ("jpeg", other, "no JPEG"),
                              ("png", b"nonsense", "no PNG"), ("png", other[:20], "no PNG")):  # fmt: skip
        server.wrong = answer("image_bytes", wire.STRING, [], string_val=[data])
        with pytest.raises(Error, match=words):
            ask(server.target, "encoded", Window(1, 2, 3, 4, 30, 20), kind)


def test_a_model_describes_itself(server, ask):
    assert ask(server.target, "describe")["tile_pixels"] == 32


@pytest.mark.parametrize("view", [Window(3, 4, -50, 70, 260, 190), Morph(3, (1, 2, 3, 4), 500, 500, 9, -9, 150, 200)])
def test_a_large_picture_is_the_one_that_one_request_would_give(server, ask, view):
    found = ask(server.target, "large", view)
    texture = view.texture if isinstance(view, Window) else 30
    np.testing.assert_array_equal(found, paint(4, texture, view.top, view.left, view.height, view.width))
    asked = [inputs for signature, inputs, _ in server.seen if signature != "describe"]
    tiles = [(inputs["top"] // 64, inputs["left"] // 64) for inputs in asked]
    assert len(set(tiles)) == len(tiles)  # no tile of the server is made for two requests
    assert max(inputs["height"] * inputs["width"] for inputs in asked) <= 4096


@pytest.mark.parametrize("parallel", [1, 3])
def test_so_many_requests_are_under_way_at_a_time(server, ask, parallel):
    server.pause = 0.05
    ask(server.target, "large", Window(0, 0, 0, 0, 192, 192), parallel=parallel)
    assert server.most == parallel


@pytest.mark.parametrize("room", [1, 2])
def test_a_large_picture_takes_no_more_than_the_room_there_is(server, ask, room):
    server.room, server.pause = room, 0.02
    found = ask(server.target, "large", Window(0, 0, 0, 0, 300, 300), parallel=8, retries=3)
    np.testing.assert_array_equal(found, paint(1, 0, 0, 0, 300, 300))


def test_a_server_that_stays_full_ends_a_large_picture(server, ask):
    server.faults = [None] + [FULL] * 99
    with pytest.raises(Error, match=r"RESOURCE_EXHAUSTED: a fault of two lines \(3 tries\)"):
        ask(server.target, "large", Window(0, 0, 0, 0, 300, 300), retries=2)
    assert len(server.faults) == 99 - 3 - 3  # three of four workers leave, the last one has its three tries


def test_what_waits_ends_with_what_failed(server, ask, monkeypatch):
    monkeypatch.setattr(channels, "FIRST_WAIT", 60.0)
    monkeypatch.setattr(channels, "LONGEST_WAIT", 60.0)
    server.faults = [None, UNAVAILABLE, 0.2, grpc.StatusCode.INTERNAL]
    start = time.monotonic()
    with pytest.raises(Error, match="INTERNAL"):
        ask(server.target, "large", Window(0, 0, 0, 0, 300, 300), parallel=2)
    assert time.monotonic() - start < 10


def test_a_large_picture_survives_failures_on_the_way(server, ask):
    server.faults = [UNAVAILABLE, UNAVAILABLE, *[None, FULL] * 6, 1.0, LATE]
    found = ask(server.target, "large", Window(0, 0, 0, 0, 300, 300), timeout=0.5)
    np.testing.assert_array_equal(found, paint(1, 0, 0, 0, 300, 300))


def test_one_picture_is_made_by_one_version(server, ask):
    server.versions = [1, 2]
    found = ask(server.target, "large", Window(0, 0, 0, 0, 100, 100))
    np.testing.assert_array_equal(found, paint(2, 0, 0, 0, 100, 100))
    assert {version for signature, _, version in server.seen if signature == "window"} == {2}


def test_a_large_picture_starts_over_when_its_version_leaves(server, ask):
    server.swap = (7, [2])
    found = ask(server.target, "large", Window(0, 0, 0, 0, 300, 300))
    np.testing.assert_array_equal(found, paint(2, 0, 0, 0, 300, 300))
    assert {version for signature, _, version in server.seen if signature == "window"} == {1, 2}


def test_a_large_picture_ends_with_the_first_failure(server, ask):
    server.faults = [None, None, grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(Error, match="INVALID_ARGUMENT: a fault of two lines") as caught:
        ask(server.target, "large", Window(0, 0, 0, 0, 900, 900))
    assert caught.value.code == "INVALID_ARGUMENT"
    assert len(server.seen) < 50  # of 226


@pytest.mark.parametrize("code", [UNAVAILABLE, FULL, LATE])
def test_a_server_that_is_away_full_or_late_is_asked_again(server, ask, code):
    server.faults = [code, code]
    np.testing.assert_array_equal(ask(server.target, "window", 0, 0, 0, 0, 5, 5), paint(1, 0, 0, 0, 5, 5))
    server.faults = [code] * 3
    words = rf"^{server.target}: {code.name}: a fault of two lines \(3 tries\); .*\.$"
    with pytest.raises(Error, match=words) as found:
        ask(server.target, "window", 0, 0, 0, 0, 5, 5, retries=2)
    assert found.value.code == code.name
    assert server.faults == []


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "INTERNAL", "UNKNOWN"])
def test_nothing_else_is_asked_again(server, ask, name):
    server.faults = [grpc.StatusCode[name], FULL]
    with pytest.raises(Error, match=f"{name}: a fault") as caught:
        ask(server.target, "window", 0, 0, 0, 0, 5, 5)
    assert caught.value.code == name
    assert server.faults == [FULL]


def test_a_late_answer_is_not_waited_for(server, ask):
    server.faults = [2.0]
    start = time.monotonic()
    with pytest.raises(Error, match=r"DEADLINE_EXCEEDED: .*; allow more seconds"):
        ask(server.target, "window", 0, 0, 0, 0, 5, 5, timeout=0.2, retries=0)
    assert time.monotonic() - start < 1.5


def test_a_picture_of_another_extent_than_asked_for_is_refused(server, ask):
    server.wrong = answer("image", wire.UINT8, [4, 5, 3], tensor_content=bytes(60))
    with pytest.raises(Error, match=r"WRONG_ANSWER: image: shape \[4, 5, 3\], not \[5, 5, 3\]"):
        ask(server.target, "window", 0, 0, 0, 0, 5, 5)


def test_an_answer_may_be_larger_than_grpcs_own_limit(ask):
    with FakeServer() as server:
        assert ask(server.target, "window", 0, 0, 0, 0, 1500, 1500).nbytes > 4 * 2**20


def test_a_client_finds_a_server_that_came_back():
    with FakeServer() as server:
        client, port = Client(server.target, "m", retries=0), server.port
        client.window(0, 0, 0, 0, 5, 5)
    with pytest.raises(Error, match=r"UNAVAILABLE: .*; start the server there"):
        client.window(0, 0, 0, 0, 5, 5)
    client.close()
    patient = Client(f"localhost:{port}", "m", retries=12)
    found = []
    asking = threading.Thread(target=lambda: found.append(patient.window(0, 0, 0, 0, 5, 5)))
    asking.start()
    time.sleep(0.3)
    with FakeServer(port=port):
        asking.join()
    patient.close()
    assert found[0].shape == (5, 5, 3)


def test_a_cancelled_picture_takes_its_requests_along(server):
    server.pause = 0.05

    async def go():
        async with AsyncClient(server.target, "m", parallel=2) as client:
            await asyncio.wait_for(client.large(Window(0, 0, 0, 0, 900, 900)), 0.4)

    with pytest.raises(TimeoutError):
        asyncio.run(go())
    time.sleep(0.3)
    there = len(server.seen)
    time.sleep(0.3)
    assert len(server.seen) == there < 50


@pytest.mark.parametrize(
    "target, settings, words",
    [
        ("localhost", {}, "server: 'localhost' is no address; write host:port"),
        ("localhost:8500", {"timeout": 0}, "timeout: 0 is no time to wait"),
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
    """A server that is away, and what it says beside."""

    def __init__(self, *beside):
        self._beside = beside

    def code(self):
        return UNAVAILABLE

    def details(self):
        return "away"

    def trailing_metadata(self):
        return self._beside


def test_waits_grow_to_a_bound_and_differ():
    waits = [[channels.Patience(1, 99).wait(Failure(), tries, "") for _ in range(20)] for tries in range(1, 15)]
    for tries, found in enumerate(waits):
        usual = channels.FIRST_WAIT * 2**tries
        assert min(channels.LONGEST_WAIT, usual / 2) <= min(found) <= max(found) <= min(channels.LONGEST_WAIT, usual)
        assert min(found) < max(found) or min(found) == channels.LONGEST_WAIT


def test_a_client_comes_again_when_the_server_says_or_never():
    patience = channels.Patience(1, 99)
    assert 0.7 <= patience.wait(Failure((channels.PUSHBACK, "700")), 1, "") <= 1.05
    assert patience.wait(Failure((channels.PUSHBACK, "999999")), 1, "") == channels.LONGEST_WAIT
    with pytest.raises(Error, match="UNAVAILABLE: away"):
        patience.wait(Failure((channels.PUSHBACK, "-1")), 1, "")


def test_a_picture_needs_no_tensorflow_and_nothing_of_the_project():
    script = (
        "import sys\n"
        "from fake_server import FakeServer\n"
        "from serving.client import Client, Window\n"
        "with FakeServer() as server, Client(server.target, 'm') as client:\n"
        "    print(client.large(Window(0, 0, 0, 0, 100, 100)).shape)\n"
        "print({name.partition('.')[0] for name in sys.modules} & "
        "{'tensorflow', 'tensorflow_serving', 'keras', 'tf_psgan'})\n"
    )
    env = {"PYTHONPATH": f"{HERE}:{HERE.parent}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["(100, 100, 3)", "set()"], done.stderr
