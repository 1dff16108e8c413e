"""A run small enough for a test: its settings, its picture, its checkpoint."""

import dataclasses

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.runs import checkpoint

CONFIG = Config(
    ModelConfig(local_channels=3, filters=(8, 4), discriminator_filters=(4, 6)),
    DataConfig(crop_cells=4, batch_size=2),
    TrainingConfig(minutes=0, steps=6, dtype="float32", threads=1, samples=2, sample_pixels=64, evaluate_minutes=0),
)


def changed(**settings):
    """CONFIG with other settings, whatever their section."""
    parts = {field.name: getattr(CONFIG, field.name) for field in dataclasses.fields(CONFIG)}
    for name, value in settings.items():
        section = next(key for key, part in parts.items() if hasattr(part, name))
        parts[section] = dataclasses.replace(parts[section], **{name: value})
    return Config(**parts)


def picture(path, pixels=96, period=12):
    """A grating with grain, as a PNG file; its path as the config wants it."""
    rows, cols = np.mgrid[:pixels, :pixels]
    light = 128 + 80 * np.sin(2 * np.pi * cols / period) * np.sin(2 * np.pi * rows / period)
    grain = np.random.default_rng(0).normal(0, 5, (pixels, pixels, 3))
    Image.fromarray(np.clip(light[..., None] + grain, 0, 255).astype(np.uint8)).save(path, "PNG")
    return str(path)


def save_generator(folder, step=3, model=CONFIG.model, seed=5):
    """Writes a checkpoint with a new averaged generator and one thing more; the generator."""
    network = SpatialGenerator.from_model_config(model, seed=seed, name="averaged")
    for block in network.blocks:
        block.kernel.assign(block.kernel.numpy() * 8)  # or its pictures would be grey
    state = {v.path: v.value for v in network.variables} | {"counters/step": tf.Variable(step, dtype=tf.int64)}
    checkpoint.save(folder.checkpoints, step, state, {}, keep=3)
    return network


def tensors(folder):
    """Every tensor of a run's newest checkpoint, as bytes by its name, the notes left out; and its step."""
    newest = max(folder.checkpoints.glob("step-*"))
    reader = tf.train.load_checkpoint(str(newest / checkpoint.BUNDLE))
    names = set(reader.get_variable_to_shape_map()) - {checkpoint.NOTES}
    return newest.name, {name: np.asarray(reader.get_tensor(name)).tobytes() for name in names}
