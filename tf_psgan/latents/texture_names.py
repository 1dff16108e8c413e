"""Names of stored textures: letters of any script, digits, `_`, `.` and `-`; never a number, always a file name."""

import itertools
import unicodedata
from collections.abc import Container, Iterator, Sequence
from pathlib import PurePath

LONGEST, LONGEST_BYTES = 64, 200
"""Characters of a name, and its bytes as UTF-8, at most; file systems allow 255 with the suffix."""

ALLOWED = (
    f"start with a letter or _, continue with letters, digits, _, . or -, {LONGEST} characters and {LONGEST_BYTES} "
    "bytes at most"
)
"""The rule in words."""

_NUMBER = 4  # characters that are left for a number


def normal(text: str) -> str:
    """The one spelling of a name whose letters can be written in several ways (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


def is_name(text: str) -> bool:
    """Whether a text in its normal spelling is a name."""
    return (
        0 < len(text) <= LONGEST
        and all(map(_is_part, text))
        and _is_first(text[0])
        and len(text.encode()) <= LONGEST_BYTES
    )


def of_path(path: str | PurePath) -> str:
    """The name of a picture: its file name without suffix, `_` for what names do not have."""
    parts = itertools.groupby(normal(PurePath(path).stem), key=_is_part)
    name = "".join("".join(found) if allowed else "_" for allowed, found in parts) or "_"
    name = (name if _is_first(name[0]) else f"_{name}")[: LONGEST - _NUMBER]
    return name.encode()[: LONGEST_BYTES - _NUMBER].decode(errors="ignore")


def free(name: str, taken: Container[str]) -> str:
    """The name, or the first of `name_2`, `name_3` and so on that is not taken."""
    return next(each for each in _numbered(name) if each not in taken)


def of_paths(paths: Sequence[str]) -> list[str]:
    """The names of pictures, all distinct."""
    found: list[str] = []
    for path in paths:
        found.append(free(of_path(path), found))
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


def _is_first(character: str) -> bool:
    return character == "_" or unicodedata.category(character).startswith("L")


def _is_part(character: str) -> bool:
    # Letters, the marks that belong to them in many scripts, and digits.
    return character in "_.-" or unicodedata.category(character)[0] in "LMN"
