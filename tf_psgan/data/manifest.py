"""The pictures of a run: a scan of files and folders, with size, hash and, if it cannot be used, the reason for each.

A picture that cannot be used stays in the manifest and is skipped; too many of them stop the run before it trains. The
digest of the contents tells a resumed run whether the pictures are still the same.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tf_psgan import material
from tf_psgan.data import images, picture_formats
from tf_psgan.errors import PictureError
from tf_psgan.runtime import files

_WORKERS = min(4, os.cpu_count() or 1)
MOST_UNEQUAL = 16
"""Difference of channels, of 255, up to which a map counts as grey; JPEG makes small ones."""

_RESTORE = "restore it or start a new run"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file.

    Args:
      path: as it was found. Bytes that are not UTF-8 are escaped as surrogates (`os.fsdecode`), in JSON too.
      bytes: size on disk.
      sha256: of the content, hexadecimal.
      height, width: in pixels, 0 where unknown.
      reason: why it cannot be used; "" for a usable picture.
      maps_sha256: of the contents of its maps, one digest for all; "" without maps.
    """

    path: str
    bytes: int = 0
    sha256: str = ""
    height: int = 0
    width: int = 0
    reason: str = ""
    maps_sha256: str = ""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The files of a scan, in order."""

    entries: tuple[Entry, ...]

    @property
    def usable(self) -> tuple[Entry, ...]:
        """The pictures to learn from."""
        return tuple(entry for entry in self.entries if not entry.reason)

    @property
    def skipped(self) -> tuple[Entry, ...]:
        """The pictures that cannot be used."""
        return tuple(entry for entry in self.entries if entry.reason)

    @property
    def digest(self) -> str:
        """SHA-256 over the contents of the usable pictures and their maps, in order; their paths do not count."""
        contents = "\n".join(entry.sha256 + entry.maps_sha256 for entry in self.usable)
        return hashlib.sha256(contents.encode()).hexdigest()


def scan(
    sources: Sequence[str], setting: str = "images", limit: int | None = None, maps: Sequence[str] = ()
) -> Manifest:
    """Decodes every picture once.

    Args:
      sources: files, whatever their names, and folders, with ~ for the user's home. A folder is searched for pictures
        by suffix and by first bytes, sorted, with subfolders and links, without hidden names; those of formats that are
        not read become entries with a reason. A file that is met twice counts once.
      setting: the setting that the sources come from, for errors.
      limit: decodes the first so many files only; None for all.
      maps: of a material, that each picture has beside it (`material.path`). A picture without one of them, or of
        another size than one, cannot be used; files that are maps of others are passed over.

    Raises:
      PictureError: a source does not exist or is not on this machine, or a folder cannot be read.
    """
    paths: dict[str, str] = {}
    seen: set[str] = set()
    for given in sources:
        source = _existing(given, setting)
        for path in _walk(source, seen, setting) if os.path.isdir(source) else [source]:
            if not (maps and material.is_map(path)):
                paths.setdefault(os.path.realpath(path), path)
    with ThreadPoolExecutor(_WORKERS) as pool:
        inspect = functools.partial(_inspect, maps=maps)
        return Manifest(tuple(pool.map(inspect, itertools.islice(paths.values(), limit))))


def check(manifest: Manifest, crop_pixels: int) -> Manifest:
    """The manifest with pictures smaller than a crop marked as unusable; may be repeated for another crop.

    Args:
      manifest: a scan.
      crop_pixels: side of a crop, at the pictures' own scale.

    Raises:
      PictureError: no usable picture, or more than one in ten that is not.
    """
    checked = Manifest(tuple(_check(entry, crop_pixels) for entry in manifest.entries))
    total, bad = len(checked.entries), checked.skipped
    if not total:
        allowed = f"name files, or folders with {', '.join(picture_formats.SUFFIXES)}"
        raise PictureError("images", "no pictures found", allowed, settings=("images",))
    if len(bad) == total or len(bad) * 10 > total:
        problem = f"{len(bad)} of {total} pictures cannot be used (at most one in ten may be skipped)"
        reasons = tuple(entry.reason for entry in bad)
        raise PictureError("images", problem, "repair or remove them", settings=("images",), details=reasons)
    return checked


def read(entry: Entry, maps: Sequence[str] = ()) -> np.ndarray:
    """The pixels of a picture, uint8 [height, width, 3], with the channels of its maps behind them.

    Args:
      entry: of a scan.
      maps: those of the scan, or none, for the colours alone.

    Raises:
      PictureError: a file is gone, or has changed since the scan.
    """
    data = _bytes(entry.path)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise PictureError(entry.path, "changed since the scan", _RESTORE)
    picture = images.decode(data, name=entry.path)
    if not maps:
        return picture
    paths = [str(material.path(entry.path, name)) for name in maps]
    contents = [_bytes(path) for path in paths]
    if _digest_of_all(contents) != entry.maps_sha256:
        raise PictureError(entry.path, f"its maps changed since the scan ({', '.join(maps)})", _RESTORE)
    parts = [
        images.decode(content, managed=False, transparent=False, name=path)[..., : material.MAPS[name]]
        for name, path, content in zip(maps, paths, contents, strict=True)
    ]
    return np.concatenate([picture, *parts], axis=-1)


def difference(old: Manifest, new: Manifest) -> str:
    """The first usable picture in which two manifests differ, and how; '' when equal."""
    if old.digest == new.digest:
        return ""
    now = {entry.path: entry for entry in new.usable}
    before = {entry.path for entry in old.usable}
    for entry in old.usable:
        if entry.path not in now:
            return f"{entry.path}: no longer among the pictures"
        if entry.sha256 != now[entry.path].sha256:
            return f"{entry.path}: another picture than before"
        if entry.maps_sha256 != now[entry.path].maps_sha256:
            return f"{entry.path}: its maps are others than before"
    for path in now:
        if path not in before:
            return f"{path}: not among the pictures before"
    return f"{new.usable[0].path}: the pictures come in another order"


def to_json(manifest: Manifest) -> str:
    """A manifest as indented JSON; `from_json` is its inverse."""
    return json.dumps({"pictures": [dataclasses.asdict(entry) for entry in manifest.entries]}, indent=1) + "\n"


def from_json(text: str) -> Manifest:
    """Reads what `to_json` wrote.

    Raises:
      PictureError: it is anything else.
    """
    try:
        entries = tuple(Entry(**values) for values in json.loads(text)["pictures"])
        if any(type(getattr(e, f.name)) is not f.type for e in entries for f in dataclasses.fields(e)):
            raise TypeError("a value has the wrong type")
    except (ValueError, TypeError, KeyError) as error:
        raise PictureError("not a list of pictures", str(error), _RESTORE) from None
    return Manifest(entries)


def _existing(source: str, setting: str) -> str:
    """The path of a source, with ~ expanded unless a file is called so."""
    if files.scheme(source):
        problem, allowed = "is not a path of this machine", "copy it to this machine"
    elif "\0" in source:
        problem, allowed = "holds a zero byte", "correct the path"
    elif os.path.exists(source) or os.path.exists(os.path.expanduser(source)):
        return source if os.path.exists(source) else os.path.expanduser(source)
    else:
        problem = "no such file or folder"
        allowed = "name the folder instead of a pattern" if "*" in source else "correct the path"
    raise PictureError(repr(source), problem, allowed, value=source, settings=(setting,))


def _walk(folder: str, seen: set[str], setting: str) -> Iterator[str]:
    """The picture files below a folder; `seen` are the real folders already visited, so that loops of links end."""

    def fail(error: OSError) -> None:
        problem = f"cannot be read ({error.strerror})"
        raise PictureError(str(error.filename), problem, "correct its permissions", settings=(setting,))

    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        for name in () if real in seen else sorted(names):
            if not name.startswith(".") and picture_formats.is_picture(path := os.path.join(parent, name)):
                yield path
        seen.add(real)


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(path, f"gone since the scan ({error.strerror})", _RESTORE) from None


def _digest_of_all(contents: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def _inspect(path: str, maps: Sequence[str] = ()) -> Entry:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
            return Entry(path, reason=f"{path}: not a regular file.")
        with open(path, "rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return Entry(path, reason=f"{path}: cannot be read ({error.strerror}).")
    try:
        height, width, _ = images.decode(Path(path)).shape
    except (ValueError, OSError) as error:
        return Entry(path, status.st_size, sha256, reason=" ".join(str(error).split()))
    if not maps:
        return Entry(path, status.st_size, sha256, height, width)
    try:
        maps_sha256 = _inspect_maps(path, maps, (height, width))
    except (ValueError, OSError) as error:
        return Entry(path, status.st_size, sha256, reason=" ".join(str(error).split()))
    return Entry(path, status.st_size, sha256, height, width, maps_sha256=maps_sha256)


def _inspect_maps(path: str, maps: Sequence[str], extent: tuple[int, int]) -> str:
    """The digest of a picture's maps.

    Raises:
      PictureError: one is missing, cannot be decoded, or has another size than the picture.
    """
    contents = []
    for name in maps:
        file = material.path(path, name)
        try:
            if file.exists() and not file.is_file():  # opening a pipe would block
                raise PictureError(str(file), "not a regular file", "put the map itself beside its picture")
            contents.append(file.read_bytes())
        except OSError as error:
            problem = f"its {name} map {file.name} cannot be read ({error.strerror})"
            raise PictureError(path, problem, f"put it beside the picture, or leave {name} out of maps") from None
        decoded = images.decode(contents[-1], managed=False, transparent=False, name=str(file))
        if decoded.shape[:2] != extent:
            problem = f"{decoded.shape[0]}x{decoded.shape[1]} pixels, but its picture has {extent[0]}x{extent[1]}"
            raise PictureError(str(file), problem, "scale it to the size of the picture")
        if material.MAPS[name] == 1 and np.ptp(decoded.astype(np.int16), axis=-1).max() > MOST_UNEQUAL:
            problem = f"its channels differ, and a {name} map has one"
            raise PictureError(str(file), problem, "save the channel that is meant as a grey picture")
    return _digest_of_all(contents)


def _check(entry: Entry, crop_pixels: int) -> Entry:
    if not entry.height:
        return entry  # damaged
    reason = ""
    if min(entry.height, entry.width) < crop_pixels:
        reason = (
            f"{entry.path}: {entry.height}x{entry.width} pixels, but a crop needs {crop_pixels}; "
            "remove or enlarge the picture, or choose smaller crops (crop_cells, downsampling)."
        )
    return dataclasses.replace(entry, reason=reason)
