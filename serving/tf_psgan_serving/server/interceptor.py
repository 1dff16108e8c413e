"""Wraps every handler: bounds the time of messages, and turns every exception into a gRPC status.

A handler of one request and one response is registered as one of streams, which is the same on the wire: gRPC then
calls it before the message has arrived, and waits in it until the response is read, so that both can be bounded
(`call_guard`). gRPC's own waiting for a message cannot be ended.

A `StatusError` becomes its own status. Any other exception is logged under a random identifier, and the client receives
INTERNAL with the identifier only, so that no text of an internal error leaves the server.
"""

import contextlib
import logging
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from tf_psgan_serving import wire
from tf_psgan_serving.server.call_guard import CallGuard
from tf_psgan_serving.server.status import StatusError, invalid_argument

LOG = logging.getLogger("tf_psgan_serving")
MAX_TEXT = 500
MAX_STREAMS = 8
"""Concurrent streams (reflection, health watches). Each occupies a thread for as long as the client likes."""

LEAST_WEIGHT = 2.0**22
"""Bytes that a small unread response counts as; bounds the number of such calls."""


class StatusInterceptor(grpc.ServerInterceptor):
    """Wraps every handler of the server.

    Args:
      receiving: guards calls whose message has not arrived; each weighs 1.
      sending: guards calls whose response is unread; each weighs its bytes, at least `LEAST_WEIGHT`.
      ended: called with the method, the status code's name and the seconds of each call of one request and response.
    """

    def __init__(
        self, receiving: CallGuard, sending: CallGuard, ended: Callable[[str, str, float], None] = lambda *_: None
    ) -> None:
        self._receiving, self._sending, self._ended = receiving, sending, ended
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """gRPC's hook: the wrapped handler of a method; None for an unknown method."""
        handler = continuation(details)
        if handler is None:
            return None
        if handler.unary_unary:
            return grpc.stream_stream_rpc_method_handler(self._wrap_unary(handler, details.method))
        if handler.unary_stream or handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(self._wrap_stream(handler, details.method))
        return None  # no service here has a method with a stream of requests and one response

    def _wrap_unary(self, handler: Any, method: str) -> Callable[[Any, Any], Iterator[bytes]]:
        def handle(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
            with _exceptions_as_status(context, method):
                request = self._receive(messages, handler.request_deserializer, context)
                with self._counted(method):
                    response = handler.response_serializer(handler.unary_unary(request, context))
                del request
                with self._sending.track(context, max(LEAST_WEIGHT, len(response))):
                    yield response

        return handle

    def _wrap_stream(self, handler: Any, method: str) -> Callable[[Any, Any], Iterator[bytes]]:
        parse = handler.request_deserializer

        def handle(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
            with _exceptions_as_status(context, method):
                if not self._streams.acquire(blocking=False):
                    text = f"{MAX_STREAMS} streams are open; close one."
                    raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
                try:
                    if handler.stream_stream:
                        responses = handler.stream_stream((_parsed(parse, data) for data in messages), context)
                    else:
                        responses = handler.unary_stream(self._receive(messages, parse, context), context)
                    yield from map(handler.response_serializer, responses)
                finally:
                    self._streams.release()

        return handle

    @contextlib.contextmanager
    def _counted(self, method: str) -> Iterator[None]:
        start, code = time.monotonic(), "OK"
        try:
            yield
        except Exception as error:
            code = error.code.name if isinstance(error, StatusError) else "INTERNAL"
            raise
        finally:
            self._ended(method, code, time.monotonic() - start)

    def _receive(self, messages: Iterator[bytes], parse: Callable[[bytes], Any], context: Any) -> Any:
        """The request of a call that has one."""
        with self._receiving.track(context):
            data = next(messages, None)
        if data is None:
            raise invalid_argument("the call has no message; send the method's request.")
        return _parsed(parse, data)


@contextlib.contextmanager
def _exceptions_as_status(context: Any, method: str) -> Iterator[None]:
    """Ends the call with an error status if the block raises."""
    try:
        yield
        return
    except grpc.RpcError:  # gRPC's own, from reading a message of a call that has ended
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


def _parsed(parse: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return parse(data)
    except Exception:  # protobuf raises several types
        raise invalid_argument("the message cannot be parsed; send the method's request type.") from None
