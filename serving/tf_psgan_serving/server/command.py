"""The command `psgan-server`: starts the server and stops it on SIGTERM or Ctrl-C."""

import contextlib
import dataclasses
import faulthandler
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from tf_psgan_serving import command_line, ready_made
from tf_psgan_serving.command_line import LOG
from tf_psgan_serving.server import settings

STOP_SECONDS = 30.0  # after the grace; a stop that takes longer has hung, and says where


class _Stop:
    """Handler of signals that request the end.

    It sets an attribute: a `threading.Event` would lock up when the signal arrives while its waiter holds its lock.
    """

    requested = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.requested = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or Ctrl-C.

    Args:
      arguments: of the command line; None for those of this process.

    Returns:
      The exit code 2 for a mistake of the user. After serving the process ends with 0.
    """
    parsed = settings.parse(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # nothing has begun: the imports need not be completed
        signal.signal(number, lambda *_: os._exit(0))
    command_line.configure_logging()
    try:
        parsed = dataclasses.replace(parsed, models=ready_made.resolved(parsed.models))
        with captured_stderr():
            from tf_psgan_serving.server.grpc_server import Server
        stop = _Stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        server = Server(parsed)
    except ModuleNotFoundError as error:
        print(f"error: {error}; the server requires pip install 'tf_psgan[serving]'.", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    while not stop.requested:
        time.sleep(0.2)  # short: a signal that another thread receives does not interrupt it
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # standard error is closed
        faulthandler.dump_traceback_later(parsed.grace + STOP_SECONDS, exit=True)
    LOG.info("stopping; running requests have %g s", parsed.grace)
    server.stop(parsed.grace)
    LOG.info("stopped")
    logging.shutdown()
    os._exit(0)  # a thread may still be loading a version, which TensorFlow does not interrupt


@contextlib.contextmanager
def captured_stderr() -> Iterator[None]:
    """Captures what libraries write to standard error while they are imported; writes it only if the import fails."""
    try:
        sys.stderr.flush()
        original = os.dup(2)
        opened = tempfile.TemporaryFile()  # noqa: SIM115
    except (OSError, AttributeError):  # standard error is closed, or no folder for temporary files can be written
        yield
        return
    with opened as captured:
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
