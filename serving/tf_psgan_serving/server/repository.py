"""The models of a folder by their names. A thread polls the folder for new models and new versions."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import grpc

from tf_psgan_serving.server.model import Model, version_folders
from tf_psgan_serving.server.status import StatusError, quoted
from tf_psgan_serving.server.version import Version

LOG = logging.getLogger("tf_psgan_serving")


class ModelRepository:
    """All models of a folder, polled by a thread between `start` and `close`.

    Args:
      folder: of models, or of one model's versions.
      load: loads a version from its folder, or raises.
      poll: seconds between two scans.
      on_scan: called after every scan with each model's name and whether a version of it is loaded.
    """

    def __init__(
        self, folder: Path, load: Callable[[Path], Version], poll: float, on_scan: Callable[[str, bool], None]
    ) -> None:
        self._folder, self._load, self._poll, self._on_scan = folder, load, poll, on_scan
        self._models: dict[str, Model] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll_folder, name="models", daemon=True)

    def start(self) -> None:
        """Loads the present models, then starts polling."""
        self._scan(require_unchanged=False)
        self._thread.start()

    def get(self, name: str) -> Model:
        """A model by its name.

        Raises:
          StatusError: NOT_FOUND, no model has this name.
        """
        if (model := self._models.get(name)) is None:
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"{quoted(name)}: unknown model.")
        return model

    def close(self) -> None:
        """Stops polling and unloads all models."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        for model in self._models.values():
            model.close()

    def _poll_folder(self) -> None:
        while not self._stopped.wait(self._poll):
            self._scan(require_unchanged=True)

    def _scan(self, require_unchanged: bool) -> None:
        for name, folder in model_folders(self._folder).items():
            if name not in self._models:
                self._models = {**self._models, name: Model(name, folder, self._load, self._poll)}
        for name, model in self._models.items():
            if self._stopped.is_set():
                return
            try:
                model.scan(require_unchanged)
                self._on_scan(name, bool(model.number))
            except Exception as error:  # polling continues whatever the file system does
                LOG.error("%s: the scan failed: %s", name, " ".join(str(error).split())[:500])


def model_folders(folder: Path) -> dict[str, Path]:
    """Folders of models by the models' names: `folder` itself if it holds versions, otherwise such subfolders."""
    if version_folders(folder):
        return {folder.resolve().name: folder}
    try:
        children = sorted(folder.iterdir())
    except OSError:
        children = []
    return {path.name: path for path in children if not path.name.startswith(".") and version_folders(path)}
