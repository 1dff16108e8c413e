"""Texture synthesis by joint statistics of wavelets (Portilla and Simoncelli 2000). PyTorch and plenoptic.

L-BFGS optimises the pixels, starting from noise, until the statistics match those of the source. Model and loss are
plenoptic's, with four scales, four orientations and neighbourhoods of 9 (similar to section 4 of the paper). The paper
treats grey pictures. Here colours are rotated to their principal axes, scaled to equal standard deviations, and the
statistics are computed for each axis. The correlations between axes of the real part and of the magnitude of every band
are added, so that the edges of the three axes coincide. Most evaluations are at half size with three scales, and the
result is upsampled as the start at full size; the paper is coarse to fine as well.
"""

import warnings
from collections.abc import Callable

import numpy as np
import plenoptic
import torch
import torch.nn.functional as F

SCALES, ORIENTATIONS, WIDTH = 4, 4, 9
COARSE_SHARE = 0.75  # share of the evaluations at half size
UNIT = 2 ** (SCALES + 1)
"""Sides of pictures are multiples of this number of pixels."""

DEVIATION = 0.2
"""Standard deviation of each axis; plenoptic expects pictures in 0 .. 1."""


def make(source: np.ndarray, pixels: int, seed: int, threads: int, steps: int) -> np.ndarray:
    """uint8 [pixels, pixels, 3] after `steps` evaluations of statistics and gradient in total."""
    warnings.filterwarnings("ignore", module="plenoptic")
    torch.set_num_threads(threads)
    side, wide = min(source.shape[:2]) // UNIT * UNIT, -(-pixels // UNIT) * UNIT
    mean, rotation = principal_axes(source)
    target = (
        torch.from_numpy((source[:side, :side] - mean) @ rotation).float().permute(2, 0, 1)[:, None]
    )  # [3, 1, h, w]
    small = F.interpolate(target, scale_factor=0.5, mode="area")
    coarse = round(steps * COARSE_SHARE)
    start = DEVIATION * torch.randn((3, 1, wide // 2, wide // 2), generator=torch.Generator().manual_seed(seed))
    half = descend(start, small, coarse, SCALES - 1)
    start = F.interpolate(half, size=(wide, wide), mode="bicubic", align_corners=False)
    made = descend(start, target, steps - coarse, SCALES)
    made = made.clamp(target.amin((2, 3), keepdim=True), target.amax((2, 3), keepdim=True))
    colours = made[:, 0].permute(1, 2, 0).numpy() @ np.linalg.inv(rotation) + mean
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)[:pixels, :pixels]


def principal_axes(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean colour [3], and the matrix [3, 3] from centred colours to uncorrelated axes of equal deviation."""
    flat = source.reshape(-1, 3).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(flat.T))
    return flat.mean(0), vectors[:, ::-1] / np.sqrt(np.maximum(values[::-1], 1e-2)) * DEVIATION


def descend(start: torch.Tensor, target: torch.Tensor, evaluations: int, scales: int) -> torch.Tensor:
    """The result of L-BFGS from a start, axes [3, 1, h, w]."""
    of_target, wanted = statistics(target.shape[-1], scales), None
    with torch.no_grad():
        wanted = of_target(target)
    each = plenoptic.models.PortillaSimoncelli(target.shape[-2:], scales, ORIENTATIONS, WIDTH)
    own_loss = plenoptic.loss.portilla_simoncelli_loss_factory(each, target)
    of_made = statistics(start.shape[-1], scales)
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
        own, between = of_made(picture)
        total = own_loss(own, wanted[0]) ** 2 + torch.sum((between - wanted[1]) ** 2)
        total.backward()
        return total

    optimiser.step(loss)
    return picture.detach()


def statistics(side: int, scales: int) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """A function of axes [3, 1, side, side]: plenoptic's statistics [3, 1, n], and a vector of correlations of axes."""
    each = plenoptic.models.PortillaSimoncelli((side, side), scales, ORIENTATIONS, WIDTH)
    bands = plenoptic.process.SteerablePyramidFreq((side, side), scales, ORIENTATIONS - 1, is_complex=True)

    def of(axes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = bands(axes)
        between = []
        for scale in range(scales):
            band = found[scale][:, 0]  # complex [3, orientations, h, w]
            for part in (band.real, band.abs()):
                flat = part.transpose(0, 1).flatten(2)  # [orientations, 3, positions]
                flat = flat - flat.mean(-1, keepdim=True)
                flat = flat / (flat.norm(dim=-1, keepdim=True) + 1e-6)
                between.append((flat @ flat.transpose(1, 2)).flatten())
        return each(axes), torch.cat(between)

    return of
