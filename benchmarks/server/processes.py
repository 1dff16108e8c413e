"""psgan-server as a process that can be stopped, killed and started again on the same port."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "tiny"
"""Of the model on the server: the one that `tests.support.malformed` asks for."""

HANG_SECONDS = 600.0
"""Only ends what hangs."""


class ServerProcess:
    """A server of a folder of models, as a context manager.

    Args:
      models: the folder.
      flags: of `psgan-server`.

    Attributes:
      address: host:port, the same after a new start.
    """

    def __init__(self, models: Path, *flags: str) -> None:
        self._models, self._flags, self._port = models, flags, 0
        self.start()

    def __enter__(self) -> "ServerProcess":
        """The server itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self.stop()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self._port

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def start(self) -> None:
        """Starts the process and waits until it is ready."""
        command = [sys.executable, "-m", "tf_psgan_serving.server", f"--models={self._models}"]
        command += [f"--port={self._port}", "--metrics_port=0", *self._flags]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "serving")}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        metrics = None
        for line in self._process.stderr:
            if found := re.search(r"metrics on 127\.0\.0\.1:(\d+)", line):
                metrics = int(found[1])
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                self._port = int(found[1])
                break
        else:
            raise RuntimeError(f"the server has exited with {self._process.wait()}")
        self._metrics = f"http://127.0.0.1:{metrics}"
        self.log: list[str] = []
        threading.Thread(target=self.log.extend, args=(self._process.stderr,), daemon=True).start()
        wait(lambda: self._get("/readyz")[0] == 200)

    def stop(self) -> float:
        """Stops it by SIGTERM; the seconds that this took."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(HANG_SECONDS)
        if code:
            raise RuntimeError(f"the server has exited with {code}: {self.log[-3:]}")
        return time.monotonic() - begin

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        self._process.kill()
        self._process.wait(HANG_SECONDS)

    def resident(self) -> float:
        """Resident memory in MB."""
        return megabytes(self.pid)

    def metric(self, line: str) -> float:
        """The value of a line of the metrics."""
        _, text = self._get("/metrics")
        return float(text.partition(f"\n{line} ")[2].split("\n")[0])

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._metrics + path, timeout=HANG_SECONDS) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""


def megabytes(process: int) -> float:
    """The resident memory of a process; 0 for one that has just ended."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int((status.partition("VmRSS:")[2].split() or ["0"])[0]) / 1024


def wait(condition: Callable[[], bool], every: float = 0.02) -> None:
    """Waits until a condition is true, which is looked at after every so many seconds.

    Raises:
      TimeoutError: it has not become true for `HANG_SECONDS`.
    """
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a condition never became true")
        time.sleep(every)


def publish(version: Path, models: Path, number: int) -> None:
    """Makes a version appear as a number of the model `NAME`, in place of one of this number.

    The files are hard links where the file system allows them.
    """
    folder = models / NAME
    folder.mkdir(exist_ok=True)
    partial, target = folder / f".{number}.partial", folder / str(number)
    shutil.copytree(version, partial, copy_function=_link)
    if target.exists():
        target.rename(old := folder / f".{number}.old")
        partial.rename(target)
        shutil.rmtree(old)
    else:
        partial.rename(target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
