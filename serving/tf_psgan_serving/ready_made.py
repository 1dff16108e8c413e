"""The models that come with the package tf_psgan, as a folder of SavedModels: exported once, then kept.

The export runs as another process: this package reads exported models and does not import tf_psgan. It goes on where
the server is stopped meanwhile, and the next start finds it.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tf_psgan_serving.command_line import LOG

NAME = "pretrained"
"""What is given in place of a folder of models."""

_PROCESSES = 2
"""Exports at a time, at most; each takes about 1.4 GB of memory."""

_LIST = """
import hashlib, pathlib
from tf_psgan import __version__, pretrained
digest = hashlib.sha256()
for name in pretrained.names():
    for file in sorted(pathlib.Path(pretrained.folder(name)).iterdir()):
        digest.update(file.read_bytes())
targets = [(name, part) for name in pretrained.names() for part in ("colour", *pretrained.maps(name))]
print(f"{__version__}-{digest.hexdigest()[:12]}", *(f"{name}:{part}" for name, part in targets))
"""
_EXPORT = "import sys; from tf_psgan.cli.main import main; sys.exit(main())"


def is_folder(models: Path) -> bool:
    """Whether `resolved` has a folder for it."""
    return models.is_dir() or str(models) == NAME


def resolved(models: Path) -> Path:
    """A folder of models as it is; for `NAME`, where no folder has that name, that of the ready-made ones.

    Raises:
      ValueError: tf_psgan is not installed, or a model cannot be exported.
    """
    return folder() if str(models) == NAME and not models.exists() else models


def folder() -> Path:
    """The folder of the ready-made models, in the user's cache. Exports those that are not there yet.

    Each map of a material is a model of its own, NAME_normal beside NAME.

    Raises:
      ValueError: as `resolved`.
    """
    listed = _run(_LIST)
    if "No module named 'tf_psgan'" in listed.stderr:
        raise ValueError(f"models: {NAME} needs the package tf_psgan; install it, or give a folder.")
    if listed.returncode:
        raise ValueError(f"models: {NAME} cannot be listed ({_reason(listed)})")
    identity, *targets = listed.stdout.split()
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tf_psgan" / identity
    except RuntimeError:
        raise ValueError(f"models: {NAME} needs a folder for what it exports; set XDG_CACHE_HOME.") from None

    def export(target: str) -> None:
        model, part = target.split(":")
        name = model if part == "colour" else f"{model}_{part}"
        if (cache / name / "1").is_dir():
            return
        LOG.info("exporting %s to %s, once", name, cache)
        flags = (f"--model={model}", f"--map={part}", f"--out={cache / name}", "--version=1")
        done = _run(_EXPORT, "export", *flags)
        if done.returncode and not (cache / name / "1").is_dir():  # unless another process was faster
            raise ValueError(f"models: {name} cannot be exported ({_reason(done)})")

    pool = ThreadPoolExecutor(min(_PROCESSES, os.cpu_count() or 1))
    try:
        list(pool.map(export, targets))
    finally:
        pool.shutdown(cancel_futures=True)
    return cache


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("error: ")[:300]


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, check=False)
