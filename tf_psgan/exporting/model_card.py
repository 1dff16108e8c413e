"""The model card of a version, in Markdown: training pictures, quality, limits, speed, signatures and settings.

It lies with its picture in `assets.extra` of the version. Values that are not known are reported as such; paths of the
machine that trained are left out.
"""

import dataclasses
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan import material
from tf_psgan._version import __version__
from tf_psgan.config import Config
from tf_psgan.data import images
from tf_psgan.data.manifest import Manifest
from tf_psgan.evaluation.evaluator import METRICS
from tf_psgan.exporting.saved_model import Draft
from tf_psgan.geometry import MAX_PIXEL
from tf_psgan.plane import chunks
from tf_psgan.runtime import device
from tf_psgan.runtime.threads import cores

FILE, PICTURE = "MODEL_CARD.md", "samples.jpg"
SAMPLES, COLUMNS, SAMPLE_PIXELS = 8, 4, 256
TIMED_PIXELS, CALLS = 512, 7
MOST_PICTURES = 32
"""Most training pictures listed one by one."""


@dataclasses.dataclass(frozen=True)
class Card:
    """What a run records about a generator.

    Args:
      run: name of the run.
      config: of the run.
      pictures: the training pictures.
      step: of the generator.
      metrics: the run's evaluations, oldest first.
      textures: names of stored textures.
      licence: of the training pictures; "" if it is not known.
      map: which picture of a material the export makes.
    """

    run: str
    config: Config
    pictures: Manifest
    step: int
    metrics: Sequence[dict[str, Any]]
    textures: Sequence[str]
    licence: str
    map: str = material.COLOUR

    def write(self, draft: Draft) -> None:
        """Writes the card and its picture; samples and times are measured on the version itself."""
        images.write(draft.extra / PICTURE, self._samples(draft))
        several = bool(self.config.model.global_channels)
        what = f"textures 0 to {SAMPLES - 1}, seed 0" if several else f"seeds 0 to {SAMPLES - 1}"
        lines = [
            f"# {draft.target.absolute().parent.name}, version {draft.target.name}",
            "",
            f"![windows of its planes]({PICTURE})",
            "",
            f"Windows of {SAMPLE_PIXELS} x {SAMPLE_PIXELS} pixels, {what}, not selected.",
            "",
            f"A generator of {'textures' if several else 'one texture'} at any size: a Periodic Spatial GAN "
            f"(Bergmann et al. 2017, arXiv:1705.06566), trained and exported by tf_psgan {__version__} "
            f"with TensorFlow {tf.__version__}.",
            "",
        ]
        lines += self._sources() + self._training() + self._likeness() + self._sizes(draft)
        lines += _speed(draft) + self._limits(draft) + _signatures(draft) + _use(draft) + self._settings()
        (draft.extra / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _samples(self, draft: Draft) -> np.ndarray:
        several = bool(self.config.model.global_channels)
        planes = [{"seed": 0, "texture": i} if several else {"seed": i, "texture": 0} for i in range(SAMPLES)]
        at = {"top": 0, "left": 0, "height": SAMPLE_PIXELS, "width": SAMPLE_PIXELS}
        return images.sheet([draft.model.run("window", **plane, **at) for plane in planes], COLUMNS)

    def _sources(self) -> list[str]:
        used = self.pictures.usable
        lines = ["## What it was trained on", "", "| picture | pixels | bytes | SHA-256 |", "|---|---|---|---|"]
        for entry in used[:MOST_PICTURES]:
            name = Path(entry.path).name.replace("|", "\\|")
            lines.append(f"| {name} | {entry.height} x {entry.width} | {entry.bytes} | {entry.sha256} |")
        if len(used) > MOST_PICTURES:
            lines.append(f"| ... and {len(used) - MOST_PICTURES} more | | | |")
        unknown = "**not stated**; ask whoever trained the model before you publish its pictures"
        stated = " ".join(self.licence.split()).rstrip(".") or unknown
        digest = f"SHA-256 over these hashes, in order: {self.pictures.digest}"
        return [*lines, "", digest, "", f"Licence of the pictures: {stated}.", ""]

    def _training(self) -> list[str]:
        seconds = next((row["seconds"] for row in reversed(self.metrics) if row["step"] <= self.step), None)
        took = "" if seconds is None else f", about {seconds / 60:.1f} minutes"
        text = f"The run `{self.run}`, {self.step} steps{took}. Settings: at the end."
        if self.map != material.COLOUR:
            text += f" Of the material that it learned, this is the {self.map} map."
        return ["## How it was trained", "", text, ""]

    def _likeness(self) -> list[str]:
        lines = ["## Quality", ""]
        if self.map != material.COLOUR:
            return [*lines, "Not known: colours are evaluated, not maps.", ""]
        if not self.metrics:
            return [*lines, "Not known: the run was not evaluated.", ""]
        last = self.metrics[-1]
        lines += [
            f"The run's last evaluation, after {last['step']} steps, of {last.get('samples', 'some')} samples of "
            f"{last.get('sample_pixels', 'some')} pixels a side, on the machine and in the compute type of the run.",
            "",
            "| metric | value | ideal | meaning |",
            "|---|---|---|---|",
        ]
        for name, (meaning, ideal) in METRICS.items():
            if last.get(name) is not None:
                lines.append(f"| `{name}` | {last[name]:.3f} | {ideal} | {meaning} |")
        lines += ["", "Two windows of the source itself score slightly below the ideal.", ""]
        return lines

    def _sizes(self, draft: Draft) -> list[str]:
        folded = draft.folded
        weights = sum(part.size for part in (*(p for block in folded.blocks for p in block), *folded.waves))
        stored = sum(file.stat().st_size for file in (draft.folder / "variables").iterdir())
        graph = (draft.folder / "saved_model.pb").stat().st_size
        textures = "one for each 64-bit integer" if self.config.model.global_channels else "one"
        if self.textures:
            textures += f"; by name, with tf_psgan: {', '.join(self.textures)}"
        rows = {
            "parameters": f"{weights}, stored as float32, batch norm folded in",
            "computed in": f"{folded.dtype}",
            "on disk": f"{stored + graph} bytes: {stored} of weights, {graph} of graph",
            "a cell": f"{folded.pixels_per_cell} x {folded.pixels_per_cell} pixels",
            "textures": textures,
        }
        return ["## What it is", "", *_table(rows), ""]

    def _limits(self, draft: Draft) -> list[str]:
        limits, cell = draft.limits, draft.folded.pixels_per_cell
        copies = (
            "- **The version contains the training pictures.** Its detail stage copies their pixels, so their licence "
            "also holds for the pictures that it makes.",
        )
        return [
            "## Limits",
            "",
            *(copies if draft.copies else ()),
            "- It generates textures like its training pictures and nothing else: no objects, and nothing that none of "
            "them contains.",
            f"- One request: at most {limits.side} pixels high, {limits.side} wide, {limits.pixels} in all. A value "
            "out of range ends the request with a message that names it.",
            f"- Corners of windows: from -{MAX_PIXEL} to {MAX_PIXEL} pixels. A `torus` has extents that are multiples "
            f"of {cell} pixels and that its waves fit; the error names the nearest.",
            "- The same window always has the same pixels within this version on one machine. Another processor or "
            "version of TensorFlow may change an 8-bit value by one, in bfloat16 rarely by two.",
            "",
        ]

    def _settings(self) -> list[str]:
        lines = ["## Settings of the run", "", "| setting | value | meaning |", "|---|---|---|"]
        for part in (self.config.model, self.config.data, self.config.training, self.config.rendering):
            for field in dataclasses.fields(part):
                if field.name != "images":  # paths of the machine that trained
                    value = getattr(part, field.name)
                    text = ", ".join(map(str, value)) if isinstance(value, tuple) else value
                    lines.append(f"| `{field.name}` | {text} | {field.metadata['help']} |")
        return lines


def _speed(draft: Draft) -> list[str]:
    window = {"seed": 0, "texture": 0, "top": 0, "left": 0, "height": TIMED_PIXELS, "width": TIMED_PIXELS}
    draft.model.run("window", **window)
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        draft.model.run("window", **window)
        times.append(1e3 * (time.perf_counter() - began))
    where = device.conditions(cores(), draft.folded.dtype)
    side = chunks.cells(draft.folded.pixels_per_cell) * draft.folded.pixels_per_cell
    text = (
        f"`window`, {TIMED_PIXELS} x {TIMED_PIXELS} pixels at the plane's origin: "
        f"**{statistics.median(times):.1f} ms**, the median of {CALLS} calls after a first one ({min(times):.1f} to "
        f"{max(times):.1f}), in one process, no network in between, with whatever else ran on the machine during the "
        f"export. Pictures are computed in chunks of {side} x {side} pixels: a window across a border costs both."
    )
    rows = {name: ", ".join(map(str, v)) or "none" if isinstance(v, list) else v for name, v in where.items()}
    return ["## Speed", "", text, "", *_table(rows), ""]


def _signatures(draft: Draft) -> list[str]:
    lines = ["## Signatures", "", "| signature | inputs | output |", "|---|---|---|"]
    for name, signature in sorted(draft.model.signatures.items()):
        inputs, outputs = (
            "<br>".join(f"`{key}` {_type(info)}" for key, info in sorted(part.items()))
            for part in (signature.inputs, signature.outputs)
        )
        lines.append(f"| `{name}` | {inputs or 'none'} | {outputs} |")
    text = "Pictures are uint8 [height, width, 3], red first. `images` are -1 to 1, with two spare pixels an edge."
    return [*lines, "", text, ""]


def _use(draft: Draft) -> list[str]:
    name = draft.target.absolute().parent.name
    return [
        "## How to use it",
        "",
        "In TensorFlow Serving as any other model. In a Python program with TensorFlow alone:",
        "",
        "```python",
        "import tensorflow as tf",
        "",
        f'model = tf.saved_model.load("{name}/{draft.target.name}")',
        "whole, extent = (lambda n: tf.constant(n, tf.int64)), (lambda n: tf.constant(n, tf.int32))",
        'picture = model.signatures["window"](seed=whole(0), texture=whole(0), top=whole(0), left=whole(0),',
        '                                     height=extent(512), width=extent(512))["image"]',
        "```",
        "",
        f'With tf_psgan: `load_plane("{name}/{draft.target.name}").window(height=512, width=512, seed=0, texture=0)`.',
        "",
    ]


def _table(rows: dict[str, Any]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _type(info: Any) -> str:
    shape = tf.TensorShape(info.tensor_shape).as_list()
    return f"{tf.as_dtype(info.dtype).name} [{', '.join('any' if n is None else str(n) for n in shape)}]"
