"""PyTorch: the network with transposed or with 3x3 convolutions and pixel shuffle; eager, folded and compiled.

All variants use channels_last and `inference_mode`. The picture has the compute type until its conversion to bytes.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from engines.work import DTYPES, Way, Work, middle
from tf_psgan import geometry

# Triton compiles kernels for GPUs only; importing it in a process with TensorFlow causes a segmentation fault.
sys.modules["triton"] = None  # type: ignore[assignment]

FORMS = ("transposed", "3x3 and pixel shuffle", "transposed, zero-padded")


class Network(torch.nn.Module):
    """The generator in one of FORMS: latents float32 [batch, channels, rows, cols] to pictures in [-1, 1]."""

    def __init__(self, work: Work, form: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.form, self.compute, self.side = form, dtype, work.config.kernel_size
        self.padding = 2 if form == "transposed, zero-padded" else 4
        phases = [kernel for kernel, _ in work.folded("float32").blocks]
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for kernel, phase, bias in zip(work.kernels, phases, work.biases, strict=True):
            if form == "3x3 and pixel shuffle":
                # PyTorch's shuffle needs the phases of a channel to be adjacent; here the channels of a phase are.
                weight = phase.transpose(3, 2, 0, 1).reshape(4, -1, *phase.transpose(3, 2, 0, 1).shape[1:])
                weight = weight.swapaxes(0, 1).reshape(phase.transpose(3, 2, 0, 1).shape)
                bias = np.repeat(bias, 4)
            else:
                weight = kernel.transpose(2, 3, 0, 1)
            layout = torch.tensor(weight.copy(), dtype=dtype).to(memory_format=torch.channels_last)
            self.weights.append(torch.nn.Parameter(layout, requires_grad=False))
            self.biases.append(torch.nn.Parameter(torch.tensor(bias, dtype=dtype), requires_grad=False))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures of the compute type, [batch, 3, height, width]."""
        x = latents.to(self.compute, memory_format=torch.channels_last)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if self.form == "3x3 and pixel shuffle":
                x = functional.conv2d(x, weight, bias)
                x = functional.pixel_shuffle(functional.relu(x) if i + 1 < len(self.weights) else x, 2)
            else:
                x = functional.conv_transpose2d(x, weight, bias, 2, self.padding, 6 - self.side)
                x = functional.relu(x) if i + 1 < len(self.weights) else x
        return torch.tanh(x)


class Picture(torch.nn.Module):
    """From latents to bytes: uint8 [height, width, 3] without the halo's pixels."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.spare = network, 4 * (network.padding == 4) // 2

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """One picture."""
        x, spare = self.network(latents)[0], self.spare
        x = x[:, spare : x.shape[1] - spare, spare : x.shape[2] - spare]
        return torch.round((x.float() + 1.0) * 127.5).to(torch.uint8).permute(1, 2, 0).contiguous()


def ways(work: Work, pixels: int, folded: bool) -> Iterator[Way]:
    """All variants of PyTorch for a picture of one size."""
    for dtype in DTYPES:
        for form in FORMS:
            network = Network(work, form, getattr(torch, dtype)).eval()
            whole, spare = Picture(network).eval(), network.padding == 4
            latents = work.latents(pixels)
            if not spare:
                latents = latents[:, geometry.HALO : -geometry.HALO, geometry.HALO : -geometry.HALO]
            held = torch.tensor(latents).permute(0, 3, 1, 2)
            for mode, change in _modes(held, folded).items():
                yield _network_way(f"PyTorch, {form}, {mode}", dtype, change(network), held, spare, work.cell)
                yield _picture_way(f"PyTorch, {form}, {mode}", dtype, change(whole), held.shape)


def _modes(held: torch.Tensor, folded: bool) -> dict[str, Callable[[Any], Any]]:
    def fold(module: Any) -> Any:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.compile replaces it, and is timed too
            return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, held)))

    def inductor(module: Any) -> Any:
        return torch.compile(module, dynamic=False, options={"freezing": True})

    modes: dict[str, Callable[[Any], Any]] = {"eager": lambda module: module}
    return modes | ({"jit folded": fold, "compiled": inductor} if folded else {})


def _network_way(name: str, dtype: str, network: Any, held: torch.Tensor, spare: bool, cell: int) -> Way:
    def run() -> torch.Tensor:
        with torch.inference_mode():
            return network(held)

    def picture() -> np.ndarray:
        image = run()[0].float().permute(1, 2, 0).numpy()
        return middle(image) if spare else image

    return Way(name, "network", dtype, run, picture, 0 if spare else 3 * cell)


def _picture_way(name: str, dtype: str, whole: Any, shape: tuple[int, ...]) -> Way:
    batch, channels, rows, cols = shape

    def run() -> np.ndarray:
        with torch.inference_mode():
            noise = torch.rand((batch, rows, cols, channels)).mul_(2.0).sub_(1.0)
            return whole(noise.permute(0, 3, 1, 2)).numpy()

    return Way(name, "picture", dtype, run)
