"""The memory that requests and responses can take at most, which follows from the limits.

The numbers of requests that run, wait, arrive and are sent are all bounded, and so are their sizes. The loaded models
and the libraries come on top.
"""

from collections.abc import Mapping
from typing import Any

from tf_psgan_serving.server import cost
from tf_psgan_serving.server.settings import Settings

UNFINISHED_MESSAGES = 32
"""Calls whose message has not arrived; beyond, the oldest of the peer with the most is ended."""

BYTES_PER_PIXEL = 64
"""Of a response of float32 while it is made: the graph's, NumPy's, the message's and the sent bytes, and a reserve.
Measured: 59 at most, and 17 for windows (docs/research/server.md)."""

BYTES_PER_FILTER = 2
"""Further bytes per pixel for each filter of the network's last hidden layer, whose values `serving_default` computes
for the whole picture at once."""

UNREAD_COPIES = 2
"""Copies of an unread response: the handler's, and gRPC's."""

DEFAULT_PIXELS = 2**24
"""Largest picture of one request where a description has no limit: that of the exports of this project."""


def worst_case(settings: Settings, description: Mapping[str, Any]) -> int:
    """Bytes that requests for a model and their responses can take at the same time.

    Args:
      settings: `resolved`.
      description: of the export.
    """
    model, limits = description.get("model"), description.get("limits")
    filters = model.get("filters") if isinstance(model, dict) else None
    last = filters[-1] if isinstance(filters, list) and filters else 0
    per_pixel = BYTES_PER_PIXEL + BYTES_PER_FILTER * (last if isinstance(last, int) else 0)
    pixels = limits.get("pixels", DEFAULT_PIXELS) if isinstance(limits, dict) else DEFAULT_PIXELS
    largest = max(cost.LARGE, pixels if isinstance(pixels, int) else DEFAULT_PIXELS)
    computed = (settings.running * cost.LARGE + largest) * per_pixel  # one large request runs at a time
    messages = UNFINISHED_MESSAGES + settings.running + settings.waiting + settings.large
    received, unread = messages * settings.request_mb * 2**20, UNREAD_COPIES * settings.unread_mb * 2**20
    return int(computed + received + unread)
