"""The plan of a picture that several processes make: its shards, and what of its overviews lies within a shard."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

from tf_psgan.rendering.raster import pyramid


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all processes of a picture agree on; the content of `plan.json`.

    Args:
      height, width: extent in pixels.
      shard: side of a shard in pixels, a multiple of `side`.
      side: of a block within a shard, in pixels.
      identity: everything that determines the pixels, as text by name; stored in the picture.
    """

    height: int
    width: int
    shard: int
    side: int
    identity: Mapping[str, str]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of shards."""
        return pyramid.grid((self.height, self.width), self.shard)

    @property
    def count(self) -> int:
        """Number of shards."""
        rows, cols = self.grid
        return rows * cols

    def shards(self, part: int = 0, parts: int = 1) -> Iterator[tuple[int, int]]:
        """Row and column of the shards of a part: neighbours, and each shard in one part only."""
        first, last = part * self.count // parts, (part + 1) * self.count // parts
        return itertools.islice(pyramid.order(*self.grid), first, last)

    def extent(self, row: int, col: int) -> tuple[int, int]:
        """Height and width of a shard within the picture."""
        return min(self.shard, self.height - row * self.shard), min(self.shard, self.width - col * self.shard)

    def levels(self, to_one_pixel: bool) -> list[tuple[int, int]]:
        """Height and width of each level in pixels, down to a block or to one pixel."""
        return pyramid.extents(self.height, self.width, 1 if to_one_pixel else self.side)

    @property
    def halvings(self) -> int:
        """How often a shard can be halved and still consist of whole blocks: levels that its own process makes."""
        blocks = self.shard // self.side
        return (blocks & -blocks).bit_length() - 1

    def shard_at(self, level: int) -> int:
        """Side of a shard of a level in pixels; above `halvings` it stays the same."""
        return self.shard >> min(level, self.halvings)
