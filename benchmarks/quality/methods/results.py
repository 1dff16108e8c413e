"""What is to be made, what is made, and where it lies: a folder per texture, a PNG and a JSON per method and seed."""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.quality.methods import presets

METHODS = {
    "psgan": "PSGAN (this project)",
    "sgan": "SGAN (this project)",
    "quilting": "image quilting",
    "gatys": "Gatys et al.",
    "portilla": "Portilla-Simoncelli",
    "dcgan": "DCGAN",
}
FLOOR = "floor"
"""The pseudo-method that makes the same procedural texture with another seed."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture to be made by one process.

    folder: where this texture's source and results lie.
    source: the source's digest.
    pixels: side of the picture.
    settings: what else the method goes by, as `settings_of` picked it; JSON.
    """

    folder: str
    source: str
    method: str
    seed: int
    pixels: int
    threads: int
    settings: dict[str, Any]

    @property
    def stem(self) -> Path:
        """The result's path without a suffix."""
        return Path(self.folder) / f"{self.method}-{self.seed}"

    @property
    def picture(self) -> Path:
        """The picture that was made."""
        return self.stem.with_suffix(".png")

    @property
    def record(self) -> Path:
        """What it took, and under which settings; written last."""
        return self.stem.with_suffix(".json")

    @property
    def key(self) -> dict[str, Any]:
        """All that decides what is made; another key, another result."""
        settings = self.settings | ({"vgg": Path(self.settings["vgg"]).name} if "vgg" in self.settings else {})
        return {"source": self.source, "pixels": self.pixels, "threads": self.threads, **settings}

    def is_done(self) -> bool:
        """Whether the result is there, made from the same source by the same settings."""
        return self.picture.exists() and read(self.record).get("key") == self.key

    def command(self) -> list[str]:
        """The child process that does it."""
        return [sys.executable, "-m", "benchmarks.quality.methods.one", json.dumps(dataclasses.asdict(self))]


def settings_of(method: str, flags: dict[str, Any]) -> dict[str, Any]:
    """Those of the benchmark's flags that a method goes by."""
    names = {
        "psgan": ("train_seconds", "train_steps"),
        "sgan": ("train_seconds", "train_steps"),
        "dcgan": ("train_seconds", "train_steps"),
        "gatys": ("gatys_steps", "vgg"),
        "portilla": ("portilla_steps",),
    }
    preset = {"preset": presets.digest(method)} if method in presets.PRESETS else {}
    return {name: flags[name] for name in names.get(method, ())} | preset


def read(file: Path) -> dict[str, Any]:
    """A record; {} where there is none or a kill cut it off."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(file: Path, values: Any) -> None:
    """Writes JSON whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    partial.replace(file)


def peak_megabytes() -> float:
    """The most memory that this process has held at once (resident, libraries included)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        # Not getrusage, which on Linux starts from what the parent held.
        return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource  # not on every system

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
