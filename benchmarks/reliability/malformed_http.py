"""Sends malformed requests to psgan-viewer: wrong addresses, headers, scenes, and bytes that are no HTTP/1.1.

  python -m benchmarks.reliability.malformed_http --models=models --count=5000

A viewer with its embedded server is started. Each request is made at random from valid ones by damage to the path, the
query, the headers, the body of a scene or the bytes. Counted are the statuses, and as faults: a status of 500 and more;
a body that is neither a picture, JSON, a health check nor a file of the page; a connection to a decoy whose address
stands in hosts and paths; a viewer that has ended or no longer shows a picture at the end.
"""

import argparse
import base64
import collections
import contextlib
import json
import random
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tf_psgan_web
from benchmarks.server.processes import wait

SECONDS = 60.0
ODDITIES = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    b"GET /x HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(3000)) + b"\r\n",
    b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n",
    b"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x00" * 300,
    b"GET",
    b"",
)
PARTS = (
    "..", ".", "", "%2e%2e", "..%2f..%2f", "..\\", "%00", "%0d%0aX-A:1", "%ff", "\u0661", "-", "+", "1e3", "0x10",
    "NaN", "1.5", "-0", "9" * 19, "9" * 20, "9" * 900, "-9223372036854775808", "18446744073709551616", "a" * 500,
    "%", "%zz", "*", "{}", "etc/passwd", "%2fetc%2fpasswd", "file:%2f%2f%2fetc%2fpasswd", "<script>", "'", "\"",
    "1,2,3,4", "1,2,3", "m%0a", "~root",
)  # fmt: skip
NAMES = (
    "Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Original-URL", "Forwarded", "Origin", "Referer", "If-None-Match",
    "Range", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "Expect", "Cookie", "A\u00e9", "",
)  # fmt: skip
METHODS = ("GET",) * 12 + ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "G\u00cbT", "")


def main() -> int:
    """Runs the requests; exit code 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, help="folder of models for the embedded server")
    parser.add_argument("--count", type=int, default=5000, help="requests")
    parser.add_argument("--seed", type=int, default=0, help="of the requests")
    given = parser.parse_args()
    with _viewer(given.models) as (process, port), _decoy() as (decoy, connections):
        files = {path.read_bytes() for path in tf_psgan_web.PAGE.rglob("*") if path.is_file()}
        paths = _paths(port)
        choose = random.Random(given.seed)
        statuses: collections.Counter[str] = collections.Counter()
        faults: list[str] = []
        for number in range(given.count):
            data, seconds = _request(choose, paths, decoy)
            status, kind, body = _exchange(port, data, seconds)
            statuses[status] += 1
            known = kind.startswith(("image/", "application/json", "application/problem+json")) or body in files
            harmless = not body or body in (b"ok\n", b"Invalid HTTP request received.", b"Unsupported upgrade request.")
            if status.startswith("5") or not (known or harmless):
                faults.append(f"request {number}: {status} {kind} {body[:60]!r} for {data[:200]!r}")
        alive = process.poll() is None and _exchange(port, _get(paths[0]))[0] == "200"
        faults += [] if alive else ["the viewer shows no picture any more"]
        faults += [f"{len(connections)} connections to the decoy"] if connections else []
    print(f"{given.count} requests: " + ", ".join(f"{status} {n}" for status, n in sorted(statuses.items())))
    print("\n".join(faults[:20]) or "no fault")
    return bool(faults)


@contextlib.contextmanager
def _viewer(models: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "tf_psgan_serving.viewer", "--port=0", f"--models={Path(models).absolute()}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stderr.readline, "") if process.stderr else iter(())
            found = next(filter(None, (re.search(r"listening on http://127.0.0.1:(\d+)", line) for line in lines)))
            threading.Thread(target=lambda: collections.deque(lines, 0), daemon=True).start()
            yield process, int(found[1])
        finally:
            process.terminate()


@contextlib.contextmanager
def _decoy() -> Iterator[tuple[str, list[str]]]:
    """An address that nothing may connect to, and who did."""
    connections: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connections.append(str(listener.accept()[1]))

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", connections
        listener.close()


def _paths(port: int) -> list[str]:
    """Valid addresses of a viewer."""
    wait(lambda: _exchange(port, _get("/v1/models/none"))[0] == "404")  # 503 while models load
    body = _exchange(port, _get("/v1/models"))[2]
    found = re.search(rb'"path":"([^"]+)"', body)
    if not found:
        raise SystemExit("error: the viewer shows no model; give --models=FOLDER of an export.")
    version = found[1].decode()
    return [
        f"{version}/0/0/0/0/0.webp",
        f"{version}/3/-7/0/-5/12.jpg",
        f"{version}/window.png?height=64&width=64&top=0&left=0",
        f"{version}/tile.jpg?height=64&width=64",
        f"{version}/morph.png?textures=1,2,3,4&extent_height=512&extent_width=512&height=64&width=64",
        f"{version}/morph/1,2,3,4/512/512/0/0/0/0.webp",
        f"{version}/meta.json",
        "/v1/models",
        "/models.json",
        "/openapi.json",
        "/index.html",
        "/vendor/leaflet/leaflet.js",
        "/readyz",
        "/",
    ]


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()


def _request(choose: random.Random, paths: list[str], decoy: str) -> tuple[bytes, float]:
    """A damaged request, and the seconds to wait for its response: some are incomplete and get none."""
    if choose.random() < 0.1:
        return choose.choice(ODDITIES), 1.0
    if choose.random() < 0.15:
        return _scene(choose, paths[0]), SECONDS
    path = choose.choice(paths)
    parts = (*PARTS, decoy, f"http://{decoy}/", f"@{decoy}")
    for _ in range(choose.randint(1, 3)):
        pieces = re.split(r"([/?&=.,])", path)
        at = choose.randrange(len(pieces))
        pieces[at] = choose.choice((choose.choice(parts), pieces[at] * 2, "", pieces[at] + choose.choice(parts)))
        path = "".join(pieces)
    if choose.random() < 0.2:
        path = choose.choice((f"http://{decoy}{path}", f"//{decoy}{path}", path.lstrip("/")))
    lines = [f"{choose.choice(METHODS)} {path} HTTP/1.{choose.choice('0111119')}", "Host: a", "Connection: close"]
    for _ in range(choose.randint(0, 3)):
        lines.append(f"{choose.choice(NAMES)}: {choose.choice((*parts, '0', '5', 'chunked', 'bytes=0-1', '*'))}")
    data = ("\r\n".join(lines) + "\r\n\r\n").encode()
    if choose.random() < 0.1:  # bytes
        damaged = bytearray(data)
        for _ in range(choose.randint(1, 4)):
            damaged[choose.randrange(len(damaged))] = choose.randrange(256)
        return bytes(damaged), 1.0
    return data, SECONDS


def _scene(choose: random.Random, path: str) -> bytes:
    """A request for a scene with damaged values, a damaged text or another length than it says."""
    weights = base64.b64encode(struct.pack("<2f", 0.5, 0.5)).decode()
    values = {"textures": [1, 2], "weights": weights, "rows": 1, "cols": 1, "height": 64, "width": 64, "seed": "-7"}
    wrong: tuple[Any, ...] = (
        *PARTS, None, True, 1e308, -1, 0, 2**63, 2**200, 1.5, [], {}, [[]], ["1"] * 100, weights * 3, "AAAA" * 9000,
    )  # fmt: skip
    for _ in range(choose.randint(0, 3)):
        name = choose.choice([*values, "time", "amount", "period_height", "period_width", "first_row", "top", "x"])
        values[name] = choose.choice(wrong)
    body = json.dumps(values).encode()
    if choose.random() < 0.3:
        cut = choose.randrange(len(body))
        body = choose.choice((body[:cut], body + b"}", b"[" * 5000, bytes(range(256)), b"\xff" * 90, b""))
    said = len(body) if choose.random() < 0.8 else choose.choice((0, 1, len(body) // 2, -1, 10**7, 10**30))
    address = path.rpartition("/0/0/0/0/")[0] + "/scene.png"
    head = f"POST {address} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {said}\r\n\r\n"
    return head.encode() + body


def _exchange(port: int, data: bytes, seconds: float = SECONDS) -> tuple[str, str, bytes]:
    """The status, the type and the body of the first response; "none" if there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        found = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(data)
            while part := connection.recv(2**16):
                found += part
    head, _, body = found.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    kind = re.search(rb"(?i)\r\ncontent-type: *([^\r]*)", head)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    content = body[: int(length[1])] if length else body
    return status[1].decode() if status else "none", kind[1].decode() if kind else "", content


if __name__ == "__main__":
    sys.exit(main())
