"""The settings of this project's presets as the benchmark trains them: the preset, the source, a seed and a budget."""

import hashlib
from pathlib import Path

from absl import flags

from tf_psgan import config as configs
from tf_psgan.cli import flags as edge

ROOT = Path(__file__).parents[3]
PRESETS = {"psgan": "honeycomb", "sgan": "sgan"}


def config(method: str, image: Path, seed: int, threads: int, seconds: float, steps: int) -> configs.Config:
    """What `train.py` would be given, as anybody would give it; only previews on the way are off.

    Args:
      method: psgan or sgan.
      seconds, steps: the budget; 0 for no limit of that kind.
    """
    values = flags.FlagValues()
    edge.define_config(values)
    flags.DEFINE_string("run", None, "Not used; the presets name one.", flag_values=values)
    values(
        [
            method,
            f"--flagfile={ROOT}/flags/{PRESETS[method]}.cfg",
            f"--images={image}",
            f"--seed={seed}",
            f"--minutes={seconds / 60}",
            f"--steps={steps}",
            f"--threads={threads}",
            "--evaluate_minutes=0",
            "--samples=1",
            "--sample_pixels=128",
        ]
    )
    return edge.read_config(values)


def digest(method: str) -> str:
    """Tells the preset's settings, defaults included, from others."""
    text = configs.to_json(config(method, Path("source.png"), 0, 1, 0, 1))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
