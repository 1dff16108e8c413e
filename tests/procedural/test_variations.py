"""Many made textures: as many as asked for, each its own, all from a name alone."""

import itertools

import numpy as np
import pytest
from PIL import Image

from tf_psgan.procedural import catalogue, variations


def test_every_kind_comes_once_before_any_comes_again():
    found = variations.names(26)
    assert [name.partition("-")[0] for name in found[:12]] == list(variations.KINDS)
    assert [name.partition("-")[2] for name in found] == ["1"] * 12 + ["2"] * 12 + ["3"] * 2


def test_the_first_of_a_kind_is_the_kind_itself():
    np.testing.assert_array_equal(variations.make("brick-1", 64), catalogue.make("brick", 1, 64, 64))


@pytest.mark.parametrize("name", ["brick-2", "pebbles-5"])
def test_a_name_says_every_pixel(name):
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
def test_a_wrong_name_is_refused(name):
    with pytest.raises(ValueError, match="write it as honeycomb-1"):
        variations.make(name)


def test_the_command_writes_so_many_pictures_and_prints_the_folder(tmp_path, capsys):
    out = tmp_path / "many"
    assert variations.main([f"--out={out}", "--count=13", "--side=32"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert sorted(path.stem for path in out.iterdir()) == sorted(variations.names(13))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "honeycomb-2.png")), variations.make("honeycomb-2", 32))


@pytest.mark.parametrize(
    "flags, remedy", [(["--count=0"], "give --count"), (["--count=x"], "--count"), (["--side=3"], "16")]
)
def test_wrong_flags_end_in_one_line_on_stderr(tmp_path, capsys, flags, remedy):
    assert variations.main([f"--out={tmp_path / 'many'}", *flags]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and remedy in printed.err
