"""Tests that train for minutes; run with `pytest -m long`."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.config import Config, DataConfig, ModelConfig, TrainingConfig
from tf_psgan.data import crops
from tf_psgan.procedural.catalogue import make
from tf_psgan.runtime import device
from tf_psgan.training import training_loop
from tf_psgan.training.gan_step import GanStep

pytestmark = pytest.mark.long
PERIOD = 20.0


@pytest.mark.parametrize("seed", [1, 2])
def test_waves_that_start_five_percent_off_learn_the_period_to_two_percent(seed: int) -> None:
    rows, cols = np.mgrid[:256, :256]
    dots = 0.5 * np.cos(2 * np.pi * rows / PERIOD) + 0.5 * np.cos(2 * np.pi * cols / PERIOD)
    tint = np.maximum(dots, 0)[..., None] * np.array([150.0, 120.0, 75.0])
    grain = np.random.default_rng(0).normal(0, 8, (256, 256, 1))
    picture = np.clip(60 + tint + grain, 0, 255).astype(np.uint8)
    config = Config(
        ModelConfig(local_channels=8, waves=2, filters=(64, 32), discriminator_filters=(32, 64, 128)),
        DataConfig(crop_cells=12, batch_size=8),
        TrainingConfig(seed=seed, wave_lr_multiplier=1.0),
    )
    step = GanStep(config, device.compute_type("auto"))
    true = 2 * np.pi * step.generator.pixels_per_cell / PERIOD
    step.set_wave_numbers(np.array([[1.05 * true, 0.0], [0.0, 0.95 * true]], np.float32))
    whole = tf.constant([256], tf.int64)
    packed = crops.PackedImages(tf.constant(picture.reshape(-1, 3)), tf.constant([0], tf.int64), whole, whole)
    for _ in range(1000):
        step(packed)
    learned = np.linalg.norm(step.averaged.wave_numbers(tf.zeros((1, 0)))[0], axis=-1)
    np.testing.assert_allclose(learned, true, rtol=0.02)


def test_the_honeycomb_is_learned_in_four_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    Image.fromarray(make("honeycomb")).save(tmp_path / "honeycomb.png")
    config = Config(data=DataConfig(images=(str(tmp_path / "honeycomb.png"),)))
    assert dataclasses.replace(config.training, minutes=4.0) == config.training
    monkeypatch.setattr(device, "set_threads", lambda threads: os.cpu_count())  # other tests have started TensorFlow
    run = training_loop.train(config, tmp_path / "run")
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["peak_offset_pixels"] <= 1.5
    assert last["peak_height"] >= 0.9
    assert last["autocorrelation_distance"] <= 0.10
