"""A SavedModel executed the way a server executes it: through the session loader, by names of signatures and inputs."""

from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

from tf_psgan.errors import ExportError
from tf_psgan_serving.version_files import checksums, operations
from tf_psgan_serving.version_files.errors import VersionError


class SessionModel:
    """A SavedModel in a session of its own, loaded as TensorFlow Serving loads it.

    Python's `tf.saved_model.load` is a different loader, which can run models that a server cannot. A context manager:
    its end frees the memory. The signatures, SignatureDef protos by name, are in `signatures`.

    Args:
      folder: of a version of the model.
      trust: loads a graph with any operations. A SavedModel is a program: one that is not an export of this package can
        read and write files and open connections.

    Raises:
      ExportError: a file differs from its checksum, or the graph has operations that no export has.
      OSError, tf.errors.OpError: there is no SavedModel, or it is damaged.
    """

    def __init__(self, folder: Path, *, trust: bool = False) -> None:
        try:
            checksums.check(folder)
            if not trust:
                operations.check(folder)
        except VersionError as error:
            raise ExportError(str(folder), str(error).rstrip("."), value=folder) from None
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(folder))
        # TensorFlow adds a signature of its own that initialises the model; it has no inputs.
        self.signatures = {name: sign for name, sign in loaded.signature_def.items() if not name.startswith("__")}

    def run(self, signature: str, **inputs: Any) -> Any:
        """The only output of a signature, as a NumPy array; strings are bytes.

        Args:
          signature: its name.
          inputs: one value for each of its inputs, by name.

        Raises:
          tf.errors.InvalidArgumentError: the graph rejects a value.
        """
        definition = self.signatures[signature]
        (output,) = definition.outputs.values()
        return self._session.run(output.name, {definition.inputs[name].name: value for name, value in inputs.items()})

    def __enter__(self) -> "SessionModel":
        """The model itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Frees it."""
        self._session.close()
