"""ComfyUI node: a window of an endless texture, or a seamless tile, from psgan-viewer.

Copy this folder into ComfyUI/custom_nodes and start `psgan-viewer --models=models`.
"""

import io
import json
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
from PIL import Image

SECONDS = 60.0
INT64 = {"min": -(2**63), "max": 2**63 - 1}
PIXEL = {"default": 0, "min": -(2**40), "max": 2**40}


def request(address, path):
    """The bytes at a path of the server, and its problem; one of them is None.

    Raises:
      ValueError: the address is no web address, or nothing answers there.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"{address} is not an address; write it as in http://localhost:8000")
    try:
        with urllib.request.urlopen(address.rstrip("/") + path, timeout=SECONDS) as response:
            return response.read(), None
    except urllib.error.HTTPError as error:
        try:
            return None, json.loads(error.read())
        except ValueError:
            return None, {"detail": f"HTTP {error.code}"}
    except OSError as error:
        raise ValueError(f"{address}: {getattr(error, 'reason', error)}; start psgan-viewer there") from None


def pixels(address, model, seamless, texture, seed, top, left, height, width):
    """The picture, float32 [1, height, width, 3] in 0 .. 1. A seamless tile has the nearest extent that fits.

    Raises:
      ValueError: one line with the reason.
    """
    data, problem = request(address, f"/v1/models/{urllib.parse.quote(model, safe='')}")
    if data is not None:
        about = json.loads(data)
        values = {"texture": texture, "seed": seed, "height": height, "width": width}
        if seamless:
            cell, kind = about["pixels_per_cell"], "tile"
            values |= {name: max(cell, values[name] // cell * cell) for name in ("height", "width")}
        else:
            values, kind = values | {"top": top, "left": left}, "window"
        path = f"{about['path']}/{kind}.png?"
        data, problem = request(address, path + urllib.parse.urlencode(values))
        if problem and "fits" in problem:
            data, problem = request(address, path + urllib.parse.urlencode(values | problem["fits"]))
    if data is None:
        raise ValueError(f"{address}: {problem['detail']}")
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), np.float32)[np.newaxis] / 255


class EndlessTexture:
    """A picture of a texture model."""

    CATEGORY = "image"
    FUNCTION = "make"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        """The node's inputs."""
        side = {"default": 512, "min": 1, "max": 2048}
        return {
            "required": {
                "address": ("STRING", {"default": "http://localhost:8000"}),
                "model": ("STRING", {"default": "honeycomb"}),
                "seamless": ("BOOLEAN", {"default": False}),
                "texture": ("INT", {"default": 0} | INT64),
                "seed": ("INT", {"default": 0} | INT64),
                "top": ("INT", PIXEL),
                "left": ("INT", PIXEL),
                "height": ("INT", side),
                "width": ("INT", side),
            }
        }

    def make(self, **values):
        """The picture as ComfyUI's IMAGE: a tensor [1, height, width, 3] in 0 .. 1."""
        import torch

        return (torch.from_numpy(pixels(**values)),)


NODE_CLASS_MAPPINGS = {"TfPsganEndlessTexture": EndlessTexture}
NODE_DISPLAY_NAME_MAPPINGS = {"TfPsganEndlessTexture": "Endless texture"}
