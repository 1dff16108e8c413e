"""Learns a texture, shows windows of its plane, makes a seamless tile, and exports a SavedModel.

python examples/example.py photo.jpg runs/photo
"""

import sys
from pathlib import Path
from typing import Any

from PIL import Image

import tf_psgan


def main(photograph: str, folder: str, minutes: float = 4.0, **training: Any) -> None:
    """Trains for some minutes and writes window.png, tile.png and a SavedModel into the run's folder."""
    run = Path(folder)
    config = tf_psgan.Config(
        model=tf_psgan.ModelConfig(local_channels=30, waves=2),  # z_local and z_periodic of every cell
        data=tf_psgan.DataConfig(images=(photograph,), crop_cells=8, batch_size=4),
        training=tf_psgan.TrainingConfig(minutes=minutes, **training),
    )
    tf_psgan.train(config, run, progress=True)  # continues where an earlier call ended

    plane = tf_psgan.Plane.from_run(run)  # (seed, row, col) -> colour, for all integers
    window = plane.window(height=384, width=640, top=-100, left=10**9, seed=3)
    height, width = plane.fitting_extent(192, 192)  # where the waves complete whole turns
    tile = plane.tile(height, width)  # continues at its opposite edges
    Image.fromarray(window).save(run / "window.png")
    Image.fromarray(tile).save(run / "tile.png")

    tf_psgan.export(run, run / "model")  # for TensorFlow Serving


if __name__ == "__main__":
    main(*sys.argv[1:3])
