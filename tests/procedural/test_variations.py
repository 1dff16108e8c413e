"""Variations: any number of different textures, each a function of its name."""

import itertools

import numpy as np
import pytest

from tf_psgan.errors import SettingError
from tf_psgan.procedural import catalogue, variations


def test_every_kind_comes_once_before_any_comes_again():
    found = variations.names(26)
    assert [name.partition("-")[0] for name in found[:12]] == list(variations.KINDS)
    assert [name.partition("-")[2] for name in found] == ["1"] * 12 + ["2"] * 12 + ["3"] * 2


def test_the_first_of_a_kind_is_the_kind_itself():
    np.testing.assert_array_equal(variations.make("brick-1", 64), catalogue.make("brick", 1, 64, 64))


@pytest.mark.parametrize("name", ["brick-2", "pebbles-5"])
def test_a_name_decides_every_pixel(name):
    picture = variations.make(name, 64)
    assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, variations.make(name, 64))


def test_no_two_of_fifty_six_have_the_same_colours():
    means = {name: variations.make(name, 64).reshape(-1, 3).mean(axis=0) for name in variations.names(56)}
    kinds = itertools.groupby(sorted(means), key=lambda name: name.partition("-")[0])
    for _, names in kinds:
        for a, b in itertools.combinations(names, 2):
            assert np.linalg.norm(means[a] - means[b]) > 10, (a, b)


@pytest.mark.parametrize("name", ["brick", "brick-0", "marble-2", "brick-x", "landscape-1"])
def test_a_wrong_name_is_an_error(name):
    with pytest.raises(SettingError, match="write it as honeycomb-1"):
        variations.make(name)


@pytest.mark.parametrize("count", [0, -1, 999 * len(variations.KINDS) + 1])
def test_a_count_out_of_range_is_an_error(count):
    with pytest.raises(SettingError, match="use 1 to 11988"):
        variations.names(count)
