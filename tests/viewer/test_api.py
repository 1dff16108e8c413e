"""The viewer's HTTP API over a server of pictures that follow a formula."""

import base64
import contextlib
import io
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.support import viewer
from tests.support.fake_server import HANG, NO_RESPONSE, FakeServer, paint
from tests.support.small_server import until
from tests.support.viewer import DESCRIPTION, VERSION, get, picture, problem
from tf_psgan_serving.client import channels
from tf_psgan_serving.viewer import models, scenes

FULL, AWAY, BROKEN = (grpc.StatusCode[name] for name in ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"))


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(channels, "FIRST_DELAY", 0.001)


@contextlib.contextmanager
def both(**settings):
    """A server, and a viewer over it that has its description already."""
    with FakeServer(description=DESCRIPTION) as server, viewer.running(server.target, **settings) as root:
        get(root, f"{VERSION}/{2**50}/0/0/0/x.png")
        yield server, root


@pytest.fixture(scope="module")
def shared():
    with both() as pair:
        yield pair


@pytest.fixture
def root(shared):
    return shared[1]


def paths(server):
    """The signatures, and the inputs' top and left, of the requests for pictures."""
    return [(name, at.get("top"), at.get("left")) for name, at, _ in server.seen if name != "describe"]


def painted(seed, texture, top, left, height, width):
    """The pixels of the model's version 1."""
    return paint(seed + 1, texture, top, left, height, width)


@pytest.mark.parametrize("x, y", [(0, 0), (-1, 5), (10**6, -(10**6)), (2**32 - 1, -(2**32))])
def test_a_map_tile_at_zoom_0_has_the_pixels_of_the_plane(root, x, y):
    found = picture(root, f"{VERSION}/2/-3/0/{x}/{y}.png")
    np.testing.assert_array_equal(found, painted(-3, 2, 256 * y, 256 * x, 256, 256))


@pytest.mark.parametrize("zoom", [-1, -2, -3])
def test_a_farther_map_tile_has_the_means_of_pixels(root, zoom):
    side = 2**-zoom
    found = picture(root, f"{VERSION}/2/3/{zoom}/-1/2.png")
    whole = painted(3, 2, 512 * side, -256 * side, 256 * side, 256 * side)
    means = whole.reshape(256, side, 256, side, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(found, np.rint(means))


def test_the_four_map_tiles_of_a_block_cost_one_request_at_most_of_512_pixels():
    with both() as (server, root), ThreadPoolExecutor(4) as pool:
        tiles = [f"{VERSION}/0/0/0/{x}/{y}.png" for x in (2, 3) for y in (-2, -1)]
        assert all(found.shape == (256, 256, 3) for found in pool.map(lambda path: picture(root, path), tiles))
        assert paths(server) == [("window", -512, 512)]


def test_a_window_may_begin_anywhere(root):
    found = picture(root, f"{VERSION}/window.png?top=-700&left=1000000001&height=900&width=33&seed=5&texture=-7")
    np.testing.assert_array_equal(found, painted(5, -7, -700, 10**9 + 1, 900, 33))


def test_a_window_without_parameters_is_of_512_pixels_at_the_origin(root):
    np.testing.assert_array_equal(picture(root, f"{VERSION}/window.png"), painted(0, 0, 0, 0, 512, 512))


def test_a_seamless_tile_is_one_request_of_its_signature(shared):
    found = picture(shared[1], f"{VERSION}/tile.png?height=600&width=80&seed=2&texture=4")
    np.testing.assert_array_equal(found, painted(2, 4, 0, 0, 600, 80))
    assert shared[0].seen[-1][0] == "torus"


def test_morphs_and_their_map_tiles_are_windows_of_one_blend(shared):
    server, root = shared
    whole = f"{VERSION}/morph.png?textures=1,-2,3,4&extent_height=900&extent_width=700&seed=6&top=100&left=256"
    found = picture(root, f"{whole}&height=412&width=256")
    np.testing.assert_array_equal(picture(root, f"{VERSION}/morph/1,-2,3,4/900/700/6/0/1/1.png"), found[-256:])
    name, inputs, _ = server.seen[-1]
    assert name == "morph" and inputs["textures"] == [1, -2, 3, 4]
    assert (inputs["extent_height"], inputs["extent_width"]) == (900, 700)


@pytest.mark.parametrize("suffix, kind", [("png", "png"), ("jpg", "jpeg"), ("webp", "webp")])
def test_pictures_may_be_cached_for_ever(root, suffix, kind):
    status, headers, body = get(root, f"{VERSION}/0/0/0/0/0.{suffix}")
    assert status == 200 and headers["content-type"] == f"image/{kind}"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers
    assert int(headers["content-length"]) == len(body)
    assert get(root, f"{VERSION}/0/0/0/0/0.{suffix}", method="HEAD")[2] == b""


@pytest.mark.parametrize(
    "path, status, text",
    [
        (f"{VERSION}/a/0/0/0/0.png", 400, "texture: 'a' is not an integer; write one as in 12 or -7."),
        (f"{VERSION}/0/{2**63}/0/0/0.png", 400, f"seed: {2**63} is outside"),
        (f"{VERSION}/0/0/1/0/0.png", 400, "z: 1 is outside -3 .. 0; choose a value inside."),
        (f"{VERSION}/0/0/-4/0/0.png", 400, "z: -4 is outside"),
        (f"{VERSION}/0/0/-1/0/{2**31}.png", 400, f"y: {2**31} is outside -{2**31} .. {2**31 - 1} at z -1."),
        (f"{VERSION}/0/0/0/{2**32}/0.png", 400, f"x: {2**32} is outside"),
        (f"{VERSION}/0/0/0/1.5/0.png", 400, "x: '1.5' is not an integer"),
        (f"{VERSION}/0/0/0/%D9%A1/0.png", 400, "x: '\u0661' is not an integer"),
        (f"{VERSION}/0/0/0/0/0.gif", 404, "'gif' is no kind of picture; use png, jpg, webp."),
        (f"{VERSION}/window.png?height=0", 400, "height: 0 is outside 1 .. 2048"),
        (f"{VERSION}/window.png?height=1&height=2", 400, "height: given twice"),
        (f"{VERSION}/window.png?heigth=1", 400, "'heigth' is not a parameter here; there are texture, seed, top,"),
        (f"{VERSION}/window.png?identity=abc", 404, "identity: version 1 of m has another one"),
        (f"{VERSION}/tile.png?top=1", 400, "'top' is not a parameter here"),
        (f"{VERSION}/morph.png?textures=1,2,3&extent_height=9&extent_width=9", 400, "textures: '1,2,3' is not four"),
        (f"{VERSION}/morph.png?textures=1,2,3,4&extent_width=9", 400, "extent_height: missing"),
        ("/v1/models/m/versions/0/window.png", 400, "version: 0 is outside"),
        ("/v1/models/m/versions/7/window.png", 404, "m: no version 7"),
        ("/v1/models/x/versions/1/window.png", 404, "'x' is no model of the server; it has m."),
        ("/v1/models/m%0A%1B[1m/versions/1/window.png", 404, "is no model of the server"),
        ("/../../pyproject.toml", 404, "there is nothing at this address; /openapi.json has all."),
        ("/%2e%2e/%2e%2e/pyproject.toml", 404, "there is nothing at this address"),
        ("/vendor/leaflet/", 404, "there is nothing at this address"),
        ("/v1/models/", 404, "there is nothing at this address"),
        (f"/{'a' * 1100}", 414, "the address has more than 1024 characters"),
        (f"/?{'a' * 1100}", 414, "the address has more than 1024 characters"),
    ],
)
def test_a_wrong_address_is_a_problem_in_one_line(root, path, status, text):
    found = problem(root, path)
    assert found[0] == status and text in found[1]


WEIGHTS = np.array([[[0.25, 1.0]], [[0.75, 0.0]]], "<f4")  # 7 and 4 of the textures 4 and 8


def scene(**changes):
    """The body of a request for a scene."""
    body = {
        "seed": str(2**53 + 1), "textures": [4, "8"], "weights": base64.b64encode(WEIGHTS.tobytes()).decode(),
        "rows": 1, "cols": 2, "first_row": 2, "first_col": -1, "top": -8, "left": -16, "height": 1200, "width": 32,
    }  # fmt: skip
    return json.dumps({name: value for name, value in (body | changes).items() if value is not None})


def sent(root, **changes):
    """The pixels of a scene."""
    status, headers, body = get(root, f"{VERSION}/scene.png", "POST", scene(**changes))
    assert status == 200 and headers["cache-control"] == "no-store", body
    with Image.open(io.BytesIO(body)) as image:
        return np.asarray(image)


def test_a_scene_is_sent_and_has_the_pixels_of_the_plane(root):
    texture = np.where(np.arange(-16, 16) < 0, 7, 4)[np.newaxis, :, np.newaxis]
    expected = painted(2**53 + 1, texture, -8, -16, 1200, 32)
    np.testing.assert_array_equal(sent(root), expected)
    moved = painted(2**53 + 1, texture + 12, -8, -16, 1200, 32)
    np.testing.assert_array_equal(sent(root, time=0.5, amount=0.25), moved)
    means = expected.reshape(300, 4, 8, 4, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(sent(root, reduce=4), np.rint(means))


@pytest.mark.parametrize(
    "body, words",
    [
        (b"\xff", "the body is not JSON; send an object"),
        ("[" * 100_000, "the body is not JSON"),
        ("7", "the body is no object"),
        (scene(textures=None), "textures: not a list of 1 to 64 integers"),
        (scene(textures=[1] * 65), "textures: not a list of 1 to 64"),
        (scene(textures=[1, True]), "texture: 'true' is not an integer"),
        (scene(textures=[1, 2**63]), "texture: 9223372036854775808 is outside"),
        (scene(weights=None), "weights: not a text in base64"),
        (scene(weights="~"), "weights: not a text in base64"),
        (scene(weights="AAAA"), "weights: 3 bytes, not 4 x 2 textures x 1 rows x 2 cols"),
        (scene(weights=base64.b64encode((2 * WEIGHTS).tobytes()).decode()), "sum to 1 at a cell"),
        (scene(rows=None), "rows: missing"),
        (scene(rows=2**40), "rows: 1099511627776 is outside 1 .. 4096"),
        (scene(height=1.5), "height: '1.5' is not an integer"),
        (scene(height=2049), "height: 2049 is outside 1 .. 2048"),
        (scene(reduce=3), "width: 32 is not a multiple of reduce, 3"),
        (scene(time=1), "time: 1.0 is outside [0, 1)"),
        (scene(amount="a"), "amount: 'a' is not a number from 0 to 1"),
        (scene(amount=10**400), "amount: '1000"),
        (scene(other=1), "'other' is not a value of a scene; there are amount"),
    ],
)
def test_a_scene_with_a_wrong_value_is_a_problem_that_names_it(root, body, words):
    status, detail = problem(root, f"{VERSION}/scene.png", "POST", body)
    assert status == 400 and words in detail


def test_bodies_have_an_announced_length_within_a_bound(root):
    address = f"{VERSION}/scene.png"
    assert problem(root, address, "POST", "{}", Content_Length=str(2**20 + 1))[0] == 413
    assert problem(root, address, "POST", Transfer_Encoding="chunked")[0] == 411
    assert problem(root, address)[0] == 405
    assert problem(root, f"{VERSION}/scene.bmp", "POST", scene())[0] == 404
    assert problem(root, f"{address}?identity={'1' * 64}", "POST", scene())[0] == 404


def test_a_body_that_does_not_come_ends_the_request(root, monkeypatch):
    monkeypatch.setattr(scenes, "SILENT_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", int(root.rpartition(":")[2])), timeout=HANG) as connection:
        connection.sendall(f"POST {VERSION}/scene.png HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(4096).partition(b"\r\n")[0]


@pytest.mark.parametrize("signatures", [None, 7, "scenery", ["window"]])
def test_a_model_of_an_earlier_version_has_no_scenes(signatures):
    description = DESCRIPTION | {"signatures": signatures}
    with FakeServer(description=description) as server, viewer.running(server.target) as root:
        assert not json.loads(get(root, "/v1/models/m")[2])["scenes"]
        status, detail = problem(root, f"{VERSION}/scene.png", "POST", scene())
        assert status == 400 and "has no scenes; export it again" in detail


def test_other_methods_and_bodies_are_rejected(root):
    status, headers, _ = get(root, "/livez", method="POST")
    assert status == 405 and set(headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert get(root, "/livez", Content_Length="7")[0] == 413
    assert get(root, "/livez", Transfer_Encoding="chunked")[0] == 413


def test_the_models_are_listed_with_the_path_of_their_newest_version(root):
    status, headers, body = get(root, "/v1/models")
    assert status == 200 and headers["cache-control"] == "no-cache"
    [model] = json.loads(body)["models"]
    assert (model["name"], model["version"], model["path"]) == ("m", 1, VERSION)
    assert model["pixels_per_cell"] == 8 and model["several_textures"]
    assert json.loads(get(root, "/v1/models/m")[2]) == model
    assert get(root, "/readyz")[::2] == get(root, "/livez")[::2] == (200, b"ok\n")


def test_no_more_requests_reach_the_server_than_the_viewer_may_send_at_a_time():
    with both(parallel=2) as (server, root), ThreadPoolExecutor(8) as pool:
        server.barrier = threading.Barrier(2)  # two are there at a time, too
        found = list(pool.map(lambda x: get(root, f"{VERSION}/0/0/0/{2 * x}/0.png")[0], range(8)))
        assert found == [200] * 8 and server.most == 2


def test_a_full_server_is_waited_for():
    with both() as (server, root):
        server.faults = [FULL] * 20  # more than the client's own attempts
        assert get(root, f"{VERSION}/0/0/0/0/0.png")[0] == 200 and server.received >= 21


def ask(root, path):
    """A connection that has sent a request."""
    connection = socket.create_connection(("127.0.0.1", int(root.rpartition(":")[2])), timeout=HANG)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return connection


def test_a_closed_connection_ends_the_request_to_the_server():
    with both() as (server, root):
        server.faults, before = [NO_RESPONSE], server.received
        with ask(root, f"{VERSION}/0/0/0/0/0.png"):
            until(lambda: server.received > before)
        assert server.ended.acquire(timeout=HANG)
        assert get(root, f"{VERSION}/0/0/0/0/0.png")[0] == 200


def test_a_server_that_does_not_answer_ends_in_504():
    with both(deadline=0.5) as (server, root):
        server.faults = [NO_RESPONSE] * 9
        assert problem(root, f"{VERSION}/0/0/0/0/0.png")[0] == 504


def test_further_requests_than_may_wait_are_rejected_at_once_with_the_time_to_retry():
    with both(waiting=1) as (server, root):
        server.faults, before = [NO_RESPONSE], server.received
        with ask(root, f"{VERSION}/0/0/0/0/0.png"):
            until(lambda: server.received > before)
            status, headers, _ = get(root, f"{VERSION}/0/0/0/0/0.png")
            assert status == 503 and headers["retry-after"] == "1"
        assert server.ended.acquire(timeout=HANG)
        until(lambda: get(root, f"{VERSION}/0/0/0/0/0.png")[0] == 200)


def test_a_server_that_is_away_is_a_503_until_it_is_back():
    with FakeServer(description=DESCRIPTION) as first:
        port = first.port
    with viewer.running(f"localhost:{port}") as root:
        status, text = problem(root, f"{VERSION}/0/0/0/0/0.png")
        assert status == 503 and str(port) not in text
        assert problem(root, "/readyz")[0] == 503 and get(root, "/livez")[0] == 200
        with FakeServer(description=DESCRIPTION, port=port):
            until(lambda: get(root, f"{VERSION}/0/0/0/0/0.png")[0] == 200)


def test_what_the_server_says_of_itself_is_not_passed_on():
    with both() as (server, root):
        server.details, server.faults = "/home/someone: a traceback", [BROKEN]
        status, text = problem(root, f"{VERSION}/0/0/0/0/0.png")
        assert status == 502 and "someone" not in text
        server.wrong = b"nonsense"
        assert problem(root, f"{VERSION}/0/0/0/0/0.png")[0] == 502


def test_a_page_of_another_origin_may_read_pictures_only_if_the_viewer_is_told_so():
    with both(cors=["https://a.org"]) as (_, root):
        for origin, allowed in (("https://a.org", "https://a.org"), ("https://b.org", None)):
            headers = get(root, f"{VERSION}/0/0/0/0/0.png", Origin=origin)[1]
            assert headers.get("access-control-allow-origin") == allowed


def test_a_version_with_another_content_is_not_shown_under_its_old_address():
    with FakeServer(description=DESCRIPTION) as server, viewer.running(server.target) as root:
        server.identity = "description"
        identity = json.loads(get(root, "/v1/models/m")[2])["identity"]
        assert identity == "0" * 64
        assert get(root, f"{VERSION}/0/0/0/0/0.png?identity={identity}")[0] == 200
        assert get(root, f"{VERSION}/0/0/0/0/0.png?identity={'1' * 64}")[0] == 404


def test_pictures_of_a_content_that_was_replaced_are_not_shown_under_the_old_identity():
    """The description is asked again after some seconds only; each picture says of which content it is."""
    with FakeServer(description=DESCRIPTION) as server, viewer.running(server.target) as root:
        server.identity = "metadata"
        old = f"{VERSION}/0/0/0/%d/0.png?identity={'0' * 64}"
        assert get(root, old % 0)[0] == 200
        server.contents = {0: 1}
        assert problem(root, old % 100)[0] == 404
        new = f"{VERSION}/0/0/0/100/0.png?identity={1:064x}"
        assert get(root, new)[0] == 200


def test_a_model_of_a_server_that_is_full_stays_in_the_list():
    with FakeServer(description=DESCRIPTION) as server, viewer.running(server.target) as root:
        server.faults = [grpc.StatusCode.RESOURCE_EXHAUSTED] * 8
        assert [model["name"] for model in json.loads(get(root, "/v1/models")[2])["models"]] == ["m"]


def test_a_model_that_is_not_there_is_logged_once_until_it_was_there(caplog, monkeypatch):
    monkeypatch.setattr(models, "KEPT_SECONDS", -1.0)
    with FakeServer(description=DESCRIPTION) as server, viewer.running(server.target) as root:
        for is_there in (False, False, False, True, False):
            server.faults = [] if is_there else [grpc.StatusCode.NOT_FOUND]
            assert len(json.loads(get(root, "/v1/models")[2])["models"]) == is_there
    assert sum("NOT_FOUND" in record.getMessage() for record in caplog.records) == 2


def test_the_description_of_the_api_has_every_path_and_its_bounds(root):
    document = json.loads(get(root, "/openapi.json")[2])
    assert document["openapi"] == "3.1.0"
    path = "/v1/models/{model}/versions/{version}/{texture}/{seed}/{z}/{x}/{y}.{suffix}"
    named = {given["name"]: given["schema"] for given in document["paths"][path]["get"]["parameters"]}
    assert (named["z"]["minimum"], named["z"]["maximum"]) == (-3, 0) and named["seed"]["minimum"] == -(2**63)
    for path, item in document["paths"].items():
        [described] = item.values()
        given = {each["name"] for each in described["parameters"] if each["in"] == "path"}
        assert given == {part.split("}")[0] for part in path.split("{")[1:]}
