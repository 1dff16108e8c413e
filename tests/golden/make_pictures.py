"""Makes the two pictures of the golden runs: python -m tests.golden.make_pictures"""

from pathlib import Path

import numpy as np
from PIL import Image

PERIODS = {"rings": (12, 12), "stripes": (8, 96)}  # across and down, in pixels


def main() -> None:
    folder = Path(__file__).parent / "pictures"
    folder.mkdir(exist_ok=True)
    rows, cols = np.mgrid[:96, :96]
    for name, (across, down) in PERIODS.items():
        light = 128 + 80 * np.sin(2 * np.pi * cols / across) * np.cos(2 * np.pi * rows / down)
        grain = np.random.default_rng(0).integers(-12, 13, (96, 96))
        grey = np.clip(light + grain, 0, 255) // 8 * 8
        page = np.stack([grey, grey * 0.75, grey * 0.5], axis=-1).astype(np.uint8)
        Image.fromarray(page).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
