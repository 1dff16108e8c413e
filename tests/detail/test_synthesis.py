import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support import synthetic_textures
from tf_psgan.detail import guide, seams, synthesis
from tf_psgan.detail.correction import REACH
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.plane import chunks

LEVELS = 3


@pytest.fixture(scope="module")
def source():
    return synthetic_textures.blobs(3, 400)[:376]


@pytest.fixture(scope="module")
def stage(source):
    return DetailStage(Exemplar.build([source], LEVELS))


@pytest.fixture(scope="module")
def arrange(stage):
    function = tf.function(stage, input_signature=stage.input_signature)
    return lambda guide, **at: function(*inputs(guide, stage, **at))


def inputs(guide, stage, top=0, left=0, period=(0, 0)):
    """The inputs of a stage without waves; `top` and `left` of the guide in pixels, its keys' period in blocks."""
    rows, cols = (at + np.arange(side) for at, side in zip((top, left), guide.shape, strict=False))
    keys, squares = (
        chunks.patch_keys(5, rows, cols, 4, 4, period),
        chunks.squares(rows, cols, 4, 4, period, stage.square),
    )
    return guide, keys, *squares, *(np.zeros((side, 0), np.int64) for side in guide.shape[:2])


def blocks_of(source, rows, cols, seed=0):
    """Blocks of 4 x 4 pixels in random colours of the source."""
    random = np.random.default_rng(seed)
    blocks = source[random.integers(0, len(source), (rows, cols)), random.integers(0, source.shape[1], (rows, cols))]
    return np.repeat(np.repeat(blocks, 4, axis=0), 4, axis=1)


def _colours_at(level, picture):
    """The colours of a level whose photograph is replaced by another of the same extent."""
    table = np.zeros((len(level.colours) // level.width, level.width, 3), np.int16)
    table[: picture.shape[0], : picture.shape[1]] = picture
    return table.reshape(-1, 3)


def test_the_margin_is_what_the_corrections_of_all_levels_reach():
    # Level 0 needs 2 * 2 pixels more; level 1 half of that, and 2 * 2; and so on. In blocks of the guide; then squares
    # and discs of radius 5 reach 5 + 2 and 5 + 6 blocks, their comparison with the guide 3, the guide's neighbourhoods
    # 2, the blending of local means 4, seams 3 and 7. A photograph of 16 x 16 blocks has discs of radius 4.
    picture = synthetic_textures.blobs(3, 256)
    for resolutions, blocks, radius in ((2, 2, 5), (3, 3, 5), (5, 2, 4)):  # 6 pixels of 2 are 3 blocks of 4
        stage = DetailStage(Exemplar.build([picture], resolutions))
        assert stage.margin == 2 ** (resolutions - 1) * (blocks + 4 + 3 + radius + 2 + 2 * radius + 1 + 3 + 7 + 2)
        assert stage.square == 2 * radius


def test_every_pixel_is_one_of_the_photograph_where_its_light_is_even(source):
    """But for the rounding of local means, and for their ripple at the photograph's edges."""
    random = np.random.default_rng(0)
    even = np.tile(random.integers(0, 3, (4, 4, 3)) * 100, (44, 52, 1)).astype(np.uint8)
    stage = DetailStage(Exemplar.build([even], LEVELS))
    margin = stage.margin // 4
    found = stage(*inputs(blocks_of(even, 10 + 2 * margin, 15 + 2 * margin), stage)).numpy()
    assert found.shape == (40, 60, 3)
    from_copies = np.abs(found[..., np.newaxis].astype(int) - np.array([0, 100, 200])).min(axis=-1)
    assert from_copies.max() <= 2


def test_the_light_changes_gradually_between_patches(monkeypatch):
    """Half of the photograph is in shadow; a seam between copies of both halves is no edge."""
    random = np.random.default_rng(0)
    source = 60 + random.integers(0, 30, (160, 160, 3))
    source[:, 80:] += 100
    # The guide's brightness changes between its blocks, so that patches of both halves meet.
    shades = np.repeat(np.repeat(random.integers(0, 2, (5, 5, 1)), 24, axis=0), 24, axis=1) * 100 + 75
    steps = []
    for blend in (0, 4):
        monkeypatch.setattr(synthesis, "BLEND_BLOCKS", blend)
        stage = DetailStage(Exemplar.build([source.astype(np.uint8)], LEVELS))
        guide = np.pad(shades, ((stage.margin,) * 2, (stage.margin,) * 2, (0, 0)), mode="reflect").repeat(3, axis=-1)
        found = stage(*inputs(guide.astype(np.uint8), stage)).numpy().astype(float).mean(axis=-1)
        rows = found.reshape(30, 4, 120).mean(axis=1)  # local means: the noise is averaged
        steps.append(np.percentile(np.abs(rows[1:] - rows[:-1]).reshape(29, 30, 4).mean(axis=-1), 99))
    assert steps[1] < 0.6 * steps[0]


def test_windows_of_one_guide_agree_bit_for_bit(arrange, stage, source):
    margin = stage.margin
    guide = blocks_of(source, 40 + margin // 2, 44 + margin // 2)
    whole = arrange(guide).numpy()
    for top, left, height, width in ((0, 0, 4, 4), (8, 12, 64, 100), (156, 172, 4, 4), (80, 0, 24, 176)):
        cut = guide[top : top + height + 2 * margin, left : left + width + 2 * margin]
        part = arrange(cut, top=top, left=left).numpy()
        np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


def test_the_picture_repeats_exactly_where_the_guide_and_the_keys_do(arrange, stage, source):
    guide = np.tile(blocks_of(source, 12, 20), (12, 8, 1))
    found = arrange(guide, period=(12, 20)).numpy()
    np.testing.assert_array_equal(found[48:96], found[:48])
    np.testing.assert_array_equal(found[:, 80:160], found[:, :80])


def test_a_guide_from_the_photograph_is_copied_as_it_is(stage, source):
    guide = source[8 : 8 + 2 * stage.margin + 32, 12 : 12 + 2 * stage.margin + 48]
    found = stage(*inputs(guide, stage)).numpy()
    expected = guide[stage.margin : -stage.margin, stage.margin : -stage.margin]
    assert (found == expected).all(axis=-1).mean() > 0.5


def test_blocks_copy_a_piece_of_the_photograph_together(source, monkeypatch):
    """The nearest blocks mostly continue each other; the copies that blocks find by themselves do not."""
    ramp = np.indices((128, 160)).transpose(1, 2, 0)  # each pixel's place, as its colour
    places = np.concatenate([ramp, np.zeros_like(ramp[..., :1])], axis=-1).astype(np.uint8)
    measured = Exemplar.build([source[:128, :160]], LEVELS)
    finest = dataclasses.replace(measured.levels[0], colours=_colours_at(measured.levels[0], places))
    no_means = np.zeros_like(measured.local_means)
    named = dataclasses.replace(measured, levels=(finest, *measured.levels[1:]), local_means=no_means)
    monkeypatch.setattr(synthesis, "PASSES", 0)
    monkeypatch.setattr(seams, "PASSES", 0)
    stage = DetailStage(named)
    guide = blocks_of(source, 16 + stage.margin // 2, 16 + stage.margin // 2)
    found = stage(*inputs(guide, stage)).numpy().astype(int)
    assert (found[4::4, ::4] - found[:-4:4, ::4] == (4, 0, 0)).all(axis=-1).mean() > 0.6
    by_themselves, _, _ = stage._guided(*inputs(guide, stage)[:2])
    assert (np.diff(by_themselves, axis=0) == 4).mean() < 0.2


def test_patches_start_where_the_photograph_is_like_the_guide_around_them(monkeypatch):
    """The colours of areas follow the guide's more closely than if only single blocks were compared."""
    random = np.random.default_rng(0)
    light = np.repeat(np.repeat(random.integers(0, 2, (4, 4)), 48, axis=0), 48, axis=1)[..., np.newaxis]
    spots = random.integers(0, 2, (48, 48, 1)).repeat(4, axis=0).repeat(4, axis=1)  # in dark and in light areas alike
    source = (40 + 90 * light + 90 * spots + random.integers(0, 9, (192, 192, 3))).astype(np.uint8)
    errors = []
    for fit in (0, 3):
        monkeypatch.setattr(guide, "FIT_BLOCKS", fit)
        monkeypatch.setattr(guide.GuidedCopies, "reach", REACH + fit)
        stage = DetailStage(Exemplar.build([source], LEVELS))
        picture = np.tile(source[::-1, ::-1], (3, 3, 1))[: 96 + 2 * stage.margin, : 96 + 2 * stage.margin]
        inner = picture[stage.margin : -stage.margin, stage.margin : -stage.margin].astype(float)
        difference = stage(*inputs(picture, stage)).numpy() - inner
        errors.append(np.abs(difference.reshape(2, 48, 2, 48, 3).mean(axis=(1, 3))).mean())
    assert errors[1] < 0.8 * errors[0]


def test_the_graph_and_eager_tensors_give_the_same_bits(arrange, stage, source):
    guide = blocks_of(source, 8 + stage.margin // 2, 8 + stage.margin // 2, seed=3)
    np.testing.assert_array_equal(arrange(guide), stage(*inputs(guide, stage)))


def test_waves_give_the_copies_their_position_in_the_lattice():
    rows, cols = np.mgrid[:128, :128]
    shades = 128 + 60 * np.cos(2 * np.pi * rows / 16) + 60 * np.cos(2 * np.pi * cols / 16)
    random = np.random.default_rng(0)
    source = np.clip(shades[..., np.newaxis] + random.normal(0, 4, (128, 128, 3)), 0, 255).astype(np.uint8)
    waves = np.array([[1 / 16, 0.0], [0.0, 1 / 16]])
    exemplar = dataclasses.replace(Exemplar.build([source], LEVELS), waves=waves, wave_offsets=np.zeros(2, np.int64))
    stage = DetailStage(exemplar)
    side = 64 + 2 * stage.margin
    extent = np.empty((side, side, 3), np.uint8)
    no_guide = np.zeros((0, 0, 3), np.uint8)
    steps = np.arange(-stage.margin + 5, side - stage.margin + 5)[:, np.newaxis]  # crests at -5, 11, 27 ...
    turns = steps * np.array([[1 << 60, 0]])
    found = stage(no_guide, *inputs(extent, stage)[1:4], turns, turns[:, ::-1]).numpy().mean(axis=-1)
    at = np.arange(64) + 5
    expected = np.cos(2 * np.pi * at / 16)[:, np.newaxis] + np.cos(2 * np.pi * at / 16)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


def test_copies_of_a_photograph_of_the_least_size_are_compared_with_the_guide():
    """The piece around a copy never lies in it as a whole; what lies in it counts."""
    stage = DetailStage(Exemplar.build([synthetic_textures.blobs(3, 32)], LEVELS))
    middle = tf.fill((7, 7), 16)
    near, far = (
        stage._guided._ranks(tf.fill((7, 7, 12), feature), middle, middle, np.zeros((7, 7), int)).numpy().item()
        for feature in (0.0, 1000.0)  # features of the photograph are at most 255
    )
    assert far < 4 * near  # both are negative
