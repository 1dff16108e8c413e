"""What the golden runs are: their settings by the present names, and the windows stored beside them."""

from pathlib import Path
from typing import Any

from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig

FOLDER = Path(__file__).parent

CONFIG = Config(
    ModelConfig(local_channels=3, global_channels=3, wave_hidden=8, filters=(8, 4), discriminator_filters=(4, 6)),
    DataConfig(images=("pictures",), crop_cells=4, batch_size=2),
    TrainingConfig(
        conditioning="class",
        dtype="float32",
        threads=1,
        steps=10,
        minutes=0.0,
        samples=2,
        sample_pixels=64,
        evaluate_minutes=0.0,
        checkpoint_minutes=0.0,
        max_to_keep=1,
    ),
)

WINDOWS: dict[str, dict[str, Any]] = {
    "origin": {"seed": 0, "texture": 0, "top": 0, "left": 0, "height": 40, "width": 56},
    "negative": {"seed": 5, "texture": 1, "top": -300, "left": -77, "height": 40, "width": 56},
    "named": {"seed": 7, "texture": "stripes", "top": 123456, "left": -1, "height": 40, "width": 56},
}
