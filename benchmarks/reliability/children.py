"""Programs as processes of their own, forked from one that has imported TensorFlow but computed nothing with it.

A fork before TensorFlow's first operation is safe, and saves the seconds of its import for each process.
"""

import hashlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_psgan.cli import main as command
from tf_psgan.rendering import render as _render  # noqa: F401  imported here, so that no child has to
from tf_psgan.runs import checkpoint
from tf_psgan.training import training_loop as _training_loop  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A process that runs `psgan` with some arguments, or a function.

    Args:
      work: the arguments, or what is called; its result is the exit code.
      before: called in the process before the work.
    """

    def __init__(self, work: Sequence[str] | Callable[[], int], before: Callable[[], None] | None = None) -> None:
        self._output = tempfile.TemporaryFile()
        self.code: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            return
        code = 99
        try:
            os.dup2(self._output.fileno(), 1)
            os.dup2(self._output.fileno(), 2)
            os.chdir(ROOT)
            if before:
                before()
            code = work() if callable(work) else command.main(["psgan", *work])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def runs(self) -> bool:
        """Whether the process has not ended."""
        if self.code is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.code = os.waitstatus_to_exitcode(ended[1])
        return self.code is None

    def send(self, number: int) -> None:
        """Sends a signal, if the process still runs."""
        if self.runs():
            os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code; negative for a signal."""
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def said(self) -> str:
        """What the process wrote to both outputs."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")


def digest(run: Path) -> str:
    """A digest of every tensor of a run's newest checkpoint but the notes, and of its step."""

    def hashed() -> int:
        newest = max((run / "checkpoints").glob("step-*"))
        reader = tf.train.load_checkpoint(str(newest / checkpoint.BUNDLE))
        total = hashlib.sha256(newest.name.encode())
        for name in sorted(set(reader.get_variable_to_shape_map()) - {checkpoint.NOTES}):
            total.update(name.encode() + np.asarray(reader.get_tensor(name)).tobytes())
        print(total.hexdigest())
        return 0

    child = Child(hashed)  # a process of its own: this one must not start TensorFlow
    if child.wait():
        raise RuntimeError(child.said())
    return child.said().strip().splitlines()[-1]
