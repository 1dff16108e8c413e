"""The server's address: hosts and Unix sockets."""

import socket

import numpy as np
import pytest

from tests.support import plain_model
from tests.support.small_server import WINDOW, running
from tf_psgan_serving.client import Client, Window
from tf_psgan_serving.server import listening
from tf_psgan_serving.server.grpc_server import Server
from tf_psgan_serving.server.settings import Settings


def test_a_client_gets_pictures_through_a_unix_socket_and_a_second_server_cannot_take_it(tmp_path):
    plain_model.publish(tmp_path / "models" / "tiny")
    host = f"unix:{tmp_path / 'socket'}"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "socket"))  # as a server that was killed leaves it
    with running(tmp_path / "models", host=host, metrics_port=0) as (server, _):
        assert (server.address, server.port) == (host, 0)
        with Client(host, "tiny") as client:
            expected = plain_model.PlainModel().picture(**WINDOW).numpy()
            np.testing.assert_array_equal(client.picture(Window(**WINDOW)), expected)
        with pytest.raises(ValueError, match="another server listens there; choose another --host"):
            Server(Settings(tmp_path, host=host))
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize("path", ["missing/socket", "file", "x" * 108])
def test_a_path_that_cannot_be_a_socket_is_an_error_that_names_the_flag(tmp_path, path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^unix:.*: cannot listen there; choose another path for --host"):
        Server(Settings(tmp_path, host=f"unix:{tmp_path / path}"))
    assert (tmp_path / "file").read_text() == ""


def test_metrics_of_a_server_on_a_unix_socket_are_local():
    assert listening.metrics_host("unix:/run/psgan") == "127.0.0.1"
    assert [listening.is_local(host) for host in ("unix:/run/psgan", "::1", "0.0.0.0", "::")] == [1, 1, 0, 0]
