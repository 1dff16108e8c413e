"""Pictures as files."""

import io
from typing import Any

import numpy as np
from PIL import Image

MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
"""By suffix. PNG is exact."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "compress_level": 1},  # textures hardly compress; higher levels take several times as long
    "jpg": {"format": "JPEG", "quality": 92, "subsampling": 0},  # as the models' own JPEG
    "webp": {"format": "WEBP", "quality": 90, "method": 2},
}


def encode(pixels: np.ndarray, suffix: str) -> bytes:
    """A file.

    Args:
      pixels: uint8 [height, width, 3].
      suffix: of `MEDIA_TYPES`.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **_OPTIONS[suffix])
    return file.getvalue()
