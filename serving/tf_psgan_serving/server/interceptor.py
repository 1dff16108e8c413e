"""Turns every exception of a handler into a gRPC status, so that no text of an internal error leaves the server.

A `StatusError` becomes its own status. Any other exception is logged under a random identifier, and the client receives
INTERNAL with the identifier only.
"""

import contextlib
import logging
import secrets
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from tf_psgan_serving import wire
from tf_psgan_serving.server.status import StatusError, invalid_argument

LOG = logging.getLogger("tf_psgan_serving")
MAX_TEXT = 500
MAX_STREAMS = 8
"""Concurrent streams (reflection, health watches). Each occupies a thread for as long as the client likes."""

_MALFORMED = object()


class StatusInterceptor(grpc.ServerInterceptor):
    """Wraps every handler of the server."""

    def __init__(self) -> None:
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """gRPC's hook: the wrapped handler of a method; None for an unknown method."""
        handler = continuation(details)
        if handler is None:
            return None
        deserialize = _tolerant(handler.request_deserializer)
        serialize = handler.response_serializer
        if handler.unary_unary:
            unary = self._wrap_unary(handler.unary_unary, details.method)
            return grpc.unary_unary_rpc_method_handler(unary, deserialize, serialize)
        if handler.unary_stream:
            stream = self._wrap_stream(handler.unary_stream, details.method)
            return grpc.unary_stream_rpc_method_handler(stream, deserialize, serialize)
        if handler.stream_stream:
            stream = self._wrap_stream(handler.stream_stream, details.method)
            return grpc.stream_stream_rpc_method_handler(stream, deserialize, serialize)
        return None  # no service here has a method with a stream of requests and one response

    def _wrap_unary(self, behaviour: Callable[[Any, Any], Any], method: str) -> Callable[[Any, Any], Any]:
        def handle(request: Any, context: Any) -> Any:
            with _exceptions_as_status(context, method):
                return behaviour(_parsed(request), context)

        return handle

    def _wrap_stream(self, behaviour: Callable[[Any, Any], Any], method: str) -> Callable[[Any, Any], Any]:
        def handle(request: Any, context: Any) -> Iterator[Any]:
            with _exceptions_as_status(context, method):
                if not self._streams.acquire(blocking=False):
                    text = f"{MAX_STREAMS} streams are open; close one."
                    raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
                try:
                    several = hasattr(request, "__next__")  # a stream of requests is checked item by item
                    yield from behaviour(map(_parsed, request) if several else _parsed(request), context)
                finally:
                    self._streams.release()

        return handle


@contextlib.contextmanager
def _exceptions_as_status(context: Any, method: str) -> Iterator[None]:
    """Ends the call with an error status if the block raises."""
    try:
        yield
        return
    except StatusError as error:
        status = error
    except NotImplementedError:
        status = StatusError(grpc.StatusCode.UNIMPLEMENTED, "this server does not implement the method; use Predict.")
    except Exception as error:
        identifier = secrets.token_hex(4)
        trace = " | ".join("".join(traceback.format_exception(error)).split("\n"))
        LOG.error("error %s in %s: %s", identifier, method, trace)
        status = StatusError(grpc.StatusCode.INTERNAL, f"error {identifier}; the server's log has the details.")
    if status.retry_ms is not None:
        context.set_trailing_metadata(((wire.RETRY_AFTER, str(status.retry_ms)),))
    context.abort(status.code, status.text[:MAX_TEXT])


def _tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A deserializer that returns a marker instead of raising, for which gRPC would answer INTERNAL."""

    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except Exception:
            return _MALFORMED

    return parse


def _parsed(request: Any) -> Any:
    if request is _MALFORMED:
        raise invalid_argument("the message cannot be parsed; send the method's request type.")
    return request
