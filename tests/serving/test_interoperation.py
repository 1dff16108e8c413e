"""Clients of others get the pixels that ours gets: ovmsclient, @grpc/grpc-js, and clients made from gRPC reflection.

The first two are optional: they need an interpreter with ovmsclient (OVMSCLIENT_PYTHON names another one than that of
the tests), and Node with @grpc/grpc-js (`npm ci`, or NODE_PATH).
"""

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.support.fake_server import HANG
from tests.support.small_server import PREDICT, WINDOW, export, predict, request, running

ROOT = Path(__file__).resolve().parents[2]

OVMSCLIENT = """
import sys
import numpy as np
import ovmsclient
client = ovmsclient.make_grpc_client(sys.argv[1])
assert client.get_model_status(model_name="tiny")[1]["state"] == "AVAILABLE"
assert "latents" in client.get_model_metadata(model_name="tiny")["inputs"]
latents = np.zeros((1, 7, 8, 10), np.float32)
np.save(sys.argv[2], client.predict(inputs={"latents": latents}, model_name="tiny"))
"""

GRPC_JS = """
const grpc = require('@grpc/grpc-js');
const pass = value => value;
const [address, method, message] = process.argv.slice(2);
const client = new grpc.Client(address, grpc.credentials.createInsecure(), {'grpc.max_receive_message_length': -1});
const call = client.makeUnaryRequest(method, pass, pass, Buffer.from(message, 'base64'), (error, answer) => {
  if (error) { console.error(error.code, error.details); process.exit(1); }
  process.stdout.write(answer.toString('base64'));
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    export(folder / "tiny")
    with running(folder) as both:
        yield both


def test_ovmsclient_gets_the_networks_pictures(server, tmp_path):
    python = os.environ.get("OVMSCLIENT_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import ovmsclient"], capture_output=True).returncode:
        pytest.skip("ovmsclient is not installed; OVMSCLIENT_PYTHON may name an interpreter that has it")
    out = tmp_path / "images.npy"
    line = [python, "-c", OVMSCLIENT, f"localhost:{server[0].port}", str(out)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=HANG, env=_without_pythonpath())
    assert done.returncode == 0, done.stderr[-2000:]
    latents = np.zeros((1, 7, 8, 10), np.float32)
    expected = predict(server[1], request("serving_default", latents=latents))["images"]
    np.testing.assert_array_equal(np.load(out), expected)


def test_grpc_js_gets_the_bytes_of_the_window(server, tmp_path):
    node, environment = shutil.which("node"), {"NODE_PATH": str(ROOT / "node_modules")} | os.environ
    line = [node, "-e", "require('@grpc/grpc-js')"]
    if not node or subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True).returncode:
        pytest.skip(
            "Node with @grpc/grpc-js is not installed; run `npm ci`, or let NODE_PATH name a folder that has it"
        )
    (tmp_path / "client.js").write_text(GRPC_JS)
    asked = request().SerializeToString()
    line = [node, "client.js", f"localhost:{server[0].port}", PREDICT, base64.b64encode(asked).decode()]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = server[1].unary_unary(PREDICT)(asked, timeout=HANG)
    assert base64.b64decode(done.stdout) == expected


def test_a_client_made_from_reflection_gets_the_pixels(server):
    """Knows no message in advance, as grpcurl or Postman."""
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(server[1]))
    method = pool.FindServiceByName("tensorflow.serving.PredictionService").FindMethodByName("Predict")
    asked = message_factory.GetMessageClass(method.input_type)()
    asked.model_spec.name, asked.model_spec.signature_name = "tiny", "window"
    for name, value in WINDOW.items():
        tensor = asked.inputs[name]
        tensor.dtype = 3 if name in ("height", "width") else 9  # numbers of TensorFlow's types
        (tensor.int_val if tensor.dtype == 3 else tensor.int64_val).append(value)
    call = server[1].unary_unary(PREDICT, type(asked).SerializeToString,
                                 message_factory.GetMessageClass(method.output_type).FromString)  # fmt: skip
    image = call(asked, timeout=HANG).outputs["image"]
    shape = [dim.size for dim in image.tensor_shape.dim]
    found = np.frombuffer(image.tensor_content, np.uint8).reshape(shape)
    np.testing.assert_array_equal(found, predict(server[1], request())["image"])


def _without_pythonpath():
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
