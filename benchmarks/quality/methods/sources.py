"""The source of one texture, stored in a folder that the processes of all methods read.

NumPy and Pillow only: processes with PyTorch must not load TensorFlow, because their memory is measured.
"""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.quality.methods import results
from tf_psgan.procedural import catalogue

FLOOR_SEED = 1000
"""The floor of seed n is the procedural texture of seed 1000 + n."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A texture to compare methods on.

    picture: uint8 [side, side, 3].
    periods: [2, 2] lattice vectors, (row, col) in pixels: exact for procedural textures, measured in the whole
      picture for others; [0, 2] without a lattice.
    made: the name of a procedural texture; "" for other pictures.
    floor: for other pictures, the metrics of parts of the picture compared with each other.
    """

    name: str
    picture: np.ndarray
    periods: np.ndarray
    made: str = ""
    floor: dict[str, float | None] = dataclasses.field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of the pixels."""
        return hashlib.sha256(self.picture.tobytes()).hexdigest()[:16]

    def regenerate(self, seed: int, pixels: int) -> np.ndarray:
        """The same procedural texture with other random numbers: the result of a perfect method."""
        return catalogue.make(self.made, FLOOR_SEED + seed, pixels, pixels)

    def write(self, folder: Path) -> None:
        """Writes source.png and source.json."""
        folder.mkdir(parents=True, exist_ok=True)
        write_picture(folder / "source.png", self.picture)
        about = {"name": self.name, "periods": self.periods.tolist(), "made": self.made, "floor": self.floor}
        results.write(folder / "source.json", about)


def read(folder: Path) -> Source:
    """Reads the source of a folder."""
    about = results.read(folder / "source.json")
    periods = np.array(about["periods"], float).reshape(-1, 2)
    return Source(about["name"], read_picture(folder / "source.png"), periods, about["made"], about["floor"])


def read_picture(file: Path) -> np.ndarray:
    """uint8 [h, w, 3] of one of the benchmark's own PNGs."""
    with Image.open(file, formats=("PNG",)) as image:
        return np.array(image.convert("RGB"))


def write_picture(file: Path, picture: np.ndarray) -> None:
    """Writes a PNG atomically."""
    partial = file.with_name(f".{file.name}.partial")
    Image.fromarray(picture).save(partial, format="PNG", compress_level=1)
    partial.replace(file)
