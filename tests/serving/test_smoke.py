"""serving/smoke.sh: static checks, and a run with a REST server that stands in for TensorFlow Serving in Docker."""

import base64
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from PIL import Image

from tests.support import tiny, tiny_export
from tests.support.serving_settings import SERVING
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane

ROOT = SERVING.parent
SMOKE = SERVING / "smoke.sh"
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
DOCKER = """#!/bin/sh
echo "$@" >> "$DOCKER_LOG"
case $1 in
  run) echo 0123abcd ;;
  port) echo "127.0.0.1:$REST_PORT" ;;
  ps) [ -z "$EXITED" ] && echo 0123abcd || true ;;
  logs) echo "the server's last words" ;;
esac
"""


class Rest:
    """TensorFlow Serving's REST API, as in its guide and in json_tensor.cc, over a SavedModel in a session."""

    def __init__(self, path: Path) -> None:
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            self.meta = tf.compat.v1.saved_model.loader.load(self.session, ["serve"], str(path))

    def get(self, path: str) -> tuple[int, str]:
        if path == "/v1/models/tiny":
            state = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            return 200, json.dumps({"model_version_status": [state]})
        if path == "/v1/models/tiny/metadata":
            signatures = {name: json_format.MessageToDict(each) for name, each in self.meta.signature_def.items()}
            return 200, json.dumps({"metadata": {"signature_def": {"signature_def": signatures}}})
        if path == "/monitoring/prometheus/metrics":
            return 200, ':tensorflow:serving:request_count{model_name="tiny",status="OK"} 1\n'
        return 404, json.dumps({"error": f"Malformed request: GET {path}"})

    def post(self, path: str, body: str) -> tuple[int, str]:
        request = json.loads(body)
        signature = self.meta.signature_def[request.get("signature_name", "serving_default")]
        if path != "/v1/models/tiny:predict" or not signature.inputs or set(request["inputs"]) != set(signature.inputs):
            return 400, json.dumps({"error": "Missing named input"})
        feed = {}
        for name, tensor in signature.inputs.items():
            dtype, rank = tf.dtypes.as_dtype(tensor.dtype), len(tensor.tensor_shape.dim)
            value = np.array(request["inputs"][name])
            if value.ndim != rank or value.dtype.kind != np.dtype(dtype.as_numpy_dtype).kind:
                return 400, json.dumps({"error": f"{name}: not of expected type {dtype.name} and rank {rank}"})
            feed[tensor.name] = value.astype(dtype.as_numpy_dtype)
        ((name, output),) = signature.outputs.items()
        try:
            found = self.session.run(output.name, feed)
        except tf.errors.InvalidArgumentError as error:
            return 400, json.dumps({"error": error.message})
        encoded = {"b64": base64.b64encode(found).decode()} if name.endswith("_bytes") else found.tolist()
        return 200, json.dumps({"outputs": encoded})


@pytest.fixture(scope="module")
def rest():
    """The model's folder, and the port of the server that stands in for the container."""
    version = tiny_export.exported()
    folder, api = version.parent, Rest(version)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(*api.get(self.path))

        def do_POST(self):
            self.answer(*api.post(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def answer(self, code, text):
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, server.server_port
        server.shutdown()


def smoke(tmp_path, *arguments, port=1, exited=""):
    """Runs the script with a `docker` that logs its arguments."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(DOCKER)
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    changed = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "DOCKER_LOG": str(tmp_path / "docker.log")}
    changed |= {"REST_PORT": str(port), "EXITED": exited}
    command = ["bash", SMOKE, *arguments]
    return subprocess.run(command, cwd=tmp_path, env=os.environ | changed, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("script", [SMOKE, *sorted((ROOT / "examples").glob("*.sh"))], ids=lambda path: path.name)
def test_scripts_pass_bash_and_shellcheck(script):
    subprocess.run(["bash", "-n", script], check=True)
    tool = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([tool, script], capture_output=True, text=True)
    assert done.stdout == ""


@needs_curl
def test_the_script_gets_the_pixels_of_the_plane_and_removes_the_container(tmp_path, rest):
    folder, port = rest
    done = smoke(tmp_path, folder, port=port)
    assert done.returncode == 0, done.stderr
    assert "versions: 1 AVAILABLE" in done.stdout and "window_png" in done.stdout
    assert re.search(r"a height of 0 is rejected: .*height: 0 is outside 1 \.\. ", done.stdout)
    with Image.open(tmp_path / "smoke.png") as picture:
        found = np.asarray(picture)
    expected = TexturePlane(fold(tiny.generator())).window(512, 384, top=-100, left=10**9, seed=1, texture=0)
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).max() <= 1
    started, *_, removed = (tmp_path / "docker.log").read_text().splitlines()
    assert f"{folder}:/models/tiny:ro" in started and "--model_base_path=/models/tiny" in started
    assert removed == "rm --force 0123abcd"


@needs_curl
def test_a_container_that_ends_is_reported_with_its_last_lines(tmp_path, rest):
    done = smoke(tmp_path, rest[0], exited="yes")
    assert done.returncode == 1 and "tiny: not loaded after 1 seconds" in done.stderr
    assert "the server's last words" in done.stderr
    assert (tmp_path / "docker.log").read_text().splitlines()[-1] == "rm --force 0123abcd"


@needs_curl
@pytest.mark.parametrize(
    "arguments, message", [([], "0 arguments; give"), (["nowhere"], "nowhere: not a folder; give")]
)
def test_wrong_arguments_are_an_error_that_names_them(tmp_path, arguments, message):
    done = smoke(tmp_path, *arguments)
    assert done.returncode == 2 and message in done.stderr
    assert not (tmp_path / "docker.log").exists()
