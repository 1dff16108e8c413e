"""What a file shows, as typed values: textures, window, tile, animation, texture inversion.

A specification is checked when it is made, without a model. What depends on a model (its cell size, its textures) is
checked by `composition.compose`.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tf_psgan.errors import SettingError
from tf_psgan.geometry import MAX_PIXEL
from tf_psgan.latents import texture_names
from tf_psgan.latents.arguments import Texture, int64, integer

MOST_BLOCKS = 1000
"""Rows, and columns, of a quilt or of a repeated tile at most."""


@dataclasses.dataclass(frozen=True)
class Window:
    """A rectangle of the plane, in pixels.

    Args:
      height, width: extent; None for the map's own extent in a painting, otherwise for 512.
      top, left: first row and first column on the plane.
    """

    height: int | None = None
    width: int | None = None
    top: int = 0
    left: int = 0

    def __post_init__(self) -> None:
        """Checks the values."""
        for name, value in (("height", self.height), ("width", self.width)):
            if value is not None:
                integer(name, value, 1, MAX_PIXEL)
        for name, value in (("top", self.top), ("left", self.left)):
            integer(name, value, -MAX_PIXEL, MAX_PIXEL)


@dataclasses.dataclass(frozen=True)
class Quilt:
    """A grid of blocks of equal size, each of one texture, with soft borders.

    Args:
      rows, cols: number of blocks.
      textures: of the blocks in reading order, repeated where there are more blocks; empty for the numbers `first`,
        `first` + 1, and so on.
      first: the first block's texture where `textures` is empty.
      border: pixels over which neighbouring textures blend.
    """

    rows: int
    cols: int
    textures: tuple[Texture, ...] = ()
    first: int = 0
    border: int = 48

    def __post_init__(self) -> None:
        """Checks the values."""
        _check_grid("quilt", (self.rows, self.cols))
        integer("border", self.border, 0, 65536)


@dataclasses.dataclass(frozen=True)
class Morph:
    """Textures at the knots of a grid over the window, blended bilinearly between them.

    Args:
      knots: rows of textures, all of one length: one row is a line, two rows of two are the four corners.
    """

    knots: tuple[tuple[Texture, ...], ...]

    def __post_init__(self) -> None:
        """Checks the values."""
        if len({len(row) for row in self.knots}) != 1 or sum(map(len, self.knots)) < 2:
            lengths = ", ".join(str(len(row)) for row in self.knots) or "no"
            raise _error("morph", f"rows of {lengths} textures", "give rows of one length, two textures or more")


@dataclasses.dataclass(frozen=True)
class Painting:
    """A picture whose colours name textures, stretched over the window.

    Args:
      map: the picture's file.
      palette: the texture of each colour of the map, the colour as 0xRRGGBB.
      border: pixels over which neighbouring textures blend.
    """

    map: Path
    palette: Mapping[int, Texture]
    border: int = 48

    def __post_init__(self) -> None:
        """Checks the values."""
        if not self.palette:
            raise _error("palette", "no colours", "give the texture of each colour of the map")
        for colour in self.palette:
            integer("palette", colour, 0, 0xFFFFFF)
        integer("border", self.border, 0, 65536)


Content = Texture | Quilt | Morph | Painting


@dataclasses.dataclass(frozen=True)
class Tile:
    """A seamless picture.

    Args:
      axes: x joins the left and the right edge, y the top and the bottom edge, xy both.
      repeat: rows and columns of a second picture that shows the tile repeated; None for no second picture.
      edges: colours of the top, right, bottom and left edge; tiles of any seed fit together where their edges' colours
        agree (Wang tiles). "all" for the 16 tiles of two colours an edge in one picture.
    """

    axes: Literal["x", "y", "xy"] = "xy"
    repeat: tuple[int, int] | None = None
    edges: tuple[int, int, int, int] | Literal["all"] | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.repeat is not None:
            _check_grid("repeat", self.repeat)
        if self.edges is not None and self.axes != "xy":
            raise _error("shared_edge", f"a tile along {self.axes} has no four edges", "", ("shared_edge", "tile"))


@dataclasses.dataclass(frozen=True)
class Drift:
    """The window moves over the plane.

    Args:
      offset: pixels down and right from the first frame to the one after the last; None for once around the tile.
    """

    offset: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.offset is not None and not any(self.offset):
            raise _error("drift", "0,0 does not move", "give pixels down and right, as in 0,512")


@dataclasses.dataclass(frozen=True)
class Walk:
    """The picture goes through textures in turn and back to the first."""

    textures: tuple[Texture, ...]

    def __post_init__(self) -> None:
        """Checks the values."""
        if len(self.textures) < 2:
            raise _error("textures", f"{len(self.textures)} are too few for a walk", "give two or more, as in 1,7,9")


@dataclasses.dataclass(frozen=True)
class Change:
    """The local noise changes and returns to its beginning.

    Args:
      amount: how far the noise goes; 1 is once through all values.
    """

    amount: float = 0.1

    def __post_init__(self) -> None:
        """Checks the values."""
        _check_range("amount", self.amount, 0.001, 1)


@dataclasses.dataclass(frozen=True)
class Animation:
    """A sequence of frames that repeats.

    Args:
      path: what changes from frame to frame.
      frames: number of frames.
      frames_per_second: speed.
    """

    path: Drift | Walk | Change
    frames: int = 48
    frames_per_second: float = 24.0

    def __post_init__(self) -> None:
        """Checks the values."""
        integer("frames", self.frames, 2, 100_000)
        _check_range("frames_per_second", self.frames_per_second, 0.1, 240)


@dataclasses.dataclass(frozen=True)
class Inversion:
    """Finds the texture most like a picture and stores it in the run.

    Args:
      picture: the picture's file.
      name: name of the stored texture; "" for that of the picture, with a number where another texture has it.
    """

    picture: Path
    name: str = ""

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.name and not texture_names.is_name(self.name):
            raise _error("name", f"{self.name!r} is not a name", texture_names.ALLOWED)


@dataclasses.dataclass(frozen=True)
class RenderSpec:
    """One picture, one raster of any extent, or one animation of a run's plane.

    Args:
      content: a texture, or several in a quilt, a morph or a painting.
      window: what part of the plane.
      seed: which plane; any int64.
      tile: None for a window of the endless plane.
      animation: None for a still picture.
      inversion: None, or a texture to find first; it replaces `content` where that is a single texture.

    Raises:
      SettingError: a value out of range, or parts that do not go together.
    """

    content: Content = 0
    window: Window = Window()
    seed: int = 0
    tile: Tile | None = None
    animation: Animation | None = None
    inversion: Inversion | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        int64("seed", self.seed)
        several = self.kind if self.kind != "texture" else ""
        if self.animation and self.animation.path == Drift() and not self.tile:
            allowed = "give pixels down and right, as in 0,512, or make a tile"
            raise _error("drift", "missing", allowed, ("drift", "tile"))
        if self.tile and self.kind == "morph":
            problem, allowed = "its opposite edges differ, so it is no tile", "leave one out, or use a painting"
            raise _error("morph", problem, allowed, ("morph", "tile"))
        if self.tile and self.tile.edges and (several or self.animation):
            other = several or "animate"
            raise _error(
                "shared_edge",
                f"such a tile is a still picture of one texture, not with {other}",
                "leave one out",
                ("shared_edge", other),
            )
        if self.animation and isinstance(self.animation.path, Walk) and several:
            problem = f"a walk shows one texture at a time, not with {several}"
            raise _error("animate", problem, "leave one out", ("animate", several))

    @property
    def kind(self) -> Literal["texture", "quilt", "morph", "paint"]:
        """What kind of content this is, named as its setting."""
        match self.content:
            case Quilt():
                return "quilt"
            case Morph():
                return "morph"
            case Painting():
                return "paint"
        return "texture"


def _check_grid(name: str, grid: tuple[int, int]) -> None:
    if not all(1 <= count <= MOST_BLOCKS for count in grid):
        problem = f"{grid[0]}x{grid[1]} is not rows x columns"
        raise _error(name, problem, f"write it as 3x4, each from 1 to {MOST_BLOCKS}")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise _error(name, f"{value} is outside {low} .. {high}", "choose a value inside")


def _error(name: str, problem: str, allowed: str, settings: tuple[str, ...] = ()) -> SettingError:
    return SettingError(name, problem, allowed, settings=settings or (name,))
