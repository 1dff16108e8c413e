"""A SavedModel asked the way a server asks it: through the session loader, by the names of signatures and inputs."""

from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf


class SessionModel:
    """A SavedModel, loaded as TensorFlow Serving loads it. A context: its end gives the memory back.

    Python's `tf.saved_model.load` is another loader; what it can run a server may not.

    Raises:
      OSError, tf.errors.OpError: there is no SavedModel, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(folder))
        # TensorFlow's own signature that starts the model has no inputs and is none of ours.
        self.signatures = {name: sign for name, sign in loaded.signature_def.items() if not name.startswith("__")}

    def ask(self, signature: str, **inputs: Any) -> Any:
        """The only output of a signature, as NumPy has it; strings are bytes.

        Raises:
          tf.errors.InvalidArgumentError: a value that the model refuses.
        """
        asked = self.signatures[signature]
        (output,) = asked.outputs.values()
        return self._session.run(output.name, {asked.inputs[name].name: value for name, value in inputs.items()})

    def __enter__(self) -> "SessionModel":
        """The SavedModel itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Frees it."""
        self._session.close()
