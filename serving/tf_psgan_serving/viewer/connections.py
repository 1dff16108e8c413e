"""Connections that end when their client neither sends a request nor reads the response.

uvicorn ends idle connections only after a response: one that never sends a whole request, or that stops reading, would
be kept for ever, with the response in memory.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

SILENT_SECONDS = 15.0
"""Time for the head of a request, from the connection or from the request's first byte on."""

UNREAD_SECONDS = 30.0
"""How often the responses that are not read yet are looked at."""

LEAST_BYTES = 64 * 1024
"""What a client must have read of a response since the last look."""


class LimitedConnection(H11Protocol):
    """uvicorn's connection with these limits."""

    silent_seconds = SILENT_SECONDS
    unread_seconds = UNREAD_SECONDS
    _silence: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Waits on until a request is complete."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect_request()
        else:
            self._end_silence()

    def pause_writing(self) -> None:
        """The response is larger than the system's buffers: from now on it has to be read."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """The response was read."""
        super().resume_writing()
        self._end_unread()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the waits."""
        self._end_silence()
        self._end_unread()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        if self._silence is None:
            self._silence = self.loop.call_later(self.silent_seconds, self.transport.abort)

    def _expect_reading(self) -> None:
        before = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > before - LEAST_BYTES:
                self.transport.abort()
            else:
                self._expect_reading()

        self._unread = self.loop.call_later(self.unread_seconds, look)

    def _end_silence(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._silence = None

    def _end_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        self._unread = None
