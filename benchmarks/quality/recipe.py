"""Ablations: one setting changed at a time, on several textures and seeds, at equal training time.

  python benchmarks/quality/recipe.py --out=runs/recipe [--arms=defaults,no_spectral_loss] [--seconds=60] [--workers=2]
                              [--textures=honeycomb,brick,my/photo.jpg] [--vgg=WEIGHTS] [--base=--filters=64,32]

Every run has one thread and the same processor seconds for its training steps, so that an arm with costlier steps has
fewer of them, and other work on the machine has no influence. The pictures are evaluated by `texture_metrics` and by
the distribution of fine detail (grain: `roughness`). The table contains each arm's metrics divided by those of the
defaults for the same texture and seed, as median and quartiles over all runs; below 1 is better. With --vgg there are
three columns of what no arm optimises: precision and recall of VGG-19's pool3 as a share of what the picture's halves
reach against each other, the pattern of the cell as a multiple of chance, and the discriminator's loss at the end.
Existing results are read from their files, so arms can be added later.
"""

import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import program
from tf_psgan.signal_processing import luminance

USAGE = "Trains with one setting changed at a time and tabulates the effect."
ROOT = Path(__file__).parents[2]
BASE = "defaults"
# For each arm: the changed settings, and the name of a function in variants.py.
ARMS: dict[str, tuple[tuple[str, ...], str]] = {
    BASE: ((), "plain"),
    "no_spectral_loss": (("--spectral_loss_weight=0",), "plain"),
    "spectra_only": ((), "spectra_only"),
    "one_block": ((), "one_block"),
    "spectral_half": (("--spectral_loss_weight=0.5",), "plain"),
    "spectral_2": (("--spectral_loss_weight=2",), "plain"),
    "spectral_8": (("--spectral_loss_weight=8",), "plain"),
    "hinge": ((), "hinge"),
    "no_r1": (("--r1=0",), "plain"),
    "r1_10": (("--r1=10",), "plain"),
    "spectral_norm": ((), "spectral_norm"),
    "two_rates": ((), "two_rates"),
    "rate_doubled": (("--learning_rate=4e-4",), "plain"),
    "alternating": (("--updates=alternating",), "plain"),
    "no_ema": (("--ema_decay=0",), "plain"),
    "ema_97": (("--ema_decay=0.97",), "plain"),
    "ladder_waves": (("--wave_init=paper", "--wave_lr_multiplier=1"), "plain"),
    "no_waves": (("--waves=0",), "plain"),
    "padded": ((), "padded"),
    "kernel_5": (("--kernel_size=5",), "plain"),
    "augmented": ((), "augmented"),
    "crops_96": (("--crop_cells=6",), "plain"),
    "crops_160": (("--crop_cells=10",), "plain"),
    "crops_192": (("--crop_cells=12",), "plain"),
    "batch_8": (("--batch_size=8",), "plain"),
    "batch_16": (("--batch_size=16",), "plain"),
    "cells_32": (("--filters=256,128,64,32", "--crop_cells=5"), "plain"),
    "discriminator_wider": (("--discriminator_filters=32,64,128,256",), "plain"),
    "discriminator_narrower": (("--discriminator_filters=8,16,32,64",), "plain"),
    "wider": (("--filters=256,128,64", "--discriminator_filters=32,64,128,256"), "plain"),
    "narrower": (("--filters=64,32,16",), "plain"),
    "pairs_1": ((), "pairs_1"),
    "pairs_3": ((), "pairs_3"),
    "pairs_10": ((), "pairs_10"),
    "multi_scale": ((), "multi_scale"),
    "anti_aliased": ((), "anti_aliased"),
    "decayed": ((), "decayed"),
    "discriminator_gram": ((), "discriminator_gram"),
    "raw_patches": ((), "raw_patches"),
    "local_40": (("--local_channels=40",), "plain"),
    "field_61": (("--discriminator_filters=16,32,64",), "plain"),
    "from_honeycomb": ((), "from_honeycomb"),
    "from_honeycomb_held": ((), "from_honeycomb_held"),
    "from_manifold": (("--filters=192,96,48", "--local_channels=20"), "from_manifold"),
    "as_manifold": (("--filters=192,96,48", "--local_channels=20"), "plain"),
    "field_253": (("--discriminator_filters=16,32,64,128,128", "--crop_cells=12"), "plain"),
}
TEXTURES = ("honeycomb", "brick", "knit", "scales", "pebbles", "water")
METRICS = ("autocorrelation_distance", "log_spectrum", "sliced_wasserstein", "colour", "grain")
UNSEEN = ("precision/recall", "cell pattern", "discriminator's loss")
PICTURES, PIXELS = 6, 256


def define(values: flags.FlagValues) -> None:
    """Defines flags for the output, the arms, textures and seeds, and the duration."""
    flags.DEFINE_string("out", None, "Folder for the results.", flag_values=values)
    flags.DEFINE_list("arms", list(ARMS), f"Arms to run: {', '.join(ARMS)}.", flag_values=values)
    flags.DEFINE_list("textures", list(TEXTURES), "Pictures in textures/, without .png, or files.", flag_values=values)
    flags.DEFINE_list("seeds", ["1", "2", "3"], "Seeds.", flag_values=values)
    flags.DEFINE_float("seconds", 60.0, "Processor seconds of training steps.", lower_bound=1, flag_values=values)
    flags.DEFINE_multi_string("base", [], "Setting of all arms, as in --base=--filters=64,32.", flag_values=values)
    flags.DEFINE_string("vgg", None, "VGG-19 weights, see tf_psgan/evaluation/vgg_weights.py.", flag_values=values)
    flags.DEFINE_integer("workers", 2, "Runs at the same time.", lower_bound=1, flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Trains the missing runs; returns a Markdown table with a row per arm."""
    out = edge.path(values, "out")
    if unknown := [arm for arm in values.arms if arm not in ARMS]:
        raise ValueError(f"arms: {unknown[0]!r} is none; choose from {', '.join(ARMS)}.")
    stems = [Path(texture).stem for texture in values.textures]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise ValueError(f"textures: {twice[0]!r} is named twice; rename a file or name it once.")
    out.mkdir(parents=True, exist_ok=True)
    arms = [BASE, *(arm for arm in values.arms if arm != BASE)]
    runs = [(a, t, s) for s in values.seeds for a in arms for t in values.textures]
    with ThreadPoolExecutor(values["workers"].value) as pool:
        missing = [run for run in runs if not _file(out, *run).exists()]
        for texture in {run[1] for run in missing}:
            _picture(texture)
        common: dict[str, Any] = {
            "seconds": values["seconds"].value,
            "vgg": values["vgg"].value,
            "base": values["base"].value,
        }
        conditions = _conditions(common)
        for run in sorted(set(runs) - set(missing)):
            if (made := _read(out, *run).get("conditions", conditions)) != conditions:
                raise ValueError(
                    f"out: {_file(out, *run)} was made with {made}, not {conditions}; choose another folder."
                )
        jobs = [pool.submit(_child, out, *run, common) for run in missing]
        for job in jobs:
            job.result()
    return _table({run: _read(out, *run) for run in runs}, arms)


def _conditions(common: dict[str, Any]) -> dict[str, Any]:
    """What has to be equal for results to be compared."""
    return {name: common[name] for name in ("seconds", "base")}


def _read(out: Path, *run: str) -> dict[str, Any]:
    """The metrics of a run; those that are not finite are stored as null, and are NaN here."""
    stored = json.loads(_file(out, *run).read_text(encoding="utf-8"))
    return {name: math.nan if value is None else value for name, value in stored.items()}


def _file(out: Path, arm: str, texture: str, seed: str) -> Path:
    return out / f"{arm}-{Path(texture).stem}-{seed}.json"


def _picture(texture: str) -> Path:
    """The file of a picture, named by its stem in textures/ or by its path."""
    for file in (ROOT / "textures" / f"{texture}.png", Path(texture).expanduser().absolute()):
        if file.is_file():
            return file
    raise ValueError(f"textures: {texture!r} is none of {ROOT / 'textures'} and no file; give a name or a path.")


def _child(out: Path, arm: str, texture: str, seed: str, common: dict[str, Any]) -> None:
    to, picture = str(_file(out, arm, texture, seed).absolute()), str(_picture(texture))
    one = [sys.executable, __file__, "--one", to, arm, picture, seed, json.dumps(common)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(one, check=True, cwd=ROOT, env=environment)


def _table(found: dict[tuple[str, str, str], dict[str, Any]], arms: list[str]) -> str:
    unseen = all("precision" in metrics for metrics in found.values())
    titles = ["arm", "steps", *(name.replace("_", " ") for name in METRICS), "lattices", *(UNSEEN if unseen else ())]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for arm in arms:
        own = {run[1:]: metrics for run, metrics in found.items() if run[0] == arm}
        cells = []
        for name in METRICS:
            ratios = [metrics[name] / found[(BASE, *run)][name] for run, metrics in own.items()]
            low, middle, high = np.nanpercentile(ratios, (25, 50, 75))
            cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
        periodic = [metrics for metrics in own.values() if metrics["periodic"]]
        matched = sum(f["peak_offset_pixels"] <= 1.5 and f["peak_height"] >= 0.9 for f in periodic)
        steps = f"{np.median([metrics['step'] for metrics in own.values()]):.0f}"
        cells.append(f"{matched} of {len(periodic)}")
        if unseen:
            precision, recall, pattern, loss = (
                np.nanmedian([metrics[name] for metrics in own.values()])
                for name in ("precision", "recall", "pattern", "discriminator_loss")
            )
            cells += [f"{precision:.2f}/{recall:.2f}", f"{pattern:.1f}", f"{loss:.2f}"]
        lines.append(f"| {arm} | {steps} | {' | '.join(cells)} |")
    return "\n".join(lines)


def roughness(pictures: list[np.ndarray]) -> np.ndarray:
    """Roughness of the blocks of 8 x 8 pixels, [49]: quantiles of the logarithm of the high-pass variance.

    High-pass is luminance, in 8-bit values, minus the mean of the four neighbours. If grain is
    distributed evenly, instead of following smooth regions and edges, all blocks have nearly the same roughness,
    whatever the spectrum.
    """
    logs = []
    for picture in pictures:
        light = luminance(picture)
        around = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:]
        high = light[1:-1, 1:-1] - around / 4
        down, across = (extent // 8 for extent in high.shape)
        blocks = high[: down * 8, : across * 8].reshape(down, 8, across, 8)
        logs.append(np.log(np.mean(blocks**2, axis=(1, 3)) + 0.1).ravel())
    return np.quantile(np.concatenate(logs), np.linspace(0.02, 0.98, 49))


def _train(path: Path, arm: str, picture: str, seed: str, common: dict[str, Any]) -> None:
    """Trains and evaluates one run; called in a separate process. `common`: what all runs share, from the flags."""
    import tensorflow as tf

    sys.path.insert(0, str(ROOT))  # benchmarks/ is not installed
    from benchmarks.quality import variants
    from tf_psgan import geometry
    from tf_psgan.data import crops, images
    from tf_psgan.evaluation import texture_metrics
    from tf_psgan.latents import noise
    from tf_psgan.plane import folded_generator
    from tf_psgan.plane.plane import TexturePlane
    from tf_psgan.runtime import device
    from tf_psgan.training import wave_initialisation

    settings, variant = ARMS[arm]
    values = flags.FlagValues()
    edge.define_config(values)
    values(["recipe", *common["base"], *settings, f"--seed={seed}"])
    config = edge.read_config(values)
    device.set_threads(1)
    source = images.decode(Path(picture))
    cell = geometry.pixels_per_cell(len(config.model.filters) + 1)
    height, width = source.shape[:2]
    whole = [tf.constant([extent], tf.int64) for extent in (height, width)]
    packed = crops.PackedImages(tf.constant(source.reshape(-1, 3)), tf.constant([0], tf.int64), *whole)
    step = getattr(variants, variant)(config, device.compute_type(config.training.dtype))
    if config.model.waves:
        step.set_wave_numbers(
            wave_initialisation.initial_wave_numbers([source], config.model, config.training.wave_init, cell)
        )
    step(packed)  # traces the step outside the timed loop
    began, done, losses = time.process_time(), 0.0, []
    while done < 1:
        if isinstance(step, variants.DecayedStep):
            step.progress(done)
        losses.append(float(step(packed)["discriminator_loss"]))
        done = (time.process_time() - began) / common["seconds"]
    step.recalibrate(noise.fold(int(seed), -1))
    plane = TexturePlane(folded_generator.fold(step.averaged), chunk_cells=2 * PIXELS // cell)
    pictures = [plane.window(PIXELS, PIXELS, seed=i) for i in range(PICTURES)]
    found = texture_metrics.compare(pictures, [source])
    found["grain"] = float(np.mean(np.abs(roughness(pictures) - roughness([source]))))
    found["discriminator_loss"] = float(np.median(losses[-len(losses) // 4 :]))
    if common["vgg"]:
        from tf_psgan.evaluation import comparison
        from tf_psgan.evaluation.vgg_features import VggFeatures

        rows = comparison.table([source], {"made": pictures}, cell, VggFeatures(Path(common["vgg"])))
        made, halves = rows["made"], rows["halves"]
        for name in ("precision", "recall"):
            found[name] = made[f"pool3_{name}"] / max(halves[f"pool3_{name}"], 1e-6)
        found["pattern"] = made["cell_pattern"] / made["chance_pattern"]
    metrics = {k: v if np.isfinite(v) else None for k, v in found.items()}
    images.write_png(path.with_suffix(".png"), images.sheet([source[:PIXELS, :PIXELS], *pictures[:3]], columns=4))
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"step": int(step.step), "conditions": _conditions(common), **metrics}), encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _train(Path(sys.argv[2]), *sys.argv[3:6], json.loads(sys.argv[6]))
    else:
        sys.exit(program.run(sys.argv, USAGE, define, main))
