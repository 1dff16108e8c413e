"""The exported page on a plain file server, and the page of `psgan-viewer` over a server of its own, as processes."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.server.processes import ROOT, ServerProcess, megabytes

SIZE = {"width": 1280, "height": 800}
"""Of the browser's window in pixels."""

IDLE = """() => window.app?.layer && !app.pool.waiting && !app.pool.busy && !app.layer._loading &&
  [...app.layer._drawn.values()].every(({ coords, done }) => coords.z !== app.layer._tileZoom || !done)"""
"""In JavaScript: whether every visible tile shows the present state."""

HANG_MS = 600_000
"""Ends what hangs."""


@contextlib.contextmanager
def static(folder: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """The address of an exported page, and the process of its server by name."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind=127.0.0.1", f"--directory={folder}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r"port (\d+)", process.stdout.readline())
            if not found:
                raise RuntimeError("the file server does not say its port")
            yield f"http://127.0.0.1:{found[1]}/", {"file server": process.pid}
        finally:
            process.terminate()


@contextlib.contextmanager
def viewer(models: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """The address of a viewer's page, and the processes of the viewer and of its server by name."""
    with ServerProcess(models) as server:
        command = [sys.executable, "-m", "tf_psgan_serving.viewer", "--port=0", f"--server={server.address}"]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "serving")}
        with (
            tempfile.NamedTemporaryFile("r") as log,
            open(log.name, "w") as written,
            subprocess.Popen(command, cwd=ROOT, env=environment, stderr=written, text=True) as process,
        ):
            try:
                found = None
                while not found:
                    if process.poll() is not None:
                        raise RuntimeError(f"the viewer has exited with {process.returncode}")
                    time.sleep(0.05)
                    found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", Path(log.name).read_text())
                yield f"{found[1]}/", {"viewer": process.pid, "server": server.pid}
            finally:
                process.terminate()


def browser_megabytes() -> float:
    """The resident memory of all processes of Chromium on this machine."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if "chrom" in (folder / "comm").read_text():
                total += megabytes(int(folder.name))
    return total


def ready(tab: Any) -> None:
    """Waits until every visible tile shows the present state."""
    tab.wait_for_function(IDLE, timeout=HANG_MS, polling=20)
