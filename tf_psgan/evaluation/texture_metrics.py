"""How like its source a made texture is: period, spectrum, patches, colours and diversity.

NumPy only. Pictures are uint8 [h, w, 3]; sizes may differ, 64 pixels a side at least. Every distance is 0 for the same
pictures and has a floor above 0 for other windows of the same texture: compare with that of the source's own crops.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_psgan.evaluation import spectrum
from tf_psgan.evaluation.autocorrelation import period

Pictures = Sequence[np.ndarray]
CHANCE = {"log_spectrum": 0.2, "sliced_wasserstein": 0.03, "colour": 0.02}
"""What chance alone may make of the distances of two windows of one texture, of some 256 pixels a side."""

LEVELS = 4
PATCH = 7


def compare(samples: Pictures, sources: Pictures, seed: int = 0) -> dict[str, float]:
    """All metrics of samples of one texture, against pictures of that texture.

    Returns:
      `periodic` 1 or 0, `peak_offset_pixels`, `peak_height`, `autocorrelation_distance` (means over the samples of
      `period`; offset and height are nan without a period), and `log_spectrum`, `sliced_wasserstein`, `colour`,
      `diversity` as the functions of these names (diversity is nan for a single sample).
    """
    made, real = features(samples, seed), features(sources, seed)
    fit = period(samples, sources)
    return {
        "periodic": float(fit.periodic),
        "peak_offset_pixels": float(np.mean(fit.offsets)),
        "peak_height": float(np.mean(fit.heights)),
        "autocorrelation_distance": float(np.mean(fit.distances)),
        **distances(made, real),
        "diversity": diversity(samples, sources),
    }


@dataclasses.dataclass(frozen=True)
class Features:
    """What is kept of a set of pictures for the distances below.

    logs: [rings, directions] log power spectrum, of luminance in levels.
    colours: [3, 256] share of the pixels at or under each level.
    patches: per pyramid level, finest first, [directions, patches] sorted projections of normalised patches.
    """

    logs: np.ndarray
    colours: np.ndarray
    patches: tuple[np.ndarray, ...]


def features(pictures: Pictures, seed: int = 0, patches: int = 2048) -> Features:
    """Precomputes what the distances need; both sides of a distance take the same seed and number of patches.

    For each level of the Laplacian pyramid (Karras et al. 2018, arXiv:1710.10196) draws 7x7x3 patches, normalises
    each colour channel over them to mean 0 and deviation 1, and projects them onto 64 random directions.
    """
    counts = sum(
        np.stack([np.bincount(_checked(picture)[..., channel].ravel(), minlength=256) for channel in range(3)])
        for picture in pictures
    )
    pyramids = [_pyramid(picture.astype(np.float32)) for picture in pictures]
    rng = np.random.default_rng(seed)
    sorted_projections = []
    for level in range(LEVELS):
        directions = rng.normal(size=(PATCH * PATCH * 3, 64))
        directions /= np.linalg.norm(directions, axis=0)
        drawn = _draw_patches([pyramid[level] for pyramid in pyramids], patches, seed + level)
        drawn = (drawn - drawn.mean((0, 1))) / (drawn.std((0, 1)) + 1e-3)
        projected = drawn.reshape(patches, -1) @ directions.astype(np.float32)
        sorted_projections.append(np.sort(projected.T, axis=1))
    logs = _log_power(pictures)
    return Features(logs, np.cumsum(counts, axis=1) / np.sum(counts, axis=1, keepdims=True), tuple(sorted_projections))


def log_spectrum_distance(a: Features, b: Features) -> float:
    """Root mean square difference of the natural logarithms of power, in half octaves and 30 degrees."""
    return math.sqrt(np.mean((a.logs - b.logs) ** 2))


def sliced_wasserstein(a: Features, b: Features) -> np.ndarray:
    """Per pyramid level, finest first: the mean 1-D Wasserstein distance over the projections (Rabin et al. 2011)."""
    return np.array([np.mean(np.abs(x - y)) for x, y in zip(a.patches, b.patches, strict=True)])


def colour_distance(a: Features, b: Features) -> float:
    """1-D Wasserstein distance between the histograms of each channel, averaged; 1 is black against white.

    The earth mover's distance of Rubner et al. 2000, one channel at a time.
    """
    return float(np.mean(np.sum(np.abs(a.colours - b.colours), axis=1)) / 255)


def distances(a: Features, b: Features) -> dict[str, float]:
    """`log_spectrum`, `sliced_wasserstein` (mean over the levels) and `colour`."""
    return {
        "log_spectrum": log_spectrum_distance(a, b),
        "sliced_wasserstein": float(np.mean(sliced_wasserstein(a, b))),
        "colour": colour_distance(a, b),
    }


def diversity(samples: Pictures, sources: Pictures) -> float:
    """How much samples differ from each other, over how much disjoint blocks of the sources do.

    The difference of two blocks is the root mean square, at half resolution, between the middle of one and the place
    in the other that fits best, up to a quarter of a block away; so a lattice that is only shifted is no difference. 1
    is as diverse as the source, 0 is one picture or one lattice again and again; nan for fewer than two samples. A
    source that repeats exactly has no diversity to compare with: its difference counts as half a level at least.
    A definition of this project's own, since mean pairwise distances (MS-SSIM in Odena et al. 2017) take a shifted
    lattice for variety.
    """
    if len(samples) < 2:
        return math.nan
    side = min(*(min(p.shape[:2]) for p in samples), *(min(p.shape[:2]) // 2 for p in sources))
    blocks = [
        p[r : r + side, c : c + side]
        for p in sources
        for r in range(0, p.shape[0] - side + 1, side)
        for c in range(0, p.shape[1] - side + 1, side)
    ]
    real = _difference(blocks[:: math.ceil(len(blocks) / 8)])
    return _difference([spectrum.middle(p, side, side) for p in samples]) / max(real, 0.5)


def nearest(sample: np.ndarray, sources: Mapping[str, Features], seed: int = 0) -> tuple[str, dict[str, float]]:
    """The source that a sample is most like, and its distance from each.

    A source's distance is the sum of its colour, spectrum and patch distances, each over its mean over the sources.
    Make the sources' features with the same seed and the default number of patches.
    """
    own = features([sample], seed)
    table = np.array([list(distances(own, other).values()) for other in sources.values()])
    total = np.sum(table / np.maximum(table.mean(axis=0), 1e-9), axis=1)
    far = dict(zip(sources, total.tolist(), strict=True))
    return min(far, key=far.__getitem__), far


def uniformity(sample: np.ndarray, sources: Pictures, seed: int = 0) -> float:
    """Whether a picture is one texture all over: 1 as much as the sources, towards 0 the more its quadrants differ.

    The greatest distance between two quadrants of the sources' middle crops of the sample's extent (mean over the
    sources) over that of the sample, in spectrum, patches and colour; the least of the three ratios. To both sides is
    added what chance alone may make. Quadrants are 64 pixels a side at least.
    """
    rows, cols = sample.shape[:2]
    source = np.mean([_unrest(spectrum.middle(p, rows, cols), seed) for p in sources], axis=0)
    chance = np.array(list(CHANCE.values()))
    return float(np.min((source + chance) / (_unrest(sample, seed) + chance)))


def _unrest(picture: np.ndarray, seed: int) -> np.ndarray:
    rows, cols = picture.shape[0] // 2, picture.shape[1] // 2
    parts = [features([picture[r : r + rows, c : c + cols]], seed) for r in (0, rows) for c in (0, cols)]
    return np.max([list(distances(a, b).values()) for a, b in itertools.combinations(parts, 2)], axis=0)


def _checked(picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 64:
        raise ValueError(
            f"a picture of {picture.dtype} {list(picture.shape)} cannot be judged; "
            "give uint8 [h, w, 3] of at least 64x64 pixels."
        )
    return picture


def _log_power(pictures: Pictures) -> np.ndarray:
    """[9, 6] log of the mean power in half octaves from 3/128 cycles per pixel up and in 30 degrees, from Welch's
    blocks of 128 pixels, half over each other; zeros make smaller blocks of smaller pictures up to 128."""
    side = min(128, *(min(picture.shape[:2]) for picture in pictures))
    steps = range(0, spectrum.LARGEST - side + 1, side // 2)
    blocks = [
        p[r : r + side, c : c + side]
        for p in pictures
        for r in steps
        if r + side <= p.shape[0]
        for c in steps
        if c + side <= p.shape[1]
    ]
    density = spectrum.power(blocks, (128, 128))
    row, col = np.meshgrid(*[np.fft.fftfreq(128)] * 2, indexing="ij")
    ring = np.floor(2 * np.log2(np.maximum(np.hypot(row, col), 1e-9) * 128 / 3)).astype(int)
    wedge = np.floor(np.mod(np.arctan2(row, col), np.pi) * 6 / np.pi + 1e-9).astype(int) % 6
    used = (ring >= 0) & (ring < 9)
    place = (ring * 6 + wedge)[used]
    mean = np.bincount(place, density[used], 54) / np.maximum(np.bincount(place, minlength=54), 1)
    return np.log(mean + 1 / 12).reshape(9, 6)  # 1/12: the power that rounding to levels adds


def _blur(image: np.ndarray) -> np.ndarray:
    """Binomial filter (1 4 6 4 1) / 16 along both axes of [h, w, c], edges repeated."""
    for axis in (0, 1):
        pads = [(2, 2) if i == axis else (0, 0) for i in range(3)]
        wide = np.moveaxis(np.pad(image, pads, mode="edge"), axis, 0)
        mixed = 0.375 * wide[2:-2] + 0.25 * (wide[1:-3] + wide[3:-1]) + 0.0625 * (wide[:-4] + wide[4:])
        image = np.moveaxis(mixed, 0, axis)
    return image


def _pyramid(picture: np.ndarray) -> list[np.ndarray]:
    """LEVELS bands of a picture, each at half the resolution of the one before; the last is what is left over."""
    bands = []
    for _ in range(LEVELS - 1):
        low = _blur(picture)
        bands.append(picture - low)
        picture = low[::2, ::2]
    return [*bands, picture]


def _draw_patches(images: Sequence[np.ndarray], count: int, seed: int) -> np.ndarray:
    """[count, PATCH * PATCH, 3] patches from random places, equally many of each image."""
    rng = np.random.default_rng(seed)
    drawn = []
    for i, image in enumerate(images):
        number = count // len(images) + (i < count % len(images))
        rows, cols = (rng.integers(0, n - PATCH + 1, number) for n in image.shape[:2])
        drawn.append(np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))[rows, cols])
    return np.concatenate(drawn).reshape(count, 3, -1).swapaxes(1, 2)


def _difference(blocks: Pictures) -> float:
    """Mean over all ordered pairs of blocks of the root mean square, in levels, between one's middle and its best fit
    in the other."""
    small = []
    for block in blocks:
        even = block[: block.shape[0] // 2 * 2, : block.shape[1] // 2 * 2].astype(np.float64)
        small.append(even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).mean((1, 3)))
    side = small[0].shape[0]
    half, first = side // 2, side // 4
    whole = [np.fft.rfft2(image, axes=(0, 1)) for image in small]
    squares = [_box_sums(np.sum(image**2, axis=-1), half) for image in small]
    differences = []
    for i, image in enumerate(small):
        part = image[first : first + half, first : first + half]
        turned = np.conj(np.fft.rfft2(part, (side, side), axes=(0, 1)))
        for j in (j for j in range(len(small)) if j != i):
            match = np.fft.irfft2(np.sum(whole[j] * turned, axis=-1), (side, side))
            least = np.min(np.sum(part**2) + squares[j] - 2 * match[: side - half + 1, : side - half + 1])
            differences.append(math.sqrt(max(0.0, least) / part.size))
    return float(np.mean(differences))


def _box_sums(table: np.ndarray, side: int) -> np.ndarray:
    """Sum over each side x side window of a table."""
    total = np.pad(table.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
