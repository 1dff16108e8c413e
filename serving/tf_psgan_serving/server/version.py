"""One version of a model: a SavedModel in a session, loaded as TensorFlow Serving loads it."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf

from tf_psgan_serving.server import input_checks
from tf_psgan_serving.server.status import StatusError, invalid_argument
from tf_psgan_serving.version_files import checksums, operations
from tf_psgan_serving.version_files.errors import VersionError


class Version:
    """A loaded SavedModel. `trial.load` loads one and tries it.

    Args:
      folder: of the version; its name is the version's number.
      threads: TensorFlow's threads between operations; each operation gets half as many. 0 leaves both to TensorFlow.
      trusted: whether the graph may contain operations on files, network and code.

    Attributes:
      number: of the version.
      description: of the export; {} for a model of another program.
      identity: SHA-256 of the content, for clients: the description's, or else that of the files.

    Raises:
      VersionError: a file differs from its checksum, or the graph contains such operations.
      Exception: whatever TensorFlow raises for a damaged or incomplete folder.
    """

    def __init__(self, folder: Path, threads: int = 0, trusted: bool = False) -> None:
        self.number = int(folder.name)
        self.description: Mapping[str, Any] = {}
        self.identity = checksums.check(folder)
        if not trusted:
            operations.check(folder)
        graph = tf.Graph()
        # The graph of a chunk has two nearly independent chains of operations. Half of the threads for each is faster
        # than all threads for both, which would synchronise at every operation.
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
        except BaseException:
            self.close()
            raise

    def run(self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str], seconds: float) -> dict[str, Any]:
        """Runs a signature on checked inputs.

        Args:
          inputs: TensorProto by name.
          outputs: names.
          seconds: time limit; the graph's loop over the chunks of a picture stops at its next iteration.

        Returns:
          Arrays by the outputs' names; bytes for a scalar string.

        Raises:
          StatusError: INVALID_ARGUMENT with the graph's own message; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED, out of
            memory; UNAVAILABLE, the version is closed.
        """
        info = self.signatures[signature]
        feeds = {
            info.inputs[name].name: input_checks.array(name, proto, info.inputs[name]) for name, proto in inputs.items()
        }
        names = {name: info.outputs[name].name for name in outputs}
        options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(1000 * seconds)))
        try:
            values: dict[str, Any] = self._session.run(names, feeds, options=options)
            return values
        except tf.errors.InvalidArgumentError as error:
            raise invalid_argument(public_message(error.message)) from error
        except tf.errors.DeadlineExceededError:
            text = f"not finished within {seconds:.3g} s; allow more time, or request a smaller picture."
            raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, text) from None
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            text = "the server has not enough memory; request a smaller picture."
            raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text) from error
        except (tf.errors.CancelledError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "closed Session" not in str(error):
                raise
            text = "the server is stopping; use another one or retry later."
            raise StatusError(grpc.StatusCode.UNAVAILABLE, text) from None

    def close(self) -> None:
        """Closes the session and frees its memory."""
        self._session.close()

    def set_description(self, text: bytes) -> None:
        """Takes over the response of `describe`.

        Raises:
          VersionError: it lacks entries that the input checks use, or has wrong ones.
        """
        self.description = _parse_description(text)
        self.identity = _identity(self.description) or self.identity


def public_message(message: str) -> str:
    """A graph's error message without names of nodes and files; only the assertion's text if an assertion failed."""
    asserted = re.search(r"assertion failed: \[(.*?)\](?=\s*\n|\s*$| \[)", message, re.DOTALL)
    if asserted:
        return " ".join(re.sub(r"\\(['\"\\])", r"\1", asserted.group(1)).split())
    text = message.partition("Detected at node")[0].replace("Graph execution error:", "")
    text = re.sub(r"\[?\[?\{\{.*?\}\}\]?\]?|\S*/\S*|\S+\.(py|cc|h)\b\S*", " ", text)
    text = " ".join(text.partition("[[")[0].split())[:300]
    return f"the model rejects these inputs: {text or 'no reason given'}"


def fingerprint(folder: Path) -> tuple[Any, ...]:
    """Names, sizes and modification times of all files, which change while a version is being copied.

    Raises:
      OSError: the folder may not be read, or is removed meanwhile.
    """
    os.scandir(folder).close()  # rglob ignores folders that may not be read
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns)
                 for path, stat in ((path, path.stat()) for path in files))  # fmt: skip


def _identity(description: Mapping[str, Any]) -> str:
    """The identity in an export's description; "" for exports without one."""
    identity = str(description.get("identity", ""))
    return identity if re.fullmatch("[0-9a-f]{64}", identity) else ""  # metadata of gRPC is ASCII


def _parse_description(text: bytes) -> Mapping[str, Any]:
    """The description of an export, with the entries checked that the input checks use; {} is valid."""
    parsed = json.loads(text)
    limits = parsed.get("limits", {}) if isinstance(parsed, dict) else None
    integers = isinstance(limits, dict) and all(isinstance(value, int) for value in limits.values())
    if not integers or not isinstance(parsed.get("pixels_per_cell", 0), int):
        raise VersionError("its description has no integers for limits and pixels_per_cell")
    cost = parsed.get("cost_per_pixel", 1.0)
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 1.0 <= cost < math.inf:
        raise VersionError(f"its description has no number of at least 1 for cost_per_pixel: {cost!r}")
    return dict(parsed)
