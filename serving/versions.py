"""One version of a model: a SavedModel in a session, as TensorFlow Serving's loader holds it, and its runs."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving import checks
from serving.refusals import Refusal, bad

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_WARM_UPS = 1000
"""TensorFlow Serving's own bound."""

SMALL = {"height": 8, "width": 8}
"""Inputs of the window that is asked for before a version is served; all others are 0."""


class Version:
    """A loaded SavedModel.

    Args:
      folder: of the version; its name is the version's number.
      wanted: names of signatures that it must have.
      threads: of TensorFlow, between operations, and half of them for each; 0 leaves the choice to it.

    Raises:
      ValueError: it lacks a wanted signature or has a wrong one, or a request that it is tried with fails.
      Exception: whatever TensorFlow raises for a folder that is damaged or incomplete.
    """

    def __init__(self, folder: Path, wanted: Sequence[str], threads: int = 0) -> None:
        self.number = int(folder.name)
        self.description: Mapping[str, Any] = {}
        graph = tf.Graph()
        # A tile is two chains of operations: half of the threads for each, which wait less than all for both in turn.
        options = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=(threads + 1) // 2, inter_op_parallelism_threads=threads
        )
        options.gpu_options.allow_growth = True
        self._session = tf.compat.v1.Session(graph=graph, config=options)
        try:
            with graph.as_default():
                meta = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(folder))
            graph.finalize()
            self.signatures = dict(meta.signature_def)
            self._try(folder, wanted)
        except BaseException:
            self.close()
            raise

    def run(self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str], seconds: float) -> dict[str, Any]:
        """Runs a signature on checked inputs.

        Args:
          inputs: TensorProto by name.
          outputs: names.
          seconds: after which it is stopped; a loop in the graph, as over a picture's tiles, stops at its next round.

        Returns:
          Arrays by the outputs' names; bytes for a string scalar.

        Raises:
          Refusal: INVALID_ARGUMENT in the graph's own words; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED out of memory;
            UNAVAILABLE when the version is closed.
        """
        info = self.signatures[signature]
        feeds = {info.inputs[name].name: checks.array(name, proto) for name, proto in inputs.items()}
        names = {name: info.outputs[name].name for name in outputs}
        options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(1000 * seconds)))
        try:
            found: dict[str, Any] = self._session.run(names, feeds, options=options)
            return found
        except tf.errors.InvalidArgumentError as error:
            raise bad(graph_words(error.message)) from error
        except tf.errors.DeadlineExceededError:
            text = f"not done within {seconds:.3g} s; allow more time, or ask for less."
            raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, text) from None
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            text = "the server has too little memory for this; ask for less."
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text) from error
        except (tf.errors.CancelledError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "closed Session" not in str(error):
                raise
            text = "the server is stopping; ask another, or later."
            raise Refusal(grpc.StatusCode.UNAVAILABLE, text) from None

    def close(self) -> None:
        """Ends the session and gives its memory back."""
        self._session.close()

    def _try(self, folder: Path, wanted: Sequence[str]) -> None:
        """Runs what clients will ask for first, so that a broken version shows itself and a good one is warm."""
        if lacking := [name for name in wanted if name not in self.signatures]:
            raise ValueError(f"lacks the signature {', '.join(lacking)}")
        if "describe" in self.signatures:
            self.description = _description(self.run("describe", {}, ["description"], 60.0)["description"])
        if "window" in self.signatures:
            inputs = {
                name: tf.make_tensor_proto(SMALL.get(name, 0), info.dtype, [])
                for name, info in self.signatures["window"].inputs.items()
            }
            image = self.run("window", inputs, ["image"], 600.0)["image"]
            if image.dtype != np.uint8 or image.shape != (SMALL["height"], SMALL["width"], 3):
                raise ValueError(f"its window is {image.dtype} {list(image.shape)}, not uint8 [8, 8, 3]")
        self._warm_up(folder / WARM_UP)

    def _warm_up(self, path: Path) -> None:
        if not path.exists():
            return
        for record in itertools.islice(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), MOST_WARM_UPS):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            request = log.predict_log.request
            name = request.model_spec.signature_name or "serving_default"
            if log.WhichOneof("log_type") != "predict_log" or name not in self.signatures:
                raise ValueError(f"{WARM_UP}: a record is no Predict request for a signature of the model")
            checks.check_inputs(request.inputs, self.signatures[name], self.description)
            self.run(name, request.inputs, list(self.signatures[name].outputs), 600.0)


def _description(text: bytes) -> Mapping[str, Any]:
    """An export's description of itself, as far as requests are held against it: {} is a good one."""
    found = json.loads(text)
    limits = found.get("limits", {}) if isinstance(found, dict) else None
    whole = isinstance(limits, dict) and all(isinstance(value, int) for value in limits.values())
    if not whole or not isinstance(found.get("pixels_per_cell", 0), int):
        raise ValueError("describes itself without whole numbers for limits and pixels_per_cell")
    return dict(found)


def graph_words(message: str) -> str:
    """What a graph's error says, without the names of its nodes and files: the text of an assertion where it is one."""
    asserted = re.search(r"assertion failed: \[(.*?)\](?=\s*\n|\s*$| \[)", message, re.DOTALL)
    if asserted:
        return " ".join(re.sub(r"\\(['\"\\])", r"\1", asserted.group(1)).split())
    text = message.partition("Detected at node")[0].replace("Graph execution error:", "")
    text = re.sub(r"\[?\[?\{\{.*?\}\}\]?\]?|\S*/\S*|\S+\.(py|cc|h)\b\S*", " ", text)
    text = " ".join(text.partition("[[")[0].split())[:300]
    return f"the model refuses these inputs: {text or 'no reason given'}"


def fingerprint(folder: Path) -> tuple[Any, ...]:
    """Names, sizes and times of all files: changes while a version is being copied.

    Raises:
      OSError: the folder vanishes meanwhile.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns)
                 for path, stat in ((path, path.stat()) for path in files))  # fmt: skip
