"""The values that a request may contain, declared once: their bounds are checked and described from here."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tf_psgan_serving.viewer.problems import Problem

TILE = 256
"""Side of a map tile in pixels."""

LEAST_ZOOM = -3
"""The farthest zoom: a pixel is the mean of 8 x 8 pixels of the plane."""

MOST_SIDE = TILE << -LEAST_ZOOM
"""Largest height and width of a picture in pixels, which is also what the farthest map tile covers."""

MAX_PIXEL = 2**40
"""Largest distance from the origin in pixels, as in the models."""

_INT64 = (-(2**63), 2**63 - 1)


@dataclasses.dataclass(frozen=True)
class Integer:
    """An integer of an address.

    Attributes:
      name: of the parameter.
      text: its meaning.
      low, high: its bounds.
      default: where it is left out; None if it may not be.
    """

    name: str
    text: str
    low: int
    high: int
    default: int | None = None

    def parse(self, text: str) -> int:
        """The value.

        Raises:
          Problem: 400, it is not an integer within the bounds.
        """
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", text):
            raise Problem(400, f"{self.name}: {text[:40]!r} is not an integer; write one as in 12 or -7.")
        if not self.low <= int(text) <= self.high:
            raise Problem(400, f"{self.name}: {int(text)} is outside {self.low} .. {self.high}; choose a value inside.")
        return int(text)

    def schema(self) -> dict[str, Any]:
        """For OpenAPI."""
        schema = {"type": "integer", "format": "int64", "minimum": self.low, "maximum": self.high}
        return schema | ({} if self.default is None else {"default": self.default})


@dataclasses.dataclass(frozen=True)
class Text:
    """A text of an address that matches a pattern; the whole of it.

    Attributes:
      name, text: as of `Integer`.
      pattern: regular expression, the same in Python and in ECMAScript.
      example: that matches.
      default: as of `Integer`.
    """

    name: str
    text: str
    pattern: str
    example: str
    default: str | None = None

    def parse(self, text: str) -> str:
        """The value.

        Raises:
          Problem: 400, it does not match.
        """
        if not re.fullmatch(self.pattern, text):
            raise Problem(400, f"{self.name}: {text[:40]!r} is not {self.text}; write it as in {self.example}.")
        return text

    def schema(self) -> dict[str, Any]:
        """For OpenAPI."""
        schema = {"type": "string", "pattern": f"^{self.pattern}$", "example": self.example}
        return schema | ({} if self.default is None else {"default": self.default})


Parameter = Integer | Text

VERSION = Integer("version", "version of the model", 1, 2**63 - 1)
TEXTURE = Integer(
    "texture", "one of the model's textures; a model of one texture shows it for every number", *_INT64, 0
)
SEED = Integer("seed", "selects the plane", *_INT64, 0)
ZOOM = Integer("z", "0 for the plane's own pixels; each step below halves them", LEAST_ZOOM, 0)
COLUMN, ROW = (
    Integer(name, f"number of the map tile {way} from the plane's origin", -(MAX_PIXEL // TILE), MAX_PIXEL // TILE - 1)
    for name, way in (("x", "to the right"), ("y", "downwards"))
)
TOP, LEFT = (
    Integer(name, f"first {what} of the picture on the plane", -MAX_PIXEL, MAX_PIXEL, 0)
    for name, what in (("top", "row"), ("left", "column"))
)
HEIGHT, WIDTH = (Integer(name, "of the picture in pixels", 1, MOST_SIDE, 512) for name in ("height", "width"))
TEXTURES = Text(
    "textures",
    "four textures, at the top left, top right, bottom left and bottom right",
    r"[+-]?[0-9]{1,20}(,[+-]?[0-9]{1,20}){3}",
    "1,7,9,30",
)
EXTENT_HEIGHT, EXTENT_WIDTH = (
    Integer(name, "of the whole morph in pixels, from the plane's origin on", 1, MAX_PIXEL)
    for name in ("extent_height", "extent_width")
)
IDENTITY = Text(
    "identity", "the identity of a version's content, which must be this one", "[0-9a-f]{0,64}", "0f3a" * 16, ""
)


def textures(text: str) -> tuple[int, ...]:
    """The numbers in a value of `TEXTURES`."""
    return tuple(TEXTURE.parse(number) for number in TEXTURES.parse(text).split(","))


def parse(given: Sequence[tuple[str, str]], declared: Sequence[Parameter]) -> dict[str, Any]:
    """The values of parameters by name, with the defaults of those that are left out.

    Args:
      given: names and values.
      declared: the parameters that there are.

    Raises:
      Problem: 400, a parameter is unknown, given twice, missing, or its value is wrong.
    """
    known: Mapping[str, Parameter] = {parameter.name: parameter for parameter in declared}
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            raise Problem(400, f"{name[:40]!r} is not a parameter here; there are {', '.join(known)}.")
        if name in values:
            raise Problem(400, f"{name}: given twice; give it once.")
        values[name] = known[name].parse(text)
    for name, parameter in known.items():
        if name not in values and parameter.default is None:
            raise Problem(400, f"{name}: missing; give {parameter.text}.")
        values.setdefault(name, parameter.default)
    return values
