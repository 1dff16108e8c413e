"""Values that flags write as text: textures, grids, morphs, palettes, edge colours."""

import re

from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_names
from tf_psgan.latents.arguments import Texture


def texture(text: str, flag: str = "texture") -> Texture:
    """A number, or the name of a stored texture."""
    text = text.strip()
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    text = texture_names.normal(text)
    if not texture_names.is_name(text):
        allowed = f"names {texture_names.ALLOWED}"
        raise SettingError(flag, f"{text!r} is neither an integer nor a name", allowed, value=text)
    return text


def textures(items: list[str] | tuple[str, ...], flag: str = "textures") -> tuple[Texture, ...]:
    """Numbers and names."""
    return tuple(texture(item, flag) for item in items)


def grid(text: str, flag: str) -> tuple[int, int]:
    """Rows and columns, written as 3x4."""
    found = re.fullmatch(r"(\d{1,4})[xX*](\d{1,4})", text.strip())
    if not found:
        raise SettingError(flag, f"{text!r} is not rows x columns", "write it as 3x4, each from 1 to 1000", value=text)
    return int(found[1]), int(found[2])


def knots(text: str) -> tuple[tuple[Texture, ...], ...]:
    """The textures of a morph: rows separated by /, textures by commas."""
    rows = tuple(textures(row.split(","), "morph") for row in text.split("/"))
    if len({len(row) for row in rows}) > 1 or sum(map(len, rows)) < 2:
        raise SettingError(
            "morph", f"{text!r} is no line and no grid of textures", "write 1,7,9,30 or 1,7/9,30", value=text
        )
    return rows


def palette(items: list[str] | tuple[str, ...]) -> dict[int, Texture]:
    """The texture of each colour of a map, written as ff0000=3; the colour as 0xRRGGBB."""
    found: dict[int, Texture] = {}
    for item in items:
        match = re.fullmatch(r"\s*#?([0-9a-fA-F]{6})\s*[=:](.+)", item)
        if not match:
            raise SettingError("palette", f"{item!r} is not a colour and a texture", "write it as ff0000=3", value=item)
        if int(match[1], 16) in found:
            raise SettingError("palette", f"the colour {match[1]} occurs twice", "give it once", value=item)
        found[int(match[1], 16)] = texture(match[2], "palette")
    return found


def part(text: str) -> tuple[int, int]:
    """Number and count of the parts of a picture, written as 0/16."""
    found = re.fullmatch(r"\s*(\d{1,7})\s*/\s*(\d{1,7})\s*", text)
    if not found or int(found[1]) >= int(found[2]):
        wanted = "write 0/16 to 15/16 for sixteen parts, or finish"
        raise SettingError("part", f"{text!r} is no part of a picture", wanted, value=text)
    return int(found[1]), int(found[2])


def edges(text: str) -> tuple[int, int, int, int]:
    """The colours of a tile's top, right, bottom and left edge."""
    if not re.fullmatch(r"\s*\d{1,9}(\s*,\s*\d{1,9}){3}\s*", text):
        wanted = "write top,right,bottom,left as in 0,1,1,0, or all"
        raise SettingError("shared_edge", f"{text!r} is not four colours", wanted, value=text)
    top, right, bottom, left = map(int, text.split(","))
    return top, right, bottom, left
