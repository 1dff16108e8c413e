"""Texture synthesis by a convolutional network (Gatys et al. 2015, arXiv:1505.07376). PyTorch.

L-BFGS optimises the pixels, starting from noise, until the Gram matrices of VGG-19's conv1_1 and pool1 to pool4 match
those of the source (the paper's layers, average pooling, equal weights). The optimisation is coarse to fine, as in
Gatys et al. 2017 (arXiv:1611.07865, section 6): most evaluations are at half size, and the result is upsampled as the
start at full size. This is cheaper than the paper's single scale and reproduces larger structures. Statistics exclude
the border, and the picture is cropped accordingly; otherwise the padding zeros would reduce the contrast towards the
middle. The convolutions use bfloat16, L-BFGS float32. Finally the histogram of each colour channel is matched to that
of the source, as in the authors' code.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.quality.methods import vgg

COARSE_SHARE = 0.6  # share of the evaluations at half size


def make(source: np.ndarray, pixels: int, seed: int, threads: int, steps: int, weights: Path) -> np.ndarray:
    """uint8 [pixels, pixels, 3] after `steps` evaluations of network and gradient in total."""
    torch.set_num_threads(threads)
    network = vgg.Vgg(weights)
    target = vgg.to_tensor(source)
    small = F.interpolate(target, scale_factor=0.5, mode="area")
    coarse = round(steps * COARSE_SHARE)
    generator = torch.Generator().manual_seed(seed)
    mean, deviation = small.mean((2, 3), keepdim=True), small.std((2, 3), keepdim=True)
    margin = vgg.MARGIN
    # A whole number of positions of the coarsest layer at both sizes.
    side = -(-pixels // (4 * margin)) * 2 * margin + 2 * margin
    start = mean + 0.5 * deviation * torch.randn((1, 3, side, side), generator=generator)
    half = descend(network, start, small, coarse)
    whole = F.interpolate(half, scale_factor=2, mode="bicubic", align_corners=False)
    made = descend(network, whole[..., margin:-margin, margin:-margin], target, steps - coarse)
    made = made[0, :, margin : margin + pixels, margin : margin + pixels]
    return match_histograms(made.permute(1, 2, 0).numpy(), source)


def descend(network: vgg.Vgg, start: torch.Tensor, target: torch.Tensor, evaluations: int) -> torch.Tensor:
    """The result of L-BFGS from a start, [1, 3, h, w] in 0 .. 255."""
    with torch.no_grad():
        wanted = network.grams(target)
        weights = {name: 1 / float(torch.sum(matrix**2)) for name, matrix in wanted.items()}
    picture = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [picture],
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=20,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        found = network.grams(picture)
        # Relative to the source's energy; the factor gives a suitable length of the first step of L-BFGS.
        total = 1e4 * sum(weights[n] * torch.sum((found[n] - wanted[n]) ** 2) for n in vgg.GRAM_LAYERS)
        total.backward()
        return total

    optimiser.step(loss)
    return picture.detach()


def match_histograms(made: np.ndarray, source: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3]: the values of each channel are replaced by the source's values of the same rank."""
    out = np.empty(made.shape, np.uint8)
    for channel in range(3):
        order = np.argsort(made[..., channel], axis=None, kind="stable")
        values = np.sort(source[..., channel], axis=None)
        ranks = (np.arange(order.size) + 0.5) * values.size / order.size
        out[..., channel].flat[order] = values[ranks.astype(int)]
    return out
