"""A contact sheet of one texture: the source and the picture of each method, with titles."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality.methods import results, sources, table

GAP, TITLE, COLUMNS = 8, 26, 4


def write(folder: Path, methods: Sequence[str], seed: int) -> Path:
    """Writes sheet.png of a texture's folder with the pictures of one seed at one scale; returns its path."""
    pictures = [("source", sources.read(folder).picture)]
    for method in (results.FLOOR, *methods):
        file = folder / f"{method}-{seed}.png"
        if file.exists():
            pictures.append((table.TITLES[method], sources.read_picture(file)))
    out = folder / "sheet.png"
    sources.write_picture(out, page(pictures))
    return out


def page(pictures: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """uint8 [h, w, 3]: titled pictures, COLUMNS per row, each at the top left of its cell."""
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    height = max(picture.shape[0] for _, picture in pictures) + TITLE + GAP
    width = max(picture.shape[1] for _, picture in pictures) + GAP
    canvas = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(18)
    for i, (title, picture) in enumerate(pictures):
        left, top = GAP + i % columns * width, GAP + i // columns * height
        draw.text((left, top), title, "black", font)
        canvas.paste(Image.fromarray(picture), (left, top + TITLE))
    return np.array(canvas)
