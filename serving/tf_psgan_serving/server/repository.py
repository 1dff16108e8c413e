"""The models of a folder by their names. A thread looks for new models, and one for each model for its versions.

The threads cannot end because of an entry that cannot be read: it is logged once, and the others are scanned. Models
load side by side, as many at a time as there are cores.
"""

import contextlib
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from tf_psgan_serving.server import memory
from tf_psgan_serving.server.model import Model, version_folders
from tf_psgan_serving.server.status import StatusError, quoted
from tf_psgan_serving.server.version import Version

LOG = logging.getLogger("tf_psgan_serving")


class ModelRepository:
    """All models of a folder, scanned by threads between `start` and `close`.

    Args:
      folder: of models, or of one model's versions.
      load: loads a version from its folder, or raises.
      poll: seconds between two scans.
      on_scan: called after every scan with each model's name and whether a version of it is loaded.
    """

    def __init__(
        self, folder: Path, load: Callable[[Path], Version], poll: float, on_scan: Callable[[str, bool], None]
    ) -> None:
        self._folder, self._poll, self._on_scan = folder, poll, on_scan
        self._models: dict[str, Model] = {}
        self._reported: set[str] = set()
        self._slots = threading.Semaphore(os.cpu_count() or 1)
        self._stopped = threading.Event()
        self._first = threading.Event()  # the first look at the folder is over
        self._scanned: set[str] = set()  # models whose first scan is over
        self._beat = time.monotonic()

        def loaded(path: Path) -> Version:
            with self._slots:
                if self._stopped.is_set():
                    raise RuntimeError("the server is stopping")
                return load(path)

        self._load = loaded

    def start(self) -> None:
        """Starts the threads; `loading` is true until each model has been scanned once."""
        self._spawn(self._poll_folder, "models")

    @property
    def models(self) -> dict[str, Model]:
        """The known models by name."""
        return self._models

    @property
    def loading(self) -> bool:
        """Whether models that were present at the start are not scanned yet."""
        return not self._first.is_set() or not self._scanned.issuperset(self._models)

    @property
    def watch_age(self) -> float:
        """Seconds since the folder was last looked at."""
        return time.monotonic() - self._beat

    def get(self, name: str) -> Model:
        """A model by its name.

        Raises:
          StatusError: NOT_FOUND, no model has this name; UNAVAILABLE, the server is still looking.
        """
        model = self._models.get(name)
        if (model is None or not model.number) and self.loading:
            raise StatusError(grpc.StatusCode.UNAVAILABLE, "the server is loading its models; retry later.", 1000)
        if model is None:
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"{quoted(name)}: unknown model.")
        return model

    def close(self) -> None:
        """Ends the threads, without waiting for one that loads a version, and unloads all models."""
        self._stopped.set()
        for model in self._models.values():
            model.close()

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        threading.Thread(target=target, name=name, daemon=True).start()

    def _poll_folder(self) -> None:
        while not self._stopped.is_set():
            with self._logged("the folder of models"):
                for name, folder in self._model_folders().items():
                    if name not in self._models:
                        self._models = {**self._models, name: Model(name, folder, self._load, self._poll)}
                        poll = functools.partial(self._poll_model, self._models[name], self._first.is_set())
                        self._spawn(poll, f"model {name}")
            self._first.set()
            self._beat = time.monotonic()
            self._stopped.wait(self._poll)

    def _poll_model(self, model: Model, require_unchanged: bool) -> None:
        while not self._stopped.is_set():
            with self._logged(model.name):
                model.scan(require_unchanged)
                self._on_scan(model.name, bool(model.number))
            if model.released:
                model.released = False
                memory.release()
            self._scanned.add(model.name)
            require_unchanged = True
            self._stopped.wait(self._poll)

    @contextlib.contextmanager
    def _logged(self, subject: str) -> Iterator[None]:
        """Logs an exception of the block, each text once, and goes on."""
        try:
            yield
        except Exception as error:
            self._report(subject, f"{type(error).__name__}: {error}")

    def _report(self, subject: str, text: str) -> None:
        line = f"{subject}: cannot be scanned: {' '.join(text.split())[:500]}"
        if line not in self._reported and len(self._reported) < 1000:
            self._reported.add(line)
            LOG.error("%s", line)

    def _model_folders(self) -> dict[str, Path]:
        """Folders of models by name: the folder itself if it holds versions, otherwise such subfolders."""
        if version_folders(self._folder):
            return {self._folder.resolve().name: self._folder}
        found = {}
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith("."):
                continue
            if not path.name.isprintable():
                self._report(ascii(path.name), "the name has characters that cannot be printed; rename it")
                continue
            with self._logged(path.name):
                if version_folders(path):
                    found[path.name] = path
        return found
