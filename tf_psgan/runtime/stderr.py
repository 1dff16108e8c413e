"""Keeps TensorFlow's start-up chatter off standard error, so that a user sees the program's own lines."""

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# Notes of no use on a machine that works: information, and the search for a GPU where there is none.
NOISE = re.compile(
    r"^I\d{4} |absl::InitializeLog|oneDNN custom operations|cpu_feature_guard|To enable the following instructions"
    r"|cudart_stub|cuInit.*(\(303\)|CUDA_ERROR_NO_DEVICE|no CUDA-capable)|^\s*$"
)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Import TensorFlow inside: what it writes to standard error is held back, and all but `NOISE` passed on after.

    Its libraries write there themselves, before any setting of theirs is read, so the file descriptor is turned aside.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules:  # looks for a GPU now, while it is quiet
                sys.modules["tensorflow"].config.list_physical_devices()
            # A plane a preview is meant; TensorFlow warns of a graph traced too often.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            heard.seek(0)
            for line in heard.read().decode(errors="replace").splitlines():
                if not NOISE.search(line):
                    print(line, file=sys.stderr, flush=True)
