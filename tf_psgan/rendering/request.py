"""What picture is asked for: every setting of `generate.py`, declared once, and how its texts are read.

The settings become flags as those of a run do (`config.py`). Texts are read here, without a model.
"""

import dataclasses
import re

from tf_psgan import config
from tf_psgan.config import setting
from tf_psgan.latents.texture_fields import Texture

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""Names of stored textures: never a number, always a file's name."""

INT64 = 2**63


@dataclasses.dataclass(frozen=True)
class Request:
    """One picture, one large picture or one animation of a run's plane."""

    height: int = setting(0, "Height in pixels; 0 for 512, or a --paint map's own.", low=0)
    width: int = setting(0, "Width in pixels; 0 for 512, or a --paint map's own.", low=0)
    top: int = setting(0, "The window's first row on the plane; any integer.")
    left: int = setting(0, "The window's first column on the plane; any integer.")
    seed: int = setting(0, "Which plane: the same seed shows the same pixels; any integer.", low=-INT64, high=INT64 - 1)
    texture: str = setting("0", "Which texture of a model that holds many: any integer, or a stored name.")
    tile: str = setting(
        "",
        "Make an exact tile: x goes on from right to left edge, y from bottom to top, xy both.",
        choices=("", "x", "y", "xy"),
    )
    repeat: str = setting("", "With --tile: also write a preview of the tile repeated, rows x columns, as in 2x3.")
    shared_edge: str = setting(
        "",
        "With --tile=xy: colours of the top, right, bottom and left edge, as in 0,1,1,0; tiles of any --seed whose "
        "edges agree fit together. all: the whole set of two colours an edge, 16 Wang tiles in one picture.",
    )
    quilt: str = setting("", "Blocks of textures, rows x columns, as in 3x4: those of --textures in turn.")
    morph: str = setting("", "Textures blended over the picture: 1,7,9,30 is a line, 1,7/9,30 its four corners.")
    paint: str = setting("", "A picture whose colours name textures, by --palette.")
    palette: tuple[str, ...] = setting((), "The textures of a --paint map's colours, as in ff0000=3,0000ff=rust.")
    border: int = setting(48, "Pixels over which the textures of --quilt and --paint blend.", low=0, high=65536)
    textures: tuple[str, ...] = setting((), "Textures of a --quilt or of a walk, as in 1,7,rust.")
    like: str = setting("", "A picture: find the texture most like it, store it under --name, and show it.")
    name: str = setting("", "What to call the texture that --like finds; else the picture's name.")
    animate: str = setting(
        "",
        "Make a moving picture: drift over the plane, walk through --textures, or change of the local noise.",
        choices=("", "drift", "walk", "change"),
    )
    frames: int = setting(48, "Frames of a moving picture.", low=2, high=100_000)
    frames_per_second: float = setting(24.0, "How fast a moving picture runs.", low=0.1, high=240)
    drift: tuple[int, ...] = setting(
        (), "Pixels down and right that a drift goes in all, as in 0,512; else a --tile once around."
    )
    amount: float = setting(
        0.1, "How far a change of the local noise goes: 1 is once through all values.", low=0.001, high=1
    )

    def check(self) -> None:
        """Raises ValueError naming a setting out of range, or settings that do not go together."""
        config.check(self)
        fields = [name for name in ("quilt", "morph", "paint") if getattr(self, name)]
        if len(fields) > 1:
            raise ValueError(f"{fields[0]}, {fields[1]}: a picture is one of them; leave one out.")
        for name, needs in (
            ("repeat", self.tile),
            ("shared_edge", self.tile == "xy"),
            ("palette", self.paint),
            ("textures", self.quilt or self.animate == "walk"),
            ("drift", self.animate == "drift"),
            ("name", self.like),
        ):
            if getattr(self, name) and not needs:
                wanted = {
                    "repeat": "--tile",
                    "shared_edge": "--tile=xy",
                    "palette": "--paint",
                    "name": "--like",
                    "textures": "--quilt or --animate=walk",
                    "drift": "--animate=drift",
                }[name]
                raise ValueError(f"{name}: {_shown(getattr(self, name))} only says something with {wanted}; add it.")
        if self.paint and not self.palette:
            raise ValueError("palette: missing; say which texture each colour of the map is, as in ff0000=3,0000ff=7.")
        if self.animate == "walk" and (len(self.textures) < 2 or fields):
            raise ValueError(
                "animate: a walk goes through --textures, at least two, as in 1,7,9, one at a time; "
                "give them and leave --quilt, --morph and --paint out."
            )
        if self.tile and self.morph:
            raise ValueError("morph: its edges differ, so it cannot close to a --tile; leave one out, or --paint it.")
        if self.shared_edge and (fields or self.animate):
            raise ValueError(f"shared_edge: such a tile is one still texture; leave --{[*fields, 'animate'][0]} out.")


def texture(text: str) -> Texture:
    """A number, or a name; ValueError for what can be neither."""
    text = text.strip()
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if not NAME.fullmatch(text):
        raise ValueError(
            f"texture: {text!r} is neither a whole number nor a name; names start with a letter, "
            "go on with letters, digits and _ . -, 64 at most."
        )
    return text


def grid(name: str, text: str) -> tuple[int, int]:
    """Two extents written as 3x4, each from 1 to 1000."""
    found = re.fullmatch(r"(\d{1,4})[xX*](\d{1,4})", text.strip())
    rows, cols = map(int, found.groups()) if found else (0, 0)
    if not 1 <= rows <= 1000 or not 1 <= cols <= 1000:
        raise ValueError(f"{name}: {text!r} is not rows x columns; write it as 3x4, each from 1 to 1000.")
    return rows, cols


def knots(text: str) -> tuple[tuple[Texture, ...], ...]:
    """The textures of a morph: rows separated by /, textures by commas."""
    rows = tuple(tuple(texture(item) for item in row.split(",")) for row in text.split("/"))
    if len({len(row) for row in rows}) > 1 or sum(len(row) for row in rows) < 2:
        raise ValueError(f"morph: {text!r} is no line and no grid of textures; write 1,7,9,30 or 1,7/9,30.")
    return rows


def colours(palette: tuple[str, ...]) -> dict[int, Texture]:
    """The texture of each colour of a map, the colour as 0xRRGGBB."""
    found: dict[int, Texture] = {}
    for item in palette:
        match = re.fullmatch(r"\s*#?([0-9a-fA-F]{6})\s*[=:](.+)", item)
        if not match:
            raise ValueError(f"palette: {item!r} is not a colour and a texture; write it as ff0000=3.")
        if int(match[1], 16) in found:
            raise ValueError(f"palette: the colour {match[1]} stands twice; say it once.")
        found[int(match[1], 16)] = texture(match[2])
    return found


def edges(text: str) -> tuple[int, int, int, int]:
    """The colours of a tile's top, right, bottom and left edge."""
    if not re.fullmatch(r"\s*\d{1,9}(\s*,\s*\d{1,9}){3}\s*", text):
        wanted = "write top,right,bottom,left as in 0,1,1,0, or all"
        raise ValueError(f"shared_edge: {text!r} is not four colours; {wanted}.")
    top, right, bottom, left = map(int, text.split(","))
    return top, right, bottom, left


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
