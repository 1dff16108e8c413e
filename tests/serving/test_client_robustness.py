"""Clients of a server that restarts, changes its models, sends damaged answers or lies: no mixed picture, no hang."""

import asyncio
import io
import json
import threading

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.support.fake_server import HANG, FakeServer, paint, response
from tf_psgan_serving import wire
from tf_psgan_serving.client import (
    AsyncClient,
    Client,
    ServingError,
    Tile,
    Window,
    channels,
    command,
    large_picture,
    partial,
)
from tf_psgan_serving.client.channels import Attempts, RetryPolicy

INTERNAL, UNAVAILABLE, NOT_FOUND = (grpc.StatusCode[name] for name in ("INTERNAL", "UNAVAILABLE", "NOT_FOUND"))
VIEW = Window(height=300, width=250, top=-20, left=5, seed=3, texture=4)
PIECES = 24
"""Requests for `VIEW` within the limits of the fake server: 6 x 4."""


@pytest.fixture
def server():
    with FakeServer() as running:
        running.identity = "metadata"
        yield running


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(channels, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(channels, "LONGEST_DELAY", 0.05)


@pytest.fixture(params=["sync", "asyncio"])
def call(request):
    """Calls one method of a client of either kind."""

    def sync(target, method, *args, options=None, **settings):
        with Client(target, "m", **settings) as client:
            return getattr(client, method)(*args, **(options or {}))

    async def aio(target, method, *args, options=None, **settings):
        async with AsyncClient(target, "m", **settings) as client:
            return await getattr(client, method)(*args, **(options or {}))

    return sync if request.param == "sync" else lambda *args, **settings: asyncio.run(aio(*args, **settings))


@pytest.fixture
def run(server, tmp_path, capsys):
    """Runs psgan-client for `VIEW`; the exit code and what it printed."""

    def run(*flags):
        view = {name: getattr(VIEW, name) for name in ("height", "width", "top", "left", "seed", "texture")}
        settings = [f"--server={server.target}", "--model=m", f"--out={tmp_path / 'a.png'}", "--parallel=1"]
        code = command.main([*settings, *(f"--{name}={value}" for name, value in view.items()), *flags])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def expected(content=0, version=1, view=VIEW):
    return paint(view.seed + version + 100 * content, view.texture, view.top, view.left, view.height, view.width)


def windows(server):
    return [(inputs["top"], inputs["left"]) for signature, inputs, _ in server.seen if signature == "window"]


def encoded(picture, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


PICTURE = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
PNG, JPEG = encoded(PICTURE), encoded(PICTURE, "JPEG")


@pytest.mark.parametrize(
    "kind, data",
    [
        ("png", PNG[: len(PNG) // 2]),
        ("png", PNG[:-12]),
        ("png", flipped(PNG, len(PNG) // 2)),
        ("png", PNG + b"more"),
        ("png", encoded(PICTURE[..., 0])),
        ("jpeg", JPEG[: len(JPEG) // 2]),
        ("jpeg", JPEG[:-2]),
    ],
)
def test_a_damaged_picture_is_an_error_and_not_written(server, call, run, tmp_path, kind, data):
    server.wrong = response("image_bytes", wire.STRING, [], string_val=[data])
    with pytest.raises(ServingError, match="WRONG_RESPONSE: image_bytes: "):
        call(server.target, "encoded", Tile(height=30, width=20), kind)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_picture_ends_the_command_with_1(server, run, tmp_path):
    server.description = {"limits": {"height": 512, "width": 512, "pixels": 2**18}, "chunk_pixels": 64}
    cut = response("image_bytes", wire.STRING, [], string_val=[encoded(expected())[:-40]])
    send = server._response
    server._response = lambda signature, *rest: send(signature, *rest) if signature == "describe" else cut
    code, printed = run()
    assert (code, printed.count("\n")) == (1, 1) and "not a complete PNG file" in printed
    assert list(tmp_path.iterdir()) == []


def test_finished_pieces_survive_an_outage_longer_than_the_retries(server, call):
    server.faults = [None] * 10 + [UNAVAILABLE] * 40
    found = call(server.target, "large", VIEW, retries=0)
    np.testing.assert_array_equal(found, expected())
    assert sorted(set(windows(server))) == sorted(windows(server)) and len(windows(server)) == PIECES


def test_a_large_picture_continues_with_a_restarted_server(call, monkeypatch):
    failed, delay = threading.Event(), channels.RetryPolicy.delay

    def note(*args):
        failed.set()
        return delay(*args)

    monkeypatch.setattr(channels.RetryPolicy, "delay", note)
    found, last = [], threading.Event()
    with FakeServer() as first:
        first.identity, first.faults = "metadata", [None] * 9 + [last]
        target, port = first.target, first.port
        work = lambda: found.append(call(target, "large", VIEW, retries=0, parallel=1))  # noqa: E731
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while first.received < 10:
            threading.Event().wait(0.01)
        last.set()
    assert failed.wait(HANG)
    with FakeServer(port=port) as second:
        second.identity, second.faults = "metadata", [NOT_FOUND, NOT_FOUND]  # no version is loaded yet
        thread.join(HANG)
    np.testing.assert_array_equal(found[0], expected())
    assert len(windows(first)) + len(windows(second)) <= PIECES + 1


def test_a_server_that_stays_away_is_an_error(server, call):
    server.faults = [None] * 4 + [UNAVAILABLE] * 10_000
    with pytest.raises(ServingError, match="UNAVAILABLE: a fault"):
        call(server.target, "large", VIEW, retries=1, reconnect=0.0, parallel=1)


@pytest.mark.parametrize("identity", ["metadata", "description"])
def test_a_picture_is_of_one_content_when_another_comes_under_the_same_version(server, call, identity):
    server.identity, server.contents = identity, {0: 0, 10: 1}
    found = call(server.target, "large", VIEW)
    np.testing.assert_array_equal(found, expected(content=1))


def test_finished_pieces_stay_when_the_same_content_gets_another_version(server, call):
    server.swap = (10, [2])
    found = call(server.target, "large", VIEW, parallel=1)
    first = sum(version == 1 for signature, _, version in server.seen if signature == "window")
    np.testing.assert_array_equal(found[:64], expected()[:64])
    assert first == 9 and len(windows(server)) == PIECES


@pytest.mark.parametrize("identity", ["metadata", ""])
def test_pieces_of_other_versions_than_requested_are_an_error(server, call, identity):
    server.identity, server.answers_with, server.versions = identity, list(range(1, 10_000)), range(1, 10_000)
    with pytest.raises(ServingError, match="WRONG_RESPONSE: a piece is of version"):
        call(server.target, "large", VIEW, parallel=1)
    assert server.received <= 2 * large_picture.MAX_ROUNDS


def test_a_single_picture_of_another_version_than_requested_is_an_error(server, call):
    for method, args in (("window", (5, 5)), ("encoded", (Tile(height=8, width=8), "png")), ("describe", ())):
        server.answers_with = [7]
        with pytest.raises(ServingError, match="WRONG_RESPONSE: version 7 of the model, not 1"):
            call(server.target, method, *args, version=1)


def test_a_server_that_changes_its_content_all_the_time_is_an_error(server, call):
    server.contents = {count: count for count in range(10_000)}
    with pytest.raises(ServingError, match="of another content, while the picture is of version 1"):
        call(server.target, "large", VIEW, parallel=1)
    assert server.received <= 2 * large_picture.MAX_ROUNDS


class Climbing:
    """Versions of which a newer one is loaded for every description."""

    newest = 0

    def __getitem__(self, _):
        self.newest += 1
        return self.newest

    def __contains__(self, version):
        return True


def test_the_number_of_descriptions_for_one_picture_is_limited(server, call):
    server.versions, server.faults = Climbing(), [None, NOT_FOUND] * 1000
    with pytest.raises(ServingError, match="NOT_FOUND"):
        call(server.target, "large", VIEW, parallel=1)
    assert server.received <= 2 * large_picture.MAX_ROUNDS


def test_the_number_of_requests_for_one_picture_is_limited(server, call):
    server.description = {"limits": {"height": 1, "width": 1, "pixels": 1}, "chunk_pixels": 1}
    with pytest.raises(
        ServingError, match=r"300x250 pixels take 75000 requests of 1x1 pixels, .*; at most 16384 are sent"
    ):
        call(server.target, "large", VIEW)
    assert server.received == 1


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}"])
def test_deep_json_is_an_error(server, call, text):
    server.wrong = response("description", wire.STRING, [], string_val=[text])
    with pytest.raises(ServingError, match="WRONG_RESPONSE: description: more than 32 levels of JSON"):
        call(server.target, "describe")


def test_brackets_inside_strings_are_no_levels(server, call):
    text = {"a": "[" * 500, 'quote"': "{\\" * 500, "deep": [[[{"b": 1}]]]}
    server.wrong = response("description", wire.STRING, [], string_val=[json.dumps(text).encode()])
    assert call(server.target, "describe") == text


ESCAPES = "\x1b]0;title\x07\x1b[2J\u202e\r\u2028words"


def test_no_control_character_of_a_server_is_printed(server, call, run):
    server.details, server.faults = ESCAPES, [INTERNAL, INTERNAL]
    with pytest.raises(ServingError, match=r"\\x1b\]0;title.*words") as caught:
        call(server.target, "window", 5, 5)
    assert str(caught.value).isprintable()
    code, printed = run()
    assert code == 1 and printed.endswith("\n") and printed[:-1].isprintable()
    server.wrong = response(ESCAPES, wire.UINT8, [1])
    with pytest.raises(ServingError, match=r"outputs \\x1b") as caught:
        call(server.target, "window", 5, 5)
    assert str(caught.value).isprintable()


def test_the_deadline_ends_a_call_whatever_the_retries(server, call, run):
    for method, args in (("window", (5, 5)), ("large", (VIEW,)), ("describe", ())):
        server.faults = [UNAVAILABLE] * 10**5
        with pytest.raises(ServingError, match=r"DEADLINE_EXCEEDED: not finished within 0\.2 s; raise the deadline"):
            call(server.target, method, *args, retries=10**6, deadline=0.2)
    code, printed = run("--deadline=0.2", "--retries=1000000")
    assert code == 1 and "not finished within 0.2 s; raise the deadline" in printed


def test_attempts_share_the_time_of_their_call():
    now = [100.0]
    attempts = Attempts(RetryPolicy(timeout=30.0, retries=5, deadline=70.0), "t", clock=lambda: now[0])
    assert attempts.timeout() == 30.0
    now[0] += 50.0
    assert attempts.timeout() == 20.0
    now[0] += 20.0
    with pytest.raises(ServingError, match="t: DEADLINE_EXCEEDED: not finished within 70 s"):
        attempts.timeout()


class Away(grpc.RpcError):
    code, details, trailing_metadata = lambda _: UNAVAILABLE, lambda _: "away", lambda _: ()


def test_a_server_is_waited_for_while_a_picture_has_begun_and_only_so_long():
    now = [0.0]
    attempts = Attempts(RetryPolicy(30.0, 2, reconnect=60.0), "t", clock=lambda: now[0])
    attempts.succeed()
    with pytest.raises(ServingError):
        attempts.delay(Away(), 3)
    attempts.begun = True
    assert attempts.delay(Away(), 1000) > 0
    now[0] = 59.0
    attempts.delay(Away(), 1000)
    now[0] = 61.0
    with pytest.raises(ServingError, match="away"):
        attempts.delay(Away(), 1000)


def test_an_interrupted_download_continues_with_its_finished_pieces(server, run, tmp_path):
    server.faults = [None] * 12 + [INTERNAL]
    code, printed = run()
    assert (
        code == 1 and f"The same command continues with the finished pieces in {tmp_path / '.a.png.partial'}" in printed
    )
    before = windows(server)
    assert len(before) == 10
    assert run()[0] == 0
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "a.png")), expected())
    assert len(windows(server)) == len(set(windows(server))) == PIECES
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "damage, lost",
    [(lambda data: data[:-100], 1), (lambda data: data + b"\x00" * 30, 0), (lambda data: flipped(data, -200), 1),
     (lambda data: flipped(data, 5), 10), (lambda data: b"", 10)],
)  # fmt: skip
def test_what_is_damaged_in_a_partial_file_is_requested_again(server, run, tmp_path, damage, lost):
    server.faults = [None] * 12 + [INTERNAL]
    run()
    path = tmp_path / ".a.png.partial"
    path.write_bytes(damage(path.read_bytes()))
    assert run()[0] == 0
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "a.png")), expected())
    assert len(windows(server)) == PIECES + lost


@pytest.mark.parametrize("change", ["content", "view", "no identity"])
def test_finished_pieces_of_another_picture_are_not_used(server, run, tmp_path, change):
    server.faults = [None] * 12 + [INTERNAL]
    run()
    server.seen.clear()
    server.contents = {0: int(change == "content")}
    server.identity = "" if change == "no identity" else "metadata"
    assert run(*(["--seed=9"] if change == "view" else []))[0] == 0
    assert len(windows(server)) == PIECES
    found = np.array(Image.open(tmp_path / "a.png"))
    changed = Window(**vars(VIEW) | {"seed": 9}) if change == "view" else VIEW
    np.testing.assert_array_equal(found, expected(content=server.contents[0], view=changed))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_no_pieces_are_kept_of_a_server_that_sends_no_identity_with_them(server, run, tmp_path):
    server.identity, server.faults = "description", [None] * 12 + [INTERNAL]
    assert run()[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_of_one_line(server, run, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path / ".a.png.partial"))

    monkeypatch.setattr(partial.PartialFile, "append", full)
    assert run() == (1, f"error: {tmp_path / '.a.png.partial'}: No space left on device.\n")
