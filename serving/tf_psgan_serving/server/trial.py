"""Loads a version and tries it before it is used, by requests that take the way of a client's.

A version whose trial fails never replaces one that works: its requests go through the handler of Predict itself, from
their bytes to the bytes of the response.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tf_psgan_serving.server.admission import AdmissionQueue
from tf_psgan_serving.server.limiters import RateLimiter, ShapeLimiter
from tf_psgan_serving.server.services import DEFAULT_SIGNATURE, PredictionService
from tf_psgan_serving.server.version import Version
from tf_psgan_serving.version_files.errors import VersionError

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_WARM_UPS = 1000
"""TensorFlow Serving's own limit."""

SECONDS = 600.0
"""Longest time of a request of the trial."""

WINDOW = {"height": 8, "width": 8}
"""Inputs of the window that is computed before a version is used; its other inputs are 0."""


def load(folder: Path, required: Sequence[str], threads: int = 0, trusted: bool = False) -> Version:
    """A version that answers requests.

    Args:
      folder: of the version; its name is the version's number.
      required: names of signatures that the version must have.
      threads, trusted: as for `Version`.

    Raises:
      VersionError: a required signature is missing, or a response of the trial is wrong; or as `Version`.
      StatusError: a request of the trial or a warm-up request failed.
      Exception: whatever TensorFlow raises for a damaged or incomplete folder.
    """
    version = Version(folder, threads, trusted)
    try:
        if missing := [name for name in required if name not in version.signatures]:
            raise VersionError(f"lacks the signature {', '.join(missing)}")
        trial = _Trial(version)
        trial.describe()
        trial.window()
        trial.warm_up(folder / WARM_UP)
    except BaseException:
        version.close()
        raise
    return version


class _Trial:
    """Requests to a version that is not in service; it stands for the repository, the model and gRPC's context."""

    def __init__(self, version: Version) -> None:
        self._version = version
        queue, name = AdmissionQueue(running=1, waiting=0), str(version.number)
        self._service = PredictionService(self, queue, RateLimiter(0.0), ShapeLimiter(0), SECONDS)
        self._name = name

    def describe(self) -> None:
        if "describe" in self._version.signatures:
            self._version.set_description(self._output("describe", "description", {}).item())

    def window(self) -> None:
        if "window" not in self._version.signatures:
            return
        inputs = {
            name: tf.make_tensor_proto(WINDOW.get(name, 0), info.dtype, [])
            for name, info in self._version.signatures["window"].inputs.items()
        }
        image = self._output("window", "image", inputs)
        if image.dtype != np.uint8 or image.shape != (WINDOW["height"], WINDOW["width"], 3):
            raise VersionError(f"its window is {image.dtype} {list(image.shape)}, not uint8 [8, 8, 3]")

    def warm_up(self, path: Path) -> None:
        if not path.exists():
            return
        for record in itertools.islice(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), MAX_WARM_UPS):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            request = log.predict_log.request
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            if log.WhichOneof("log_type") != "predict_log" or name not in self._version.signatures:
                raise VersionError(f"{WARM_UP}: a record is not a Predict request for a signature of the model")
            self._predict(request)

    def _output(self, signature: str, output: str, inputs: dict[str, Any]) -> np.ndarray:
        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = signature
        request.output_filter.append(output)
        for name, proto in inputs.items():
            request.inputs[name].CopyFrom(proto)
        return tf.make_ndarray(self._predict(request).outputs[output])

    def _predict(self, request: Any) -> Any:
        request.model_spec.name = self._name
        request.model_spec.ClearField("version_choice")
        sent = predict_pb2.PredictRequest.FromString(request.SerializeToString())
        response = self._service.Predict(sent, _Context())
        return predict_pb2.PredictResponse.FromString(response.SerializeToString())

    def get(self, name: str) -> "_Trial":
        return self

    @contextlib.contextmanager
    def use(self, number: int | None) -> Iterator[Version]:
        yield self._version


class _Context:
    """gRPC's context of a request of this process, which nobody cancels."""

    def peer(self) -> str:
        return "trial"

    def time_remaining(self) -> float:
        return math.inf

    def is_active(self) -> bool:
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return False  # the call is over when the handler returns

    def set_trailing_metadata(self, metadata: Any) -> None:
        pass
