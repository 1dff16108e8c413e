"""What a client is told when it gets no answer, and nothing else: no text of an internal error leaves the server.

Every handler of the server runs inside `Guard`. It says no with a `Refusal`; any other exception is
logged under an id, and the client hears the id only.
"""

import contextlib
import logging
import secrets
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import grpc

LOG = logging.getLogger("serving")
LONGEST_TEXT = 500
STREAMS = 8
"""Streams at once, reflection's and those that watch the health: each holds a thread for as long as it likes."""

PUSHBACK = "grpc-retry-pushback-ms"
"""gRPC's own word, beside a refusal, for when to come again."""

_MALFORMED = object()


class Refusal(Exception):
    """A request that gets no answer, through its own fault or the moment's.

    Args:
      code: one that the client can act on.
      text: subject, value and remedy, in words for the client.
      retry_ms: when it may do better, in ms; None where trying again is of no use.
    """

    def __init__(self, code: grpc.StatusCode, text: str, retry_ms: int | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.retry_ms = code, text, retry_ms


def bad(text: str) -> Refusal:
    """The refusal of a wrong request."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, text)


def shown(text: object) -> str:
    """A client's own value inside a message: quoted, and cut where it is long."""
    value = str(text)
    return repr(value if len(value) <= 80 else value[:77] + "...")


class Guard(grpc.ServerInterceptor):
    """Stands around every handler, so that a client hears refusals and nothing from inside."""

    def __init__(self) -> None:
        self._streams = threading.BoundedSemaphore(STREAMS)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """gRPC's hook: the handler, guarded; None where there is no such method."""
        handler = continuation(details)
        if handler is None:
            return None
        read = _lenient(handler.request_deserializer)
        write = handler.response_serializer
        if handler.unary_unary:
            unary = self._unary(handler.unary_unary, details.method)
            return grpc.unary_unary_rpc_method_handler(unary, read, write)
        if handler.unary_stream:
            stream = self._stream(handler.unary_stream, details.method)
            return grpc.unary_stream_rpc_method_handler(stream, read, write)
        if handler.stream_stream:
            stream = self._stream(handler.stream_stream, details.method)
            return grpc.stream_stream_rpc_method_handler(stream, read, write)
        return None  # the services here have no method that collects a stream

    def _unary(self, behaviour: Callable[[Any, Any], Any], method: str) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            with _telling(context, method):
                return behaviour(_whole(request), context)

        return answer

    def _stream(self, behaviour: Callable[[Any, Any], Any], method: str) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Iterator[Any]:
            with _telling(context, method):
                if not self._streams.acquire(blocking=False):
                    raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{STREAMS} streams are open; close one.")
                try:
                    # A stream of requests is checked one by one as they come.
                    several = hasattr(request, "__next__")
                    yield from behaviour(map(_whole, request) if several else _whole(request), context)
                finally:
                    self._streams.release()

        return answer


@contextlib.contextmanager
def _telling(context: Any, method: str) -> Iterator[None]:
    """Ends the call with the right code where the block raises."""
    try:
        yield
        return
    except Refusal as error:
        refusal = error
    except NotImplementedError:
        refusal = Refusal(grpc.StatusCode.UNIMPLEMENTED, "the method is not offered here; use Predict.")
    except Exception as error:
        name = secrets.token_hex(4)
        trace = " | ".join("".join(traceback.format_exception(error)).split("\n"))
        LOG.error("error %s in %s: %s", name, method, trace)
        refusal = Refusal(grpc.StatusCode.INTERNAL, f"error {name}; the server's log says more.")
    if refusal.retry_ms is not None:
        context.set_trailing_metadata(((PUSHBACK, str(refusal.retry_ms)),))
    context.abort(refusal.code, refusal.text[:LONGEST_TEXT])


def _lenient(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A parser that returns a mark where it would raise: gRPC answers INTERNAL to its exceptions."""

    def parse(data: bytes) -> Any:
        try:
            return read(data)
        except Exception:
            return _MALFORMED

    return parse


def _whole(request: Any) -> Any:
    if request is _MALFORMED:
        raise bad("the message cannot be parsed; send the method's own request type, whole.")
    return request
