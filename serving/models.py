"""The models of a folder, by their names, watched for new versions and new models."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import grpc

from serving.refusals import Refusal, shown
from serving.rollout import Model, versions
from serving.versions import Version

LOG = logging.getLogger("serving")


class Models:
    """All models of a folder, watched by a thread of its own between `start` and `close`.

    Args:
      folder: of models, or of one model.
      load: makes a version from its folder, or raises.
      poll: seconds between two looks.
      changed: called with each model's name and whether it is served, after every look.
    """

    def __init__(
        self, folder: Path, load: Callable[[Path], Version], poll: float, changed: Callable[[str, bool], None]
    ) -> None:
        self._folder, self._load, self._poll, self._changed = folder, load, poll, changed
        self._models: dict[str, Model] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="models", daemon=True)

    def start(self) -> None:
        """Loads what is there, then goes on looking."""
        self._look(settle=False)
        self._thread.start()

    def get(self, name: str) -> Model:
        """A model; Refusal NOT_FOUND where there is none of that name."""
        if (model := self._models.get(name)) is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"{shown(name)}: no such model is served here.")
        return model

    def close(self) -> None:
        """Stops looking and takes all models out of service."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        for model in self._models.values():
            model.close()

    def _watch(self) -> None:
        while not self._stopped.wait(self._poll):
            self._look(settle=True)

    def _look(self, settle: bool) -> None:
        for name, folder in find(self._folder).items():
            if name not in self._models:
                self._models = {**self._models, name: Model(name, folder, self._load, self._poll)}
        for name, model in self._models.items():
            if self._stopped.is_set():
                return
            try:
                model.look(settle)
                self._changed(name, bool(model.number))
            except Exception as error:  # the watch goes on whatever the disk does
                LOG.error("%s: cannot be watched: %s", name, " ".join(str(error).split())[:500])


def find(folder: Path) -> dict[str, Path]:
    """The models of a folder by their names: itself where it holds versions, otherwise its folders that do."""
    if versions(folder):
        return {folder.resolve().name: folder}
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        inside = []
    return {path.name: path for path in inside if not path.name.startswith(".") and versions(path)}
