"""Ready-made models on the Hugging Face Hub, through the package huggingface_hub where it is installed."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tf_psgan._version import __version__
from tf_psgan.errors import ExportError
from tf_psgan.runs.model_file import CARD, FILES

SCHEME = "hf://"
"""How addresses of repositories begin."""


def fetched(address: str) -> Path:
    """The folder into which a repository was fetched: files only, nothing of them is executed.

    Args:
      address: "hf://owner/name".

    Raises:
      ExportError: that is no name, the package is missing, or the hub has no such repository.
    """
    repository = _repository(address)
    with _errors(address, "cannot be fetched", "check the name and the connection") as package:
        return Path(package.snapshot_download(repository, allow_patterns=list(FILES)))


def upload(folder: Path, repository: str, private: bool) -> str:
    """Uploads a model's folder; its card becomes the repository's page, too.

    Args:
      folder: that `model_file.read` reads.
      repository: "owner/name", made where it is not there yet.
      private: whether a new one is visible to its owner only.

    Returns:
      The repository's address.

    Raises:
      ExportError: that is no name, the package is missing, or the hub refuses.
    """
    address = SCHEME + repository.removeprefix(SCHEME)
    name = _repository(address)
    there = [file for file in FILES if (folder / file).is_file()]
    targets = [(file, file) for file in there] + [(file, "README.md") for file in there if file == CARD]
    with _errors(address, "cannot be uploaded", "log in by `hf auth login`, and check the name") as package:
        api = package.HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        parts = [
            package.CommitOperationAdd(path_in_repo=target, path_or_fileobj=str(folder / file))
            for file, target in targets
        ]
        # One commit: whoever fetches meanwhile has all files of one model.
        api.create_commit(name, parts, commit_message=f"Model of tf_psgan {__version__}")
    return address


def _repository(address: str) -> str:
    """The owner/name of an address."""
    repository = address.removeprefix(SCHEME)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repository, re.ASCII):
        raise ExportError(address, "is no repository", f"give {SCHEME}OWNER/NAME", value=address, settings=("model",))
    return repository


@contextlib.contextmanager
def _errors(address: str, problem: str, remedy: str) -> Iterator[Any]:
    """The package huggingface_hub; its errors become ExportError."""
    try:
        import huggingface_hub
    except ImportError:
        missing, allowed = "needs the package huggingface_hub", "install it: pip install huggingface_hub"
        raise ExportError(address, missing, allowed, value=address, settings=("model",)) from None
    try:
        yield huggingface_hub
    except Exception as error:  # of huggingface_hub, of its HTTP client and of the system; their kinds change
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise ExportError(address, f"{problem} ({reason})", remedy, value=address, settings=("model",)) from None
