"""The command psgan-viewer over the embedded server, and the commands and code of its documentation."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest

from tests.support import plain_model, small_server, viewer
from tests.support.commands import ROOT
from tests.support.fake_server import HANG, FakeServer
from tests.support.viewer import DESCRIPTION, get, picture, problem
from tf_psgan_serving.server.version import Version
from tf_psgan_serving.viewer import settings
from tf_psgan_serving.viewer.command import embedded_server

PAGE = (ROOT / "docs" / "how-to" / "viewer.md").read_text(encoding="utf-8")


@contextlib.contextmanager
def command(*flags):
    """The command on a free port, listening; the process and its address."""
    program = [sys.executable, "-m", "tf_psgan_serving.viewer", "--port=0", *flags]
    with subprocess.Popen(program, cwd=ROOT / "serving", stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stderr.readline, "")
            found = next(filter(None, (re.search(r"listening on (http://\S+:\d+),", line) for line in lines)))
            yield process, found[1]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of an embedded server of the model of many textures "honeycomb", and that of a viewer over it."""
    folder = tmp_path_factory.mktemp("models")
    small_server.export(folder / "honeycomb")
    with embedded_server(folder) as target, viewer.running(target, ()) as root:
        yield target, root


@pytest.fixture
def embedded(served):
    return served[1]


@pytest.mark.parametrize(
    "flags, text",
    [
        ([], "give --models=FOLDER, which starts a server, or --server=HOST:PORT of one that runs"),
        (["--models=.", "--server=a:1"], "give --models=FOLDER, which starts a server, or"),
        (["--models=nowhere"], "nowhere: not a folder"),
        (["--server=a:1", "--port=70000"], "argument --port: '70000' is not a number within 0 .. 65535"),
        (["--models=.", "--tls"], "--tls, --tls_ca, --tls_cert, --tls_key: for --server only"),
    ],
)
def test_a_mistake_in_the_flags_is_one_line_and_exit_code_2(flags, text, capsys):
    with pytest.raises(SystemExit) as end:
        settings.parse(flags)
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {text}")


@pytest.mark.parametrize(
    "flags, text",
    [
        (["--server=nowhere"], "error: server: 'nowhere' is not an address"),
        (["--server=a:1", "--tls_ca=missing.pem"], "error: [Errno 2] No such file or directory"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(flags, text):
    program = [sys.executable, "-m", "tf_psgan_serving.viewer", "--port=0", *flags]
    done = subprocess.run(program, cwd=ROOT / "serving", capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 2 and done.stderr.startswith(text) and done.stderr.count("\n") == 1


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = [sys.executable, "-m", "tf_psgan_serving.viewer", f"--port={port}", "--server=localhost:1"]
        done = subprocess.run(program, cwd=ROOT / "serving", capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: 127.0.0.1:{port}: cannot listen there") and done.stderr.count("\n") == 1


def test_a_server_that_does_not_list_its_models_needs_their_names():
    with FakeServer(description=DESCRIPTION) as server:
        program = [sys.executable, "-m", "tf_psgan_serving.viewer", "--port=0", f"--server={server.target}"]
        done = subprocess.run(program, cwd=ROOT / "serving", capture_output=True, text=True, timeout=HANG)
        assert done.returncode == 2 and "name them with --model=NAME,NAME" in done.stderr
        with command(f"--server={server.target}", "--model=m") as (process, root):
            assert picture(root, f"{viewer.VERSION}/0/0/0/0/0.png").shape == (256, 256, 3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(HANG) == 0


def test_pictures_are_those_of_the_model(served):
    target, embedded = served
    [model] = json.loads(get(embedded, "/v1/models")[2])["models"]
    assert (model["name"], model["version"], len(model["identity"])) == ("honeycomb", 1, 64)
    with grpc.insecure_channel(target, small_server.OPTIONS) as channel:
        at = {"top": 2**40 - 300, "left": -(2**40), "height": 300, "width": 77, "seed": -5, "texture": 2**62}
        expected = small_server.predict(channel, small_server.request("window", "honeycomb", **at))["image"]
        extent = {"height": 256, "width": 256, "seed": 3, "texture": 1}
        status, _, body = get(embedded, f"{model['path']}/tile.png?{query(extent)}")
        if status == 400:
            extent |= json.loads(body)["fits"]
        tile = small_server.predict(channel, small_server.request("torus", "honeycomb", **extent))["image"]
        morph = {
            "textures": np.array([1, 2, 3, 4]),
            "extent_height": 700,
            "extent_width": 900,
            "height": 256,
            "width": 256,
        }
        request = small_server.request("morph", "honeycomb", seed=1, top=256, left=512, **morph)
        blend = small_server.predict(channel, request)["image"]
    np.testing.assert_array_equal(picture(embedded, f"{model['path']}/window.png?{query(at)}"), expected)
    np.testing.assert_array_equal(picture(embedded, f"{model['path']}/tile.png?{query(extent)}"), tile)
    np.testing.assert_array_equal(picture(embedded, f"{model['path']}/morph/1,2,3,4/700/900/1/0/2/1.png"), blend)


def test_models_that_load_are_not_shown_yet_and_are_named(tmp_path, monkeypatch):
    go, real = threading.Event(), Version.set_description

    def later(version, *arguments):
        go.wait(HANG)
        return real(version, *arguments)

    monkeypatch.setattr(Version, "set_description", later)
    plain_model.publish(tmp_path / "plain")
    with embedded_server(tmp_path, waits=False) as target, viewer.running(target, ()) as root:
        try:
            text = "'plain' is not loaded, perhaps not yet; try again."
            assert problem(root, "/v1/models/plain") == (503, text)
            for path in ("/models.json", "/readyz"):
                assert problem(root, path) == (503, "no model of the server is loaded; try again.")
        finally:
            go.set()
        small_server.until(lambda: get(root, "/readyz")[0] == 200)
        assert json.loads(get(root, "/models.json")[2])["models"][0]["name"] == "plain"


def query(values):
    return "&".join(f"{name}={value}" for name, value in values.items())


def test_a_tile_that_does_not_fit_names_the_extent_that_does(embedded):
    path = "/v1/models/honeycomb/versions/1/tile.png"
    statuses = []
    for texture in range(8):
        status, _, body = get(embedded, f"{path}?texture={texture}&height=64&width=64")
        statuses.append(status)
        if status == 400:
            fits = json.loads(body)["fits"]
            assert picture(embedded, f"{path}?texture={texture}&{query(fits)}").shape == (*fits.values(), 3)
    assert 400 in statuses


def test_the_commands_of_the_documentation_work(embedded, tmp_path):
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("no curl on this machine")
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    script = "set -e\n" + "".join(blocks).replace("http://localhost:8000", embedded)
    assert script.count("curl") == 6
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"][0]["name"] == "honeycomb"
    assert {path.name for path in tmp_path.iterdir()} == {
        "window.png", "tile.png", "morph.webp", "map-tile.jpg", "scene.png",
    }  # fmt: skip


def test_the_map_client_of_the_documentation_is_the_example():
    example = (ROOT / "examples" / "leaflet" / "index.html").read_text(encoding="utf-8")
    [code] = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    assert all(line in example for line in code.splitlines())


def test_the_documentation_names_flags_that_exist():
    text = PAGE.replace("psgan export --web", "")
    known = {action.option_strings[0] for action in settings._parser()._actions}
    assert set(re.findall(r"`?(--[a-z_]+)[`=]", text)) <= known | {"--help"}
