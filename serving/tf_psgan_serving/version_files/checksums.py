"""SHA-256 of a version's files, in the format of the program `sha256sum`.

    cd models/honeycomb/1 && sha256sum --check assets.extra/SHA256SUMS

An exported model carries the file `assets.extra/SHA256SUMS`. Every program of this project compares it with the files
before it loads them, because TensorFlow itself does not notice a changed bit in `saved_model.pb`.
"""

import hashlib
import os
import re
from pathlib import Path

from tf_psgan_serving.version_files.errors import VersionError

FILE = Path("assets.extra") / "SHA256SUMS"
MAX_BYTES = 2**20
"""Largest file of checksums that is read: some ten thousand lines."""

UNLISTED = (".md", ".jpg")
"""Suffixes of files for people, which have no checksum: a model card may be edited."""

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def write(folder: Path) -> None:
    """Writes the checksums of all files in a version's folder, after which they must not change.

    Raises:
      OSError: a file cannot be read, or the checksums cannot be written.
    """
    lines = [f"{digest}  {name}\n" for name, digest in _digests(folder, _names(folder)).items()]
    (folder / FILE).parent.mkdir(exist_ok=True)
    (folder / FILE).write_text("".join(lines), encoding="utf-8", newline="\n")


def check(folder: Path) -> str:
    """Compares a version's files with the checksums beside them; without such a file, as in exports of other programs,
    nothing is compared.

    Returns:
      The SHA-256 over the names and checksums of the files, 64 hexadecimal digits: the identity of a version whose
      description has none.

    Raises:
      VersionError: a file is missing or has another content, or the checksums are damaged.
      OSError: a file cannot be read.
    """
    listed = _listed(folder) if (folder / FILE).exists() else {}
    found = _digests(folder, sorted(listed) or _names(folder))
    if wrong := [name for name in listed if found[name] != listed[name]]:
        text = f"{wrong[0]}: the content differs from its SHA-256 in {FILE.as_posix()}"
        raise VersionError(f"{text}; copy or export the version again.")
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in found.items()).encode()).hexdigest()


def _listed(folder: Path) -> dict[str, str]:
    """The checksums by name, relative names inside the folder only."""
    name = FILE.as_posix()
    if (folder / FILE).stat().st_size > MAX_BYTES:
        raise VersionError(f"{name}: more than {MAX_BYTES} bytes; copy or export the version again.")
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        lines = [""]
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        parts = Path(match[2]).parts if match else ("..",)
        if not match or ".." in parts or Path(match[2]).is_absolute():
            raise VersionError(f"{name}: line {number} is no checksum of a file; copy or export the version again.")
        listed[match[2]] = match[1]
    if "saved_model.pb" not in listed:
        raise VersionError(f"{name}: saved_model.pb is not listed; copy or export the version again.")
    return listed


def _names(folder: Path) -> list[str]:
    paths = (Path(parent, name).relative_to(folder) for parent, _, names in os.walk(folder) for name in names)
    return sorted(path.as_posix() for path in paths if path != FILE and path.suffix not in UNLISTED)


def _digests(folder: Path, names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            with open(folder / name, "rb") as stream:
                found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise VersionError(f"{name}: missing; copy or export the version again.") from None
    return found
