"""Connections of the viewer whose client is silent or does not read, with limits of a moment."""

import asyncio
import contextlib
import socket
import threading
import types

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tests.support.fake_server import HANG
from tests.support.small_server import until
from tf_psgan_serving.viewer import app
from tf_psgan_serving.viewer.connections import LEAST_BYTES, LimitedConnection

LARGE = 64 << 20  # bytes; more than the buffers of both ends


class Quick(LimitedConnection):
    silent_seconds = unread_seconds = 0.1


@pytest.fixture(scope="module")
def server():
    async def large(request):
        return Response(bytes(LARGE))

    async def slow(request):
        await asyncio.sleep(5 * Quick.silent_seconds)
        return Response(b"done")

    running = app.web_server(Starlette(routes=[Route("/large", large), Route("/slow", slow)]), Quick)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield running, listener.getsockname()
        running.should_exit = True
        thread.join()


@contextlib.contextmanager
def connected(server):
    with socket.create_connection(server[1], timeout=HANG) as client:
        yield client


def ends(client):
    """Whether the other side ends the connection; all that comes before is read."""
    with contextlib.suppress(ConnectionResetError):
        while client.recv(1 << 20):
            pass
    return True


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /slow HTTP/1.1\r\nHost: a\r\nX: "])
def test_a_client_that_sends_no_whole_request_is_disconnected(server, sent):
    with connected(server) as client:
        client.sendall(sent)
        assert ends(client)


def test_a_second_request_that_stays_unfinished_is_disconnected_too(server):
    with connected(server) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /slow HTTP/1.1\r\n")
        assert ends(client)


def test_a_client_that_waits_for_its_response_is_not_silent(server):
    with connected(server) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while part := client.recv(1 << 16):
            received += part
    assert received.endswith(b"done")


def test_a_client_that_does_not_read_is_disconnected(server):
    with connected(server) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: server[0].server_state.connections)
        until(lambda: not server[0].server_state.connections)


def test_a_client_that_reads_slowly_keeps_its_connection():
    calls, sizes, ended = [], iter([4 * LEAST_BYTES, 3 * LEAST_BYTES, 3 * LEAST_BYTES, 3 * LEAST_BYTES]), []
    connection = LimitedConnection.__new__(LimitedConnection)
    connection.loop = types.SimpleNamespace(call_later=lambda seconds, call: calls.append(call))
    connection.transport = types.SimpleNamespace(
        get_write_buffer_size=lambda: next(sizes), abort=lambda: ended.append(True)
    )
    connection._expect_reading()
    calls.pop()()  # a part was read
    assert len(calls) == 1 and not ended
    calls.pop()()  # nothing was
    assert not calls and ended
