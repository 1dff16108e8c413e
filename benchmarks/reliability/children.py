"""Programs as processes of their own, and what a training left."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_psgan.runs import checkpoint

ROOT = Path(__file__).resolve().parents[2]
HANG_SECONDS = 900
"""Only ends what hangs."""


class Child:
    """A process that runs `psgan` with some arguments.

    Args:
      arguments: the program's name and its flags.
      prefix: a command that starts it, such as `prlimit --fsize=1000`.
    """

    def __init__(self, arguments: Sequence[str], prefix: Sequence[str] = ()) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  read after the process has ended
        command = [*prefix, sys.executable, f"{arguments[0]}.py", *arguments[1:]]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=self._output, stderr=subprocess.STDOUT)

    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def children(self) -> list[int]:
        """The processes that it has started, in their order."""
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in listed.read_text(encoding="utf-8").split()] if listed.exists() else []

    def send(self, number: int) -> None:
        """Sends a signal, if the process still runs."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code; negative for a signal."""
        return self._process.wait(HANG_SECONDS)

    def said(self) -> str:
        """What the process wrote to both outputs."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")


def digest(run: Path) -> str:
    """A digest of every tensor of a run's newest checkpoint but the notes, and of its step."""
    newest = max((run / "checkpoints").glob("step-*"))
    reader = tf.train.load_checkpoint(str(newest / checkpoint.BUNDLE))
    total = hashlib.sha256(newest.name.encode())
    for name in sorted(set(reader.get_variable_to_shape_map()) - {checkpoint.NOTES}):
        total.update(name.encode() + np.asarray(reader.get_tensor(name)).tobytes())
    return total.hexdigest()
