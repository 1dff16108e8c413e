"""The configurations that the benchmark trains: a preset of the project with a source, a seed and a budget."""

import hashlib
from pathlib import Path

from absl import flags

from tf_psgan import config as configs
from tf_psgan.cli import flags as edge

ROOT = Path(__file__).parents[3]
PRESETS = {"psgan": "honeycomb", "sgan": "sgan"}


def config(method: str, image: Path, seed: int, threads: int, seconds: float, steps: int) -> configs.Config:
    """The configuration of `train.py` with a preset; only the previews during training are off.

    Args:
      method: psgan or sgan.
      seconds, steps: the budget; 0: no limit of that kind.
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
    """A hash of the preset's settings, including defaults."""
    text = configs.to_json(config(method, Path("source.png"), 0, 1, 0, 1))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
