"""The viewer on a free port of this process, and requests to it."""

import contextlib
import http.client
import io
import json
import socket
import threading
import urllib.parse

import numpy as np
from PIL import Image

from tests.support.fake_server import HANG
from tf_psgan_serving.viewer import app
from tf_psgan_serving.viewer.models import Models

DESCRIPTION = {
    "limits": {"height": 4096, "width": 4096, "pixels": 2**24},
    "chunk_pixels": 512,
    "pixels_per_cell": 8,
    "model": {"global_channels": 3},
    "signatures": ["scene"],
}
"""Of the model "m" of a `FakeServer`."""

VERSION = "/v1/models/m/versions/1"


@contextlib.contextmanager
def running(target, names=("m",), **settings):
    """A viewer over a server; its address."""
    server = app.web_server(app.make(Models(target, names, deadline=settings.get("deadline", HANG)), **settings))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def get(root, path, method="GET", body=None, **headers):
    """The status, the headers and the body of a response."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(root).netloc, timeout=HANG)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()


def picture(root, path):
    """The pixels of a picture, uint8 [height, width, 3]."""
    status, _, body = get(root, path)
    assert status == 200, body
    with Image.open(io.BytesIO(body)) as image:
        return np.asarray(image)


def problem(root, path, method="GET", body=None, **headers):
    """The status and the detail of a problem."""
    status, found, body = get(root, path, method, body, **headers)
    assert found["content-type"] == "application/problem+json" and found["cache-control"] == "no-store"
    content = json.loads(body)
    assert content["status"] == status and content["detail"].isprintable()
    return status, content["detail"]
