"""Standard error: log records as plain lines beside a progress bar, and TensorFlow's start-up messages filtered out."""

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

# Messages without use on a machine that works: information, and the search for a GPU where there is none.
NOISE = re.compile(
    r"^I\d{4} |absl::InitializeLog|oneDNN custom operations|cpu_feature_guard|To enable the following instructions"
    r"|cudart_stub|cuInit.*(\(303\)|CUDA_ERROR_NO_DEVICE|no CUDA-capable)|^\s*$"
)


class Stderr:
    """`sys.stderr` at the time of each call. What cannot be written is dropped: a closed terminal ends no run."""

    def write(self, text: str) -> int:
        """Writes if possible; the number of characters given."""
        with contextlib.suppress(OSError, ValueError, AttributeError):  # None, where a program has no console
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes if possible."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether standard error is a terminal."""
        try:
            return sys.stderr.isatty()
        except (ValueError, AttributeError):
            return False

    def __getattr__(self, name: str) -> Any:
        """Everything else of the stream: its encoding and its descriptor."""
        return getattr(sys.stderr, name)


STREAM = Stderr()
"""Progress bars and log lines share it, so that a line does not cut a bar."""


def open_standard_streams() -> None:
    """Opens the null device in place of standard streams that are closed.

    Otherwise the next file that is opened would be number 2, and TensorFlow's messages would be written into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


class LineHandler(logging.Handler):
    """Writes each log record as one line, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record."""
        try:
            tqdm.write(self.format(record), file=STREAM)
            STREAM.flush()
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def logged_to_stderr(level: int = logging.INFO) -> Iterator[None]:
    """Writes the log records of the package to standard error. Only a command line does this, never the library."""
    logger, handler = logging.getLogger("tf_psgan"), LineHandler()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.level, logger.propagate = before
        logger.removeHandler(handler)


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
    """Import TensorFlow inside: its output to standard error is held back, and all but `NOISE` is written at the end.

    Its libraries write to the file descriptor themselves, before any setting is read, so the descriptor is redirected.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    STREAM.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to filter
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules:  # looks for a GPU now, while the output is held
                sys.modules["tensorflow"].config.list_physical_devices()
            # Every preview makes a plane of its own, which TensorFlow would report as a graph traced too often.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        finally:
            STREAM.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                if not NOISE.search(line):
                    STREAM.write(f"{line}\n")
            STREAM.flush()
