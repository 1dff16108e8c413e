"""A gRPC client of bare HTTP/2 frames, which leaves calls half open and responses unread."""

import socket
import struct

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.support.fake_server import HANG
from tests.support.small_server import PREDICT


class RawClient:
    """A connection, as a context manager.

    Args:
      port: of a server on this machine.
      window: bytes that the server may send in a stream before it is told to go on.
    """

    def __init__(self, port, window=65_535):
        self._socket = socket.create_connection(("127.0.0.1", port), HANG)
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def call(self, message=None, declared=None, method=PREDICT):
        """Opens a stream; its number.

        Args:
          message: the request's bytes; None sends headers only.
          declared: length that the message is said to have; if it has not, the stream stays half open.
        """
        stream = self._connection.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        self._connection.send_headers(stream, headers)
        if message is not None:
            length = len(message) if declared is None else declared
            self._connection.send_data(stream, struct.pack(">BI", 0, length) + message, end_stream=declared is None)
        self._flush()
        return stream

    def ended(self, streams):
        """Waits until the server has ended all of these streams; the headers and trailers of each."""
        seen, open_streams = {stream: {} for stream in streams}, set(streams)
        while open_streams:
            data = self._socket.recv(65_536)
            assert data, "the server has closed the connection"
            for event in self._connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    seen[event.stream_id].update(event.headers)
                if isinstance(event, h2.events.DataReceived):
                    self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    open_streams.discard(event.stream_id)
            self._flush()
        return seen

    def _flush(self):
        self._socket.sendall(self._connection.data_to_send())
