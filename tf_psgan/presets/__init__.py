"""Presets: the flag files of ready-made training jobs, and the photograph that the first of them learns.

An installed package carries them as `presets/flags/` and `presets/textures/`. In a checkout (and in an editable
install) they are the top-level folders `flags/` and `textures/`, the only copies in the repository.
"""

from pathlib import Path

from tf_psgan.errors import SettingError

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE if (_HERE / "flags").is_dir() else _HERE.parents[1]


def names() -> list[str]:
    """The presets' names, sorted."""
    return sorted(path.stem for path in (_ROOT / "flags").glob("*.cfg"))


def path(name: str) -> Path:
    """The flag file of a preset.

    Paths of pictures inside it (`textures/honeycomb.png`) are relative to the parent of `textures_folder()`.

    Raises:
      SettingError: no preset has this name.
    """
    if name not in names():
        raise SettingError("preset", f"{name!r} is unknown", allowed=f"use one of {', '.join(names())}", value=name)
    return _ROOT / "flags" / f"{name}.cfg"


def textures_folder() -> Path:
    """The folder of the pictures that come with the package; an installed package has `honeycomb.png` only."""
    return _ROOT / "textures"
