"""The exemplar: photographs as the detail stage needs them, at several resolutions.

At each level every pixel of the photographs has a feature: the principal components of its neighbourhood of 5 x 5
pixels of that level (Lefebvre and Hoppe 2006, "Appearance-space texture synthesis", section 3). All numbers are
integers so small that sums of their products are exact in float32, in any order and on any device. The synthesis
therefore has the same bits in every window, in NumPy, in a graph and on a GPU.
"""

import dataclasses
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_psgan.detail import mean_cell, rectification
from tf_psgan.detail.features import (
    COMPONENTS,
    MEAN_STEPS,
    TAPS,
    box_means,
    component_features,
    local_means,
    neighbourhoods,
    principal_components,
    similar_positions,
)
from tf_psgan.detail.phases import MOST
from tf_psgan.errors import PictureError

OUTSIDE = 8191
"""Component of a pixel whose neighbourhood leaves its photograph: farther from every feature than any other."""

RESOLUTIONS = 5
"""Most resolutions where the generator learned the photographs at their own scale: the guide's has pixels of 16 x 16,
neighbourhoods of 80 x 80. As many more as the photographs were halved before."""

SYNTHESISED = 3
"""Resolutions at which a picture is made, where the generator learned the photographs at their own scale. As many more
as the photographs were halved before."""

SIMILAR = 1
"""Similar positions stored per pixel of the coarsest level that is synthesised; none at finer ones."""

_CANDIDATES = 12000
"""Positions among which similar ones are searched, and with which patches start."""

_APART = 0.05
"""Least distance of a similar position, as a share of the photograph's side: nearer ones add no choice."""

SHIFTS = ((0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (0.5, 0.5))
"""Pixels by which rectified photographs are shifted, not at all first, each way one more photograph: copies at the
right phase are then off by a quarter of a pixel at most, and joints between them have no steps."""

SHIFTED_PIXELS = 700_000
"""Most pixels of all shifted photographs together; where there would be more, they are not shifted."""

_LEAST_SIDE = 8
"""Least side of a photograph, in pixels of the coarsest level."""

LOCAL_BLOCKS = 2
"""Standard deviation of the weights of local means, in pixels of the guide's resolution."""

FORMAT = 9
"""Counts up when exemplars get other contents; photographs are measured again where a file has another number."""

_DAMAGED = (
    LookupError, TypeError, AttributeError, ArithmeticError, EOFError, OSError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy and zipfile raise for damaged files besides ValueError."""

_OWN = ("places", "local_means", "waves", "ahead", "unusual", "guide_table", "colour_shift", "wave_offsets")
"""Fields of an exemplar besides its levels."""

_TYPES = {
    "colours": np.int16, "features": np.int16, "filters": np.int16, "centre": np.int32,
    "similar": np.int32, "starts": np.int32, "places": np.int32, "local_means": np.int16, "waves": np.float64,
    "ahead": np.float64, "unusual": np.bool_, "guide_table": np.uint8, "colour_shift": np.int32,
    "wave_offsets": np.int64,
}  # fmt: skip
"""Types of the arrays of a level and of an exemplar."""


class FormatError(ValueError):
    """An exemplar that another version of this package wrote."""


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """One resolution. The photographs stand below each other in one table of positions, row by row.

    Args:
      pixels: pixels of the photographs from one pixel of this level to the next: 1, 2, 4, ...
      grid: pixels from one position of the table to the next; positions between the level's pixels count, too.
      width: positions in a row of the table.
      colours: int16 [positions, 3]: the mean of `pixels` x `pixels` pixels, the first of them at the position. At the
        levels that are synthesised less the rounded local mean there, so that they are independent of uneven light.
      features: int16 [positions, COMPONENTS], in -PEAK .. PEAK, or OUTSIDE.
      filters: int16 [TAPS * TAPS * 3, COMPONENTS], from colours (rows, columns, channels) to components.
      centre: int32 [COMPONENTS], subtracted from the filters' response.
      scale: divides the centred response; a power of two, so that the division is exact.
      similar: int32 [positions, n]: other positions with a similar feature.
      starts: int32 [m]: positions that a patch may start with.
    """

    pixels: int
    grid: int
    width: int
    colours: np.ndarray
    features: np.ndarray
    filters: np.ndarray
    centre: np.ndarray
    scale: int
    similar: np.ndarray
    starts: np.ndarray

    @property
    def stride(self) -> int:
        """Positions from one pixel of the level to the next."""
        return self.pixels // self.grid


@dataclasses.dataclass(frozen=True, eq=False)
class Exemplar:
    """Photographs at several resolutions.

    Args:
      levels: the finest first. Those that are synthesised, each of half the resolution of the one before, and the
        resolution at which the guide chooses.
      places: int32 [photographs, 3]: first row in the finest table, height and width.
      local_means: int16 [positions of the finest level, 3]: means of the photographs around a position, in 8-bit
        values in units of 1 / MEAN_STEPS (`features.local_means`).
      waves: float64 [2, 2], wave numbers of the lattice on which the photographs were rectified, in cycles per pixel,
        (row, col) last; [0, 2] where they do not nearly repeat.
      ahead: float64 [photographs, 2]: the phase of each photograph's first pixel in the first one's lattice, in turns.
      unusual: bool [positions of the finest level]: where a photograph shows something else than its lattice does
        (`mean_cell.unusual`); nowhere without a lattice.
      guide_table: uint8 [3, 256]: the 8-bit value to use for each 8-bit value of a guide's means of blocks of the
        coarsest level, by channel.
      colour_shift: int32 [3]: added to the copied pixels' 8-bit values, by channel.
      wave_offsets: int64 [waves]: how far the phase of the photographs' lattice is ahead of the generator's waves, in
        turns of 2**-64; of no waves where copies follow no lattice.
    """

    levels: tuple[Level, ...]
    places: np.ndarray
    local_means: np.ndarray
    waves: np.ndarray
    ahead: np.ndarray
    unusual: np.ndarray
    guide_table: np.ndarray
    colour_shift: np.ndarray
    wave_offsets: np.ndarray

    @classmethod
    def build(
        cls, pictures: Sequence[np.ndarray], resolutions: int = RESOLUTIONS, lattice: np.ndarray | None = None
    ) -> "Exemplar":
        """Measures photographs; a second or two per 100,000 pixels.

        Args:
          pictures: uint8 [h, w, 3] each.
          resolutions: 2 or more; the guide's has pixels of 2**(resolutions - 1).
          lattice: float [2, 2], (row, col) pixels of two vectors on which all photographs nearly repeat. They are
            rectified on it (`rectification`), unless one of them does not.

        Returns:
          An exemplar whose copies follow no lattice until it has `wave_offsets`.

        Raises:
          PictureError: a photograph is too small for the coarsest level.
        """
        least = _LEAST_SIDE * 2 ** (resolutions - 1)
        for i, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            if min(height, width) < least:
                raise PictureError(
                    f"picture {i}",
                    f"{height}x{width} pixels are too few for the detail stage",
                    f"use pictures of {least}x{least} or more, or no detail stage",
                    value=(height, width),
                    settings=("detail",),
                )
        waves, ahead = np.zeros((0, 2)), np.zeros((len(pictures), 2))
        if lattice is not None and len(lattice) and (found := _on_lattice(pictures, lattice, least)):
            (pictures, ahead), waves = found, np.linalg.inv(lattice).T
        side = 2 ** (resolutions - 1)
        tops = np.cumsum([0, *(_aligned(picture.shape[0], side) for picture in pictures)])
        places = tuple((int(top), *picture.shape[:2]) for top, picture in zip(tops, pictures, strict=False))
        means = [local_means(picture, LOCAL_BLOCKS * side) for picture in pictures]
        base = [_rounded(mean) for mean in means]
        count = synthesis_levels(resolutions)
        similar = [0] * (count - 1) + [SIMILAR]
        measured = [_level(pictures, base, 2**level, similar[level], side) for level in range(count)]
        measured.append(_level(pictures, [np.zeros_like(mean) for mean in means], side, 0, side))
        finest = np.zeros((len(measured[0].colours) // measured[0].width, measured[0].width, 3), np.int16)
        unusual = np.zeros(finest.shape[:2], bool)
        for (top, height, width), picture, mean in zip(places, pictures, means, strict=True):
            finest[top : top + height, :width] = mean
            if len(waves):
                unusual[top : top + height, :width] = mean_cell.unusual(picture, waves, side)
        return cls(
            levels=tuple(measured),
            places=np.array(places, np.int32),
            local_means=finest.reshape(-1, 3),
            waves=waves,
            ahead=ahead,
            unusual=unusual.ravel(),
            guide_table=np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis], 3, axis=0),
            colour_shift=np.zeros(3, np.int32),
            wave_offsets=np.zeros(0, np.int64),
        )

    @property
    def resolutions(self) -> int:
        """The number that `build` was given."""
        return self.levels[-1].pixels.bit_length()

    @property
    def pictures(self) -> list[np.ndarray]:
        """The photographs, uint8 [h, w, 3] each."""
        table = (self.levels[0].colours + _rounded(self.local_means)).astype(np.uint8)
        table = table.reshape(-1, self.levels[0].width, 3)
        return [table[top : top + height, :width] for top, height, width in self.places]

    def with_guide(self, guide: np.ndarray) -> "Exemplar":
        """The exemplar with the table that gives a guide the photographs' histograms at the coarsest level.

        Args:
          guide: uint8 [h, w, 3], a part of it that is large enough for its histograms.
        """
        level = self.levels[-1]
        drawn = box_means(guide, level.pixels).reshape(-1, 3)
        colours = level.colours[level.features[:, 0] != OUTSIDE]
        tables = [_histogram_table(drawn[:, i], colours[:, i]) for i in range(3)]
        return dataclasses.replace(self, guide_table=np.stack(tables))

    def mean_colour(self) -> np.ndarray:
        """The mean of the photographs' pixels: float64 [3], in 8-bit values."""
        return np.concatenate([picture.reshape(-1, 3) for picture in self.pictures]).mean(axis=0)

    def to_bytes(self) -> bytes:
        """The exemplar as the bytes of an .npz file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **self._arrays(), format=np.asarray(FORMAT))
        return buffer.getvalue()

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where any number of the exemplar differs."""
        digest = hashlib.sha256()
        for name, array in self._arrays().items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {
            f"{i}/{field.name}": np.asarray(getattr(level, field.name))
            for i, level in enumerate(self.levels)
            for field in dataclasses.fields(level)
        }
        return arrays | {name: np.asarray(getattr(self, name)) for name in _OWN}

    @classmethod
    def from_bytes(cls, data: bytes) -> "Exemplar":
        """Reads what `to_bytes` wrote.

        Raises:
          FormatError: data of another version of this package.
          ValueError: damaged data.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                if "format" not in arrays or int(arrays["format"]) != FORMAT:
                    raise FormatError("made by another version of this package")
                count = sum(name.endswith("/pixels") for name in arrays)
                levels = tuple(_read_level(arrays, i) for i in range(count))
                found = cls(levels, *(arrays[name] for name in _OWN))
            found.check()
            return found
        except _DAMAGED as error:
            raise ValueError(str(error) or type(error).__name__) from None

    def check(self) -> None:
        """Raises ValueError where arrays are of other types, do not fit each other, or name positions outside."""
        for name, array in self._arrays().items():
            if (kind := _TYPES.get(name.rpartition("/")[2])) and array.dtype != kind:
                raise ValueError(f"{name} of an exemplar is not {np.dtype(kind)}")
        are_waves = self.waves.shape in ((0, 2), (2, 2)) and np.isfinite(self.waves).all()
        if not are_waves or len(self.wave_offsets) not in (0, len(self.waves)):
            raise ValueError("the waves of an exemplar do not fit together")
        if len(self.waves):
            span = abs(np.linalg.det(self.waves))
            if not (np.abs(self.waves).max() <= 0.5 and np.abs(self.waves).max() < MOST * span):
                raise ValueError("the waves of an exemplar are those of no lattice")
        if not np.isfinite(self.ahead).all():
            raise ValueError("the phases of an exemplar are not finite")
        for i, level in enumerate(self.levels):
            count = len(level.colours)
            shapes = {
                "colours": (count, 3),
                "features": (count, COMPONENTS),
                "filters": (TAPS * TAPS * 3, COMPONENTS),
                "centre": (COMPONENTS,),
                "similar": (count, level.similar.shape[-1]),
                "starts": (len(level.starts),),
            }
            wrong = [name for name, shape in shapes.items() if getattr(level, name).shape != shape]
            places = level.similar, level.starts
            if wrong or any(part.size and not 0 <= part.min() <= part.max() < count for part in places):
                raise ValueError(f"level {i} of an exemplar does not fit together")
            if level.width < 1 or count % level.width or level.pixels != level.grid * level.stride or level.scale < 1:
                raise ValueError(f"level {i} of an exemplar has no such grid")
        rows, rest = divmod(len(self.levels[0].colours), self.levels[0].width)
        inside = (self.places >= (0, 1, 1)).all() and (self.places[:, 2] <= self.levels[0].width).all()
        if rest or not inside or (self.places[:, 0] + self.places[:, 1] > rows).any():
            raise ValueError("a photograph of an exemplar lies outside of its table")
        tables = {
            "local_means": (len(self.levels[0].colours), 3), "guide_table": (3, 256), "colour_shift": (3,),
            "ahead": (len(self.places), 2), "unusual": (len(self.levels[0].colours),),
        }  # fmt: skip
        if any(getattr(self, name).shape != shape for name, shape in tables.items()):
            raise ValueError("tables of an exemplar do not fit together")


def most_resolutions(pictures: Sequence[np.ndarray], downsampling: int = 1) -> int:
    """The most resolutions that the smallest photograph has room for: 2 to RESOLUTIONS, or more where they are halved.

    Args:
      pictures: uint8 [h, w, 3] each.
      downsampling: by which the generator learned them reduced, a power of two.
    """
    side = min(min(picture.shape[:2]) for picture in pictures)
    return min(RESOLUTIONS - 1 + downsampling.bit_length(), max(2, int(np.log2(max(1, side / _LEAST_SIDE))) + 1))


def synthesis_levels(resolutions: int) -> int:
    """How many of the finest resolutions are synthesised; the guide's is none of them."""
    return min(SYNTHESISED + max(0, resolutions - RESOLUTIONS), resolutions - 1)


def _histogram_table(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The table that gives `values` the histogram of `wanted`, both uint8 [n]: uint8 [256], monotonic."""
    shares = []
    for part in (values, wanted):
        counts = np.bincount(part, minlength=256)
        shares.append((np.cumsum(counts) - counts / 2) / counts.sum())  # of smaller values, half of equal ones
    return np.round(np.interp(shares[0], shares[1], np.arange(256))).astype(np.uint8)


def _on_lattice(
    pictures: Sequence[np.ndarray], lattice: np.ndarray, least: int
) -> tuple[list[np.ndarray], np.ndarray] | None:
    """The photographs, rectified and shifted, and `Exemplar.ahead`.

    None where one of them does not nearly repeat on the lattice, or has fewer than `least` pixels a side afterwards or
    no room for a cell and two blocks.
    """
    found = []
    for picture in pictures:
        if (bent := rectification.rectified(picture, lattice)) is None:
            return None
        found.append(bent)
    whole, waves = [bent.picture() for bent in found], np.linalg.inv(lattice).T
    room = np.maximum(least, np.abs(lattice).sum(axis=0) + 2 * least // _LEAST_SIDE)
    if any((picture.shape[:2] < room).any() for picture in whole):
        return None
    pixels = len(SHIFTS) * sum(picture.shape[0] * picture.shape[1] for picture in whole)
    shifts = SHIFTS if pixels <= SHIFTED_PIXELS else SHIFTS[:1]
    turns = [mean_cell.turns_ahead(whole[0], picture, waves) for picture in whole]
    ahead = np.array([turn + waves @ shift for turn in turns for shift in shifts])
    shifted = [
        picture
        for bent, first in zip(found, whole, strict=True)
        for picture in (first, *(bent.picture(shift) for shift in shifts[1:]))
    ]
    return shifted, ahead


def _read_level(arrays: Any, number: int) -> Level:
    values: dict[str, Any] = {field.name: arrays[f"{number}/{field.name}"] for field in dataclasses.fields(Level)}
    values |= {name: int(value) for name, value in values.items() if not value.ndim}
    return Level(**values)


def _rounded(means: np.ndarray) -> np.ndarray:
    """Local means in whole 8-bit values."""
    return (means + MEAN_STEPS // 2) // MEAN_STEPS


def _level(
    pictures: Sequence[np.ndarray], base: Sequence[np.ndarray], pixels: int, similar: int, alignment: int
) -> Level:
    """A level, whose colours are relative to `base`, int16 [h, w, 3] for each photograph."""
    grid = max(1, pixels // 2)
    stride = pixels // grid
    tables = []
    for picture, less in zip(pictures, base, strict=True):
        means = box_means(picture, pixels)
        tables.append((means - less[: means.shape[0], : means.shape[1]])[::grid, ::grid])
    blocks = [neighbourhoods(table, stride) for table in tables]
    filters, centre, scale = principal_components(blocks)
    # Aligned to the coarsest grid, so that a position of one level is one of the next at twice its row and column.
    heights = [_aligned(picture.shape[0], alignment) // grid for picture in pictures]
    width = max(_aligned(picture.shape[1], alignment) for picture in pictures) // grid
    colours = np.zeros((sum(heights), width, 3), np.int16)
    features = np.full((sum(heights), width, COMPONENTS), OUTSIDE, np.int16)
    for top, table, block in zip(np.cumsum([0, *heights]), tables, blocks, strict=False):
        colours[top : top + table.shape[0], : table.shape[1]] = table
        first, rows, cols = top + TAPS // 2 * stride, *block.shape[:2]
        left = TAPS // 2 * stride
        features[first : first + rows, left : left + cols] = component_features(block, filters, centre, scale)
    flat = features.reshape(-1, COMPONENTS)
    positions = np.flatnonzero(flat[:, 0] != OUTSIDE).astype(np.int32)
    starts = positions[:: -(-len(positions) // _CANDIDATES)]
    apart = max(2 * stride, round(_APART * min(min(table.shape[:2]) for table in tables)))
    found = similar_positions(flat, positions, starts, width, similar, apart)
    return Level(pixels, grid, width, colours.reshape(-1, 3), flat, filters, centre, scale, found, starts)


def _aligned(pixels: int, alignment: int) -> int:
    return -(-pixels // alignment) * alignment
