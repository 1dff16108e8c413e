"""The mean cell of a picture that repeats on a lattice, and how far each pixel is from it. NumPy only.

A picture that repeats has one phase per wave of its lattice at each pixel. The mean of all pixels with one phase is the
mean cell; drawn again at each pixel's phase it is the part of the picture that repeats.
"""

import numpy as np

from tf_psgan.signal_processing import smoothed

UNUSUAL = 2.0
"""What does not repeat is unusual where it is so many times as strong as its median over the picture, which is about 1;
medians below 0.5 count as 0.5."""

_FLOOR, _LEAST = 0.1, 0.01
"""Added to the usual strength at each phase, as a share of its mean and of the picture's local variance: where hardly
anything varies, little is unusual."""


def turns(extent: tuple[int, int], waves: np.ndarray) -> np.ndarray:
    """The phases of plane waves at the pixels of a picture, 0 at the first one: float64 [h, w, waves], turns.

    Args:
      extent: height and width.
      waves: float [waves, 2], cycles per pixel.
    """
    return places_of_pixels(*extent) @ waves.T


def turns_ahead(one: np.ndarray, other: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """The phase of the first pixel of a picture in the lattice of another one, where their mean cells are most alike.

    Args:
      one, other: uint8 [h, w, 3], exact repetitions of the same cell; the lattice's origin is the first pixel of `one`.
      waves: float [2, 2], of the lattice.

    Returns:
      float64 [2], turns.
    """
    return turns_between(one, turns(one.shape[:2], waves), other, turns(other.shape[:2], waves), waves)


def turns_between(
    one: np.ndarray, one_turns: np.ndarray, other: np.ndarray, other_turns: np.ndarray, waves: np.ndarray
) -> np.ndarray:
    """What has to be added to the phases of `other` so that it looks most like `one` at the same phases.

    Args:
      one, other: uint8 [h, w, 3].
      one_turns, other_turns: float [h, w, 2], their phases in turns.
      waves: float [2, 2], of the lattice, in cycles per pixel.

    Returns:
      float64 [2], turns.
    """
    spectra, extent = [], cell_extent(np.linalg.inv(waves).T)
    for picture, phases in ((one, one_turns), (other, other_turns)):
        light = picture.astype(float)
        cell = mean_cell(light - light.mean(axis=(0, 1)), phases, extent)
        spectra.append(np.fft.fft2(cell, axes=(0, 1)))
    alike = np.fft.ifft2((spectra[0] * np.conj(spectra[1])).sum(axis=-1)).real
    place = np.array(np.unravel_index(np.argmax(alike), extent))
    alike = np.roll(alike, 1 - place, axis=(0, 1))
    place = place + np.array([_vertex(alike[:3, 1]), _vertex(alike[1, :3])])
    return place / extent % 1.0


def mean_cell(picture: np.ndarray, turns: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
    """The mean of all pixels with one phase.

    Args:
      picture: [h, w, channels].
      turns: float [h, w, 2], phases of two waves in turns.
      extent: places of the result along the two phases; pixels between them count for both in linear shares.

    Returns:
      float64 [*extent, channels]; 0 where there are no pixels.
    """
    first, share = _places(turns, extent)
    count, total = np.zeros(extent[0] * extent[1]), np.zeros((picture.shape[-1], extent[0] * extent[1]))
    for down in (0, 1):
        for right in (0, 1):
            weights = np.abs(1 - down - share[..., 0]) * np.abs(1 - right - share[..., 1])
            place = (first[..., 0] + down) % extent[0] * extent[1] + (first[..., 1] + right) % extent[1]
            place, weights = place.ravel(), weights.ravel()
            count += np.bincount(place, weights, count.size)
            for channel, values in enumerate(np.moveaxis(picture, -1, 0)):
                total[channel] += np.bincount(place, weights * values.ravel(), count.size)
    return (total / np.maximum(count, 1e-9)).T.reshape(*extent, -1)


def drawn(picture: np.ndarray, turns: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
    """The picture's mean cell at each pixel's phase, float64 [h, w, channels]."""
    cell = mean_cell(picture, turns, extent)
    first, share = _places(turns, extent)
    next_row, next_col = (first[..., 0] + 1) % extent[0], (first[..., 1] + 1) % extent[1]
    down, right = share[..., :1], share[..., 1:]
    upper = cell[first[..., 0], first[..., 1]] * (1 - right) + cell[first[..., 0], next_col] * right
    lower = cell[next_row, first[..., 1]] * (1 - right) + cell[next_row, next_col] * right
    return upper * (1 - down) + lower * down


def even_light(picture: np.ndarray, cell: float) -> np.ndarray:
    """A picture without what changes slowly: float64 [h, w, channels], of about one local variance everywhere.

    Args:
      picture: [h, w, channels], in 8-bit values.
      cell: pixels of the side of a cell; standard deviation of the local means and variances.
    """
    light = picture - smoothed(picture.astype(float), cell)
    return light / np.sqrt(smoothed((light**2).sum(axis=-1, keepdims=True), cell) + 25)


def unusual(picture: np.ndarray, waves: np.ndarray, window: float) -> np.ndarray:
    """Where a picture that repeats shows something else than usual, a bolt in a plate, a flaw of a weave: bool [h, w].

    The squared distance to the mean cell, relative to the usual one at each phase, in Gaussian windows.

    Args:
      picture: uint8 [h, w, 3], an exact repetition.
      waves: float [2, 2], of its lattice, in cycles per pixel.
      window: standard deviation of the windows in pixels.
    """
    vectors = np.linalg.inv(waves).T
    seen = smoothed(even_light(picture, float(np.sqrt(abs(np.linalg.det(vectors))))), 1.0)
    phases, extent = turns(picture.shape[:2], waves), cell_extent(vectors)
    apart = ((seen - drawn(seen, phases, extent)) ** 2).sum(axis=-1, keepdims=True)
    usual = drawn(apart, phases, extent)
    strength = smoothed(apart / (usual + _FLOOR * usual.mean() + _LEAST), window)[..., 0]
    return strength > UNUSUAL * max(0.5, float(np.median(strength)))


def cell_extent(lattice: np.ndarray) -> tuple[int, int]:
    """Places of a mean cell along the vectors of a lattice, about one for each pixel."""
    first, second = (int(max(8, round(length))) for length in np.linalg.norm(lattice, axis=1))
    return first, second


def places_of_pixels(height: int, width: int) -> np.ndarray:
    """Rows and columns of pixels: float64 [height, width, 2]."""
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).astype(float)


def _places(turns: np.ndarray, extent: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The place of a mean cell before each phase, int64 [h, w, 2], and how far the phase is beyond it, 0 to 1."""
    at = (turns % 1.0) * extent
    first = np.floor(at).astype(np.int64)
    return first % extent, at - first


def _vertex(values: np.ndarray) -> float:
    """The vertex of the parabola through three values, from the middle one, which is the highest."""
    curvature = values[0] - 2 * values[1] + values[2]
    return float(0.5 * (values[0] - values[2]) / curvature) if curvature < -1e-9 else 0.0
