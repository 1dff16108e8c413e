"""Crops are a pure function of the buffer and the key."""

import numpy as np
import tensorflow as tf

from tests.support.numbered import numbered, packed_of
from tf_psgan.data import crops
from tf_psgan.latents import noise

SIDE = 4


def test_a_crop_is_a_window_of_one_picture():
    pictures = [numbered(0, 5, 9), numbered(1, 4, 4), numbered(2, 7, 6)]
    for crop in crops.crops(packed_of(*pictures), 3, 50, SIDE).numpy():
        index, top, left = crop[0, 0]
        np.testing.assert_array_equal(crop, pictures[index][top : top + SIDE, left : left + SIDE])


def test_pictures_and_then_offsets_are_drawn_uniformly():
    cut = crops.crops(packed_of(numbered(0, 5, 6), numbered(1, 4, 4)), 1, 7000, SIDE).numpy()
    offsets, counts = np.unique(cut[:, 0, 0], axis=0, return_counts=True)
    # Half of the crops show picture 1, which has one offset; picture 0 has 2 x 3.
    assert offsets.tolist() == [[0, r, c] for r in (0, 1) for c in (0, 1, 2)] + [[1, 0, 0]]
    assert abs(counts[-1] - 3500) < 200 and np.abs(counts[:-1] - 3500 / 6).max() < 100
    corners = cut[cut[:, 0, 0, 0] == 0][:, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(-1, 3)
    assert {(0, 0, 0), (0, 0, 5), (0, 4, 0), (0, 4, 5)} <= set(map(tuple, corners.tolist()))


def test_a_part_of_a_batch_has_the_crops_of_the_whole_one():
    packed, key = packed_of(numbered(0, 40, 40), numbered(1, 30, 30)), noise.fold(1, 2)
    for of in (crops.drawn, lambda *arguments: crops.crops(*arguments[:3], SIDE, *arguments[3:])):
        np.testing.assert_array_equal(of(packed, key, 3, 5), of(packed, key, 8)[5:])


def test_a_key_cuts_the_same_crops_in_a_graph_and_another_key_others():
    packed = packed_of(numbered(0, 40, 40))

    @tf.function(input_signature=[crops.PACKED_IMAGES_SPEC, tf.TensorSpec([], tf.int64)])
    def graph(packed, key):
        return crops.crops(packed, key, 8, SIDE)

    np.testing.assert_array_equal(graph(packed, noise.fold(1, 2)), crops.crops(packed, noise.fold(1, 2), 8, SIDE))
    assert (graph(packed, noise.fold(1, 2)) != graph(packed, noise.fold(1, 3))).numpy().any()
