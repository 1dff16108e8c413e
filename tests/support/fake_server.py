"""A server of the Predict method whose pictures follow a formula and which fails on demand. Imports no TensorFlow."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from PIL import Image

from tf_psgan_serving import wire

NO_RESPONSE = "no response"
"""A fault: the server sends nothing until the client ends the call."""

HANG = 300.0
"""Seconds after which a wait fails that would otherwise never end. No test passes because of it."""

LIMITS = {"limits": {"height": 96, "width": 64, "pixels": 4096}, "chunk_pixels": 32, "pixels_per_cell": 8}


def paint(seed, texture, top, left, height, width):
    """uint8 [height, width, 3]; the value depends on position, seed and texture, a number or one for each pixel."""
    rows, cols = np.arange(top, top + height)[:, None, None], np.arange(left, left + width)[None, :, None]
    return ((rows * 7 + cols * 13 + np.arange(3) * 50 + seed * 31 + texture * 3) % 251).astype(np.uint8)


def texture_of(signature, inputs, cell):
    """The texture of a request, or of each pixel of a scene: the mean of the textures' numbers, moved by the time."""
    if signature == "morph":
        return int(inputs["textures"] @ np.array([1, 2, 3, 4]))
    if signature != "scene":
        return inputs["texture"]
    mixed = np.einsum("n,nrc->rc", inputs["textures"], inputs["weights"])
    rows, cols = (
        np.clip((first + np.arange(length)) // cell - begin, 0, most - 1)
        for first, length, begin, most in (
            (inputs["top"], inputs["height"], inputs["first_row"], mixed.shape[0]),
            (inputs["left"], inputs["width"], inputs["first_col"], mixed.shape[1]),
        )
    )
    moved = round(100 * inputs["time"] * inputs["amount"])
    return np.rint(mixed[np.ix_(rows, cols)]).astype(int)[..., np.newaxis] + moved


def inputs_of(request):
    """The request's inputs as integers, or lists of them."""
    kinds = {wire.INT32: np.int32, wire.INT64: np.int64, wire.FLOAT: np.float32}
    found = {}
    for pair in request.inputs:
        shape = [dim.size for dim in pair.value.tensor_shape.dim]
        found[pair.key] = np.frombuffer(pair.value.tensor_content, kinds[pair.value.dtype]).reshape(shape).tolist()
    return found


def response(name, dtype, shape, version=1, **values):
    """A PredictResponse with one output."""
    message = wire.message_class("PredictResponse")()
    tensor = message.outputs.add(key=name).value
    tensor.dtype = dtype
    for extent in shape:
        tensor.tensor_shape.dim.add(size=extent)
    for field, value in values.items():
        if field == "tensor_content":
            tensor.tensor_content = value
        else:
            getattr(tensor, field).extend(value)
    message.model_spec.version.value = version
    return message.SerializeToString()


def identity_of(content):
    """The identity of a content."""
    return f"{content:064x}"


class FakeServer:
    """A server in this process, as a context manager.

    Attributes:
      target: its address.
      faults: status codes, `NO_RESPONSE`, or events to wait for, for the next requests in order; None for no fault.
      received: number of requests so far.
      allowed: seconds to its deadline that each request had when it came.
      ended: released when the client ends a call that gets no response.
      seen: (signature, inputs, requested version) of each request that succeeded.
      most: largest number of concurrent requests so far.
      versions: the loaded versions; a request without a version gets the last.
      swap: number of requests after which other versions are loaded, and these versions.
      contents: the content of the models from a number of successful requests on, by this number.
      identity: who sends it: "metadata" each response, "description" only that, "" none.
      answers_with: versions that the next responses claim to be of, in order.
      details: text of the faults that are status codes.
      as_numbers: whether pictures are sent as `int_val`.
      wrong: bytes to send as the response instead.
      barrier: a barrier that every request for pixels waits at, or None.
      capacity: concurrent requests; further ones get RESOURCE_EXHAUSTED with the trailing metadata `retry_after`.
    """

    def __init__(self, credentials=None, port=0, description=None):
        self.faults, self.seen, self.most, self.versions = [], [], 0, [1]
        self.received, self.allowed, self.ended, self.barrier = 0, [], threading.Semaphore(0), None
        self.as_numbers, self.wrong, self.capacity, self.retry_after = False, None, 99, ()
        self.description = LIMITS if description is None else description
        self.swap = (10**9, [])
        self.contents, self.identity, self.answers_with, self.details = {0: 0}, "", [], "a fault\nof two lines"
        self._now, self._lock = 0, threading.Lock()
        handler = grpc.unary_unary_rpc_method_handler(self._predict)
        service = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler})
        self._server = grpc.server(ThreadPoolExecutor(16), handlers=[service], options=[("grpc.so_reuseport", 0)])
        address = f"localhost:{port}"
        add = self._server.add_secure_port if credentials else self._server.add_insecure_port
        self.port = add(*((address, credentials) if credentials else (address,)))
        self.target = f"localhost:{self.port}"

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the server, and what is on its way."""
        self._server.stop(None).wait()

    def _predict(self, data, context):
        request = wire.message_class("PredictRequest").FromString(data)
        spec = request.model_spec
        with self._lock:
            self._now += 1
            self.received += 1
            self.allowed.append(context.time_remaining())
            self.most = max(self.most, self._now)
            fault = self.faults.pop(0) if self.faults else None
            full = self._now > self.capacity
            if len(self.seen) >= self.swap[0]:
                self.versions = self.swap[1]
            version = spec.version.value or self.versions[-1]
        try:
            if full:
                context.set_trailing_metadata(self.retry_after)
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
            if self.barrier and spec.signature_name != "describe":
                self.barrier.wait(HANG)
            if isinstance(fault, threading.Event):
                assert fault.wait(HANG)
            if fault is NO_RESPONSE:
                self._wait_for_the_end(context)
            if isinstance(fault, grpc.StatusCode):
                context.abort(fault, self.details)
            if spec.name != "m" or version not in self.versions:
                context.abort(grpc.StatusCode.NOT_FOUND, f"{spec.name}: no version {version}")
            with self._lock:
                content = self.contents[max(count for count in self.contents if count <= len(self.seen))]
                self.seen.append((spec.signature_name, inputs_of(request), spec.version.value))
                claimed = self.answers_with.pop(0) if self.answers_with else version
            if self.identity == "metadata":
                context.set_trailing_metadata(((wire.IDENTITY, identity_of(content)),))
            return self.wrong or self._response(spec.signature_name, inputs_of(request), version, content, claimed)
        finally:
            with self._lock:
                self._now -= 1

    def _wait_for_the_end(self, context):
        over = threading.Event()
        if context.add_callback(over.set):
            assert over.wait(HANG), "the client did not end the call"
        self.ended.release()
        context.abort(grpc.StatusCode.CANCELLED, "the client has ended the call")

    def _response(self, signature, inputs, version, content, claimed):
        if signature == "describe":
            identity = {"identity": identity_of(content)} if self.identity else {}
            description = json.dumps(self.description | {"version": version} | identity).encode()
            return response("description", wire.STRING, [], claimed, string_val=[description])
        name, _, kind = signature.partition("_")
        texture = texture_of(name, inputs, self.description["pixels_per_cell"])
        extent = inputs["height"], inputs["width"]
        picture = paint(
            inputs["seed"] + version + 100 * content, texture, inputs.get("top", 0), inputs.get("left", 0), *extent
        )
        if kind:
            encoded = io.BytesIO()
            Image.fromarray(picture).save(encoded, kind.upper())
            return response("image_bytes", wire.STRING, [], claimed, string_val=[encoded.getvalue()])
        values = {"int_val": picture.ravel().tolist()} if self.as_numbers else {"tensor_content": picture.tobytes()}
        return response("image", wire.UINT8, picture.shape, claimed, **values)
