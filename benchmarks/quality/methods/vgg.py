"""VGG-19 (Simonyan and Zisserman 2014) in PyTorch, with gradients, for Gatys et al. 2015 and the Gram distance.

The weights are those of a file that a user names (`tf_psgan.evaluation.vgg_weights`). Average pooling, as in Gatys et
al. 2015, section 2.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from tf_psgan.evaluation import vgg_weights

GRAM_LAYERS = ("conv1_1", "pool1", "pool2", "pool3", "pool4")
"""The layers of Gatys et al. 2015, figure 2."""

MARGIN = 16
"""Pixels excluded at the border: one position of the coarsest layer."""


class Vgg:
    """VGG-19 up to pool4, in one compute type."""

    def __init__(self, file: Path, dtype: torch.dtype = torch.bfloat16) -> None:
        """Reads the weights; raises InputError for a file without supported weights."""
        weights = vgg_weights.read(file)
        self.scale, self.shift, self.dtype = torch.from_numpy(weights.scale), torch.from_numpy(weights.shift), dtype
        self.layers = {
            name: (
                torch.from_numpy(kernel).permute(3, 2, 0, 1).to(dtype).contiguous(memory_format=torch.channels_last),
                torch.from_numpy(bias).to(dtype),
            )
            for name, kernel, bias in zip(vgg_weights.NAMES, weights.kernels, weights.biases, strict=True)
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
