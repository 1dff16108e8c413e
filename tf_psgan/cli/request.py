"""The flags that describe a picture, declared once, and their parsing into a `RenderSpec`.

This is the only place where a request's texts are read; below it all values are typed.
"""

import dataclasses
from collections.abc import Container
from pathlib import Path
from typing import Any

from tf_psgan.cli import texts
from tf_psgan.config import setting
from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_names
from tf_psgan.rendering.spec import (
    Animation,
    Change,
    Content,
    Drift,
    Inversion,
    Morph,
    Painting,
    Quilt,
    RenderSpec,
    Tile,
    Walk,
    Window,
)


@dataclasses.dataclass(frozen=True)
class Request:
    """One flag a field, as its text or number."""

    height: int = setting(0, "Height in pixels; 0 for 512, or for the height of the --paint map.", low=0)
    width: int = setting(0, "Width in pixels; 0 for 512, or for the width of the --paint map.", low=0)
    top: int = setting(Window.top, "First row of the window on the plane; any integer.")
    left: int = setting(Window.left, "First column of the window on the plane; any integer.")
    seed: int = setting(0, "Which plane: the same seed gives the same pixels; any 64-bit integer.")
    texture: str = setting("0", "Which texture of a model with many: any integer, or a stored name.")
    tile: str = setting(
        "",
        "Makes a seamless tile: x joins the left and the right edge, y the top and the bottom edge, xy both.",
        choices=("", "x", "y", "xy"),
    )
    repeat: str = setting(
        "", "With --tile: also writes a preview of the tile repeated, rows x columns, for example 2x3."
    )
    shared_edge: str = setting(
        "",
        "With --tile=xy: colours of the top, right, bottom and left edge, for example 0,1,1,0. Tiles of any --seed fit "
        "together where the colours of their edges agree. all: the 16 Wang tiles of two colours in one picture.",
    )
    quilt: str = setting("", "Blocks of textures, rows x columns, for example 3x4; --textures names them in turn.")
    morph: str = setting("", "Textures blended over the picture: 1,7,9,30 is a line, 1,7/9,30 gives the four corners.")
    paint: str = setting("", "A picture whose colours name textures through --palette.")
    palette: tuple[str, ...] = setting(
        (), "The textures of the colours of a --paint map, for example ff0000=3,0000ff=rust."
    )
    border: int = setting(Quilt.border, "Pixels over which the textures of --quilt and --paint blend.")
    textures: tuple[str, ...] = setting((), "Textures of a --quilt or of --animate=walk, for example 1,7,rust.")
    like: str = setting("", "A picture: finds the texture most like it, stores it as --name, and shows it.")
    name: str = setting(
        "", "Name of the texture that --like finds; otherwise that of the picture, numbered if another one has it."
    )
    animate: str = setting(
        "",
        "Makes an animation: drift over the plane, walk through --textures, or change of the local noise.",
        choices=("", "drift", "walk", "change"),
    )
    frames: int = setting(Animation.frames, "Frames of an animation.")
    frames_per_second: float = setting(Animation.frames_per_second, "Speed of an animation.")
    drift: tuple[int, ...] = setting(
        (), "Pixels down and right that a drift covers, for example 0,512; otherwise once around the --tile."
    )
    amount: float = setting(
        Change.amount, "How far --animate=change takes the local noise; 1 is once through all values."
    )


_SCENES = ("quilt", "morph", "paint")

_REQUIRED = {
    "repeat": ("--tile", lambda request: request.tile),
    "shared_edge": ("--tile=xy", lambda request: request.tile == "xy"),
    "palette": ("--paint", lambda request: request.paint),
    "textures": ("--quilt or --animate=walk", lambda request: request.quilt or request.animate == "walk"),
    "drift": ("--animate=drift", lambda request: request.animate == "drift"),
    "name": ("--like", lambda request: request.like),
    "border": ("--quilt or --paint", lambda request: request.quilt or request.paint),
    "frames": ("--animate", lambda request: request.animate),
    "frames_per_second": ("--animate", lambda request: request.animate),
    "amount": ("--animate=change", lambda request: request.animate == "change"),
}
"""What else a flag requires."""

_TEXTURE_IS_SET_BY = {
    "morph": lambda request: request.morph,
    "paint": lambda request: request.paint,
    "textures": lambda request: request.quilt and request.textures,
    "animate": lambda request: request.animate == "walk",
    "like": lambda request: request.like and not any(getattr(request, name) for name in _SCENES),
}
"""Flags beside which --texture says nothing."""


def parse(request: Request, given: Container[str] | None = None) -> RenderSpec:
    """The specification that the flags describe.

    Args:
      request: their values.
      given: which of them the user gave; None for those that differ from their defaults.

    Raises:
      SettingError: a text that cannot be read, a value out of range, or flags that do not go together.
    """
    if given is None:
        given = {field.name for field in dataclasses.fields(request) if getattr(request, field.name) != field.default}
    for name, (wanted, is_given) in _REQUIRED.items():
        if name in given and getattr(request, name) and not is_given(request):
            raise SettingError(name, f"{_text(getattr(request, name))} requires {wanted}", "add it, or leave this out")
    for name, is_given in _TEXTURE_IS_SET_BY.items():
        if "texture" in given and is_given(request):
            raise SettingError("texture", f"{request.texture} says nothing beside --{name}", "leave one out")
    return RenderSpec(
        content=_content(request),
        window=Window(request.height or None, request.width or None, request.top, request.left),
        seed=request.seed,
        tile=_tile(request),
        animation=_animation(request),
        inversion=_inversion(request),
    )


def check_without_file(given: Container[str]) -> None:
    """Raises SettingError for a flag that says nothing where a texture is found and no picture is made."""
    for field in dataclasses.fields(Request):
        if field.name in given and field.name not in ("like", "name", "seed"):
            raise SettingError(field.name, "says nothing without a picture to make", "give --out, or leave it out")


def _content(request: Request) -> Content:
    given = [name for name in ("quilt", "morph", "paint") if getattr(request, name)]
    if len(given) > 1:
        raise SettingError(f"{given[0]}, {given[1]}", "a picture is only one of them", "leave one out")
    if request.quilt:
        return _quilt(request)
    if request.morph:
        return Morph(texts.knots(request.morph))
    if request.paint:
        if not request.palette:
            wanted = "give the texture of each colour of the map, as in ff0000=3,0000ff=7"
            raise SettingError("palette", "missing", wanted)
        return Painting(Path(request.paint), texts.palette(request.palette), request.border)
    return texts.texture(request.texture)


def _quilt(request: Request) -> Quilt:
    rows, cols = texts.grid(request.quilt, "quilt")
    if request.textures:
        return Quilt(rows, cols, texts.textures(request.textures), 0, request.border)
    first = texts.texture(request.texture)
    if not isinstance(first, int):
        raise SettingError(
            "quilt", f"{first!r} is one texture only", "name those of the blocks by --textures, or give a number"
        )
    return Quilt(rows, cols, (), first, request.border)


def _tile(request: Request) -> Tile | None:
    axes: Any = request.tile
    if not axes:
        return None
    edges: Any = request.shared_edge.strip() or None
    if edges not in (None, "all"):
        edges = texts.edges(edges)
    return Tile(axes, texts.grid(request.repeat, "repeat") if request.repeat else None, edges)


def _animation(request: Request) -> Animation | None:
    match request.animate:
        case "drift":
            if request.drift and len(request.drift) != 2:
                wanted = "give pixels down and right, as in 0,512"
                raise SettingError("drift", f"{_text(request.drift)} is not two numbers", wanted)
            path: Drift | Walk | Change = Drift((request.drift[0], request.drift[1]) if request.drift else None)
        case "walk":
            path = Walk(texts.textures(request.textures))
        case "change":
            path = Change(request.amount)
        case _:
            return None
    return Animation(path, request.frames, request.frames_per_second)


def _inversion(request: Request) -> Inversion | None:
    if not request.like:
        return None
    return Inversion(Path(request.like), texture_names.normal(request.name))


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
