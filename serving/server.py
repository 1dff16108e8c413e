"""The embedded server: TensorFlow Serving's gRPC API over folders of SavedModels, in one Python process.

It speaks TensorFlow Serving's protocol and loads models as its loader does; it is not that server.
Run it by `python -m serving.server --models=models`; `--help` shows all flags.
"""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence

from serving import settings

LOG = logging.getLogger("serving")


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or Ctrl-C; the exit code: 0, 2 for a user's mistake."""
    asked = settings.read(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    _log_to_stderr()
    try:
        with _hushed():
            from serving import assembly
        server = assembly.Server(asked)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    while not over.wait(0.2):  # in short waits: a signal that reaches another thread does not wake this one
        pass
    LOG.info("stopping, running requests have %g s", asked.grace)
    server.stop(asked.grace)
    LOG.info("stopped")
    return 0


def _log_to_stderr() -> None:
    """One line an event: this server's own, and errors of the libraries."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it says at each load that its loader is an old one


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Holds back what libraries write to standard error while they are loaded, and drops it if they load."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield
            heard.truncate(0)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            heard.seek(0)
            sys.stderr.write(heard.read().decode(errors="replace"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
