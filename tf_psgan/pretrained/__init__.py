"""The models that come with the package, each a folder here (`runs.model_file`), trained by the preset of its name."""

import dataclasses
import json
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A ready-made model, where otherwise a run's folder is given.

    Args:
      name: as for `tf_psgan.from_pretrained`.
    """

    name: str


_HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """The models' names, sorted."""
    return sorted(path.parent.name for path in _HERE.glob("*/description.json"))


def maps(name: str) -> list[str]:
    """The maps of the model of that name (`tf_psgan.material`)."""
    description = json.loads((folder(name) / "description.json").read_text(encoding="utf-8"))
    return list(description["model"].get("maps", ()))


def folder(name: str) -> Path:
    """The folder of the model of that name."""
    return _HERE / name
