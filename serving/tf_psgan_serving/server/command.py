"""The command `psgan-server`: starts the server and stops it on SIGTERM or Ctrl-C."""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence

from tf_psgan_serving.server import settings

LOG = logging.getLogger("tf_psgan_serving")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or Ctrl-C.

    Args:
      arguments: of the command line; None for those of this process.

    Returns:
      The exit code: 0, or 2 for a mistake of the user.
    """
    parsed = settings.parse(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _configure_logging()
    try:
        with _captured_stderr():
            from tf_psgan_serving.server.grpc_server import Server
        server = Server(parsed)
    except ModuleNotFoundError as error:
        print(f"error: {error}; the server requires pip install 'tf_psgan[serving]'.", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    while not stop.wait(0.2):  # short waits: a signal that another thread receives does not interrupt a long one
        pass
    LOG.info("stopping; running requests have %g s", parsed.grace)
    server.stop(parsed.grace)
    LOG.info("stopped")
    return 0


def _configure_logging() -> None:
    """Logs this package's events and the libraries' errors to standard error, one line each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each load logs a deprecation of its loader


@contextlib.contextmanager
def _captured_stderr() -> Iterator[None]:
    """Captures what libraries write to standard error while they are imported; writes it only if the import fails."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
            captured.truncate(0)
        except ModuleNotFoundError:
            captured.truncate(0)
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
            captured.seek(0)
            sys.stderr.write(captured.read().decode(errors="replace"))
