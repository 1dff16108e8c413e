"""The memory of pictures that are decoded at the same time, bounded by pixels instead of bytes on disk.

A file of a few kilobytes may hold hundreds of megapixels. One picture larger than the whole budget is decoded alone.
"""

import contextlib
import threading
from collections.abc import Iterator

from PIL import Image

BYTES = 1 << 29
"""Memory of all pictures that are decoded at the same time."""

_OF_DECODER = {"JPEG2000": 16, "AVIF": 12, "HEIF": 12, "WEBP": 8, "JPEG": 6, "TIFF": 4, "GIF": 4}
"""Bytes per pixel that a format's decoder needs besides the decoded picture, at most."""


class DecodeBudget:
    """Bytes that threads share. A thread waits until there is room, or until no other holds any."""

    def __init__(self, total: int = BYTES) -> None:
        self._total, self._used = total, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def reserve(self, wanted: int) -> Iterator[None]:
        """Holds so many bytes while the body runs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + wanted <= self._total)
            self._used += wanted
        try:
            yield
        finally:
            with self._changed:
                self._used -= wanted
                self._changed.notify_all()


def bytes_for(image: Image.Image) -> int:
    """An upper estimate of the memory that a picture needs until it is an array of 8-bit RGB values.

    Args:
      image: opened and not yet decoded.
    """
    own = 1 if image.mode in ("1", "L", "P") else 2 if image.mode.startswith("I;16") else 4
    turned = own if image.format == "TIFF" or "exif" in image.info else 0  # getexif would decode a PNG
    return image.width * image.height * (own + turned + 3 + _OF_DECODER.get(image.format or "", 0))
