import numpy as np
import pytest
import tensorflow as tf

from tests.support import synthetic_textures
from tf_psgan.detail import synthesis
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage

LEVELS = 3
NONE = np.zeros((0, 0), np.int64)


@pytest.fixture(scope="module")
def source():
    return synthetic_textures.blobs(3, 160)[:128]


@pytest.fixture(scope="module")
def stage(source):
    return DetailStage(Exemplar.build([source], LEVELS))


@pytest.fixture(scope="module")
def arrange(stage):
    function = tf.function(stage, input_signature=stage.input_signature)
    return lambda guide: function(guide, np.zeros((len(guide), 0), np.int64), np.zeros((guide.shape[1], 0), np.int64))


def noise(source, rows, cols, seed=0):
    """Blocks of 4 x 4 pixels in random colours of the source."""
    random = np.random.default_rng(seed)
    blocks = source[random.integers(0, len(source), (rows, cols)), random.integers(0, source.shape[1], (rows, cols))]
    return np.repeat(np.repeat(blocks, 4, axis=0), 4, axis=1)


def test_the_margin_is_what_the_corrections_of_all_levels_reach():
    # Level 0 needs 2 * 2 pixels more; level 1 half of that, and 2 * 2; and so on; the guide's neighbourhoods 2.
    assert synthesis.margin(1) == 2 * 2 + 2
    assert synthesis.margin(2) == 2 * (2 + 2 * 2 + 2)
    assert synthesis.margin(3) == 4 * (3 + 4 * 2 + 2)


def test_every_pixel_is_a_pixel_of_the_photograph(arrange, stage, source):
    margin = stage.margin // 4
    found = arrange(noise(source, 10 + 2 * margin, 15 + 2 * margin)).numpy()
    assert found.shape == (40, 60, 3)
    colours = {tuple(colour) for colour in source.reshape(-1, 3)}
    assert {tuple(colour) for colour in found.reshape(-1, 3)} <= colours


def test_windows_of_one_guide_agree_bit_for_bit(arrange, stage, source):
    margin = stage.margin
    guide = noise(source, 40 + margin // 2, 44 + margin // 2)
    whole = arrange(guide).numpy()
    for top, left, height, width in ((0, 0, 4, 4), (8, 12, 64, 100), (156, 172, 4, 4), (80, 0, 24, 176)):
        part = arrange(guide[top : top + height + 2 * margin, left : left + width + 2 * margin]).numpy()
        np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


def test_the_picture_repeats_exactly_where_the_guide_does(arrange, stage, source):
    guide = np.tile(noise(source, 12, 20), (6, 4, 1))
    found = arrange(guide).numpy()
    np.testing.assert_array_equal(found[48:96], found[:48])
    np.testing.assert_array_equal(found[:, 80:160], found[:, :80])


def test_a_guide_from_the_photograph_is_copied_as_it_is(stage, source):
    guide = source[8 : 8 + 2 * stage.margin + 32, 12 : 12 + 2 * stage.margin + 48]
    found = stage(guide, *(np.zeros((side, 0), np.int64) for side in guide.shape[:2])).numpy()
    expected = guide[stage.margin : -stage.margin, stage.margin : -stage.margin]
    assert (found == expected).all(axis=-1).mean() > 0.5


def test_the_graph_and_eager_tensors_give_the_same_bits(arrange, stage, source):
    guide = noise(source, 8 + stage.margin // 2, 8 + stage.margin // 2, seed=3)
    turns = np.zeros((len(guide), 0), np.int64)
    np.testing.assert_array_equal(arrange(guide), stage(guide, turns, turns))


def test_waves_give_the_copies_their_position_in_the_lattice():
    rows, cols = np.mgrid[:128, :128]
    shades = 128 + 60 * np.cos(2 * np.pi * rows / 16) + 60 * np.cos(2 * np.pi * cols / 16)
    random = np.random.default_rng(0)
    source = np.clip(shades[..., np.newaxis] + random.normal(0, 4, (128, 128, 3)), 0, 255).astype(np.uint8)
    waves = np.array([[1 / 16, 0.0], [0.0, 1 / 16]])
    stage = DetailStage(Exemplar.build([source], LEVELS).with_waves(waves, np.zeros(2, np.int64)))
    side = 64 + 2 * stage.margin
    guide = np.full((side, side, 3), 128, np.uint8)
    steps = np.arange(-stage.margin + 5, side - stage.margin + 5)[:, np.newaxis]  # crests at -5, 11, 27 ...
    turns = steps * np.array([[1 << 60, 0]])
    found = stage(guide, turns, turns[:, ::-1]).numpy().mean(axis=-1)
    at = np.arange(64) + 5
    expected = np.cos(2 * np.pi * at / 16)[:, np.newaxis] + np.cos(2 * np.pi * at / 16)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9
