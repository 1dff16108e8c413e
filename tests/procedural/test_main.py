"""The command `python -m tf_psgan.procedural`."""

import numpy as np
import pytest
from PIL import Image

from tf_psgan.procedural import catalogue, variations
from tf_psgan.procedural.__main__ import main


def test_the_named_pictures_are_written_and_the_folder_is_printed(tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    flags = [f"--out={out}", "--names=tiles,mud", "--seed=2", "--height=32", "--width=48"]
    assert main(flags) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert sorted(path.name for path in out.iterdir()) == ["mud.png", "tiles.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(out / "mud.png")), catalogue.make("mud", 2, 32, 48))


def test_so_many_variations_are_written(tmp_path):
    assert main([f"--out={tmp_path}", "--variations=13", "--height=32"]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(variations.names(13))
    drawn = np.asarray(Image.open(tmp_path / "honeycomb-2.png"))
    np.testing.assert_array_equal(drawn, variations.make("honeycomb-2", 32))


def test_variations_and_textures_can_be_named_together(tmp_path):
    assert main([f"--out={tmp_path}", "--names=tiles,brick-2", "--height=16", "--width=16"]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["brick-2", "tiles"]


@pytest.mark.parametrize(
    "flags, words",
    [
        ([], "--out"),
        (["--names=marble"], "choose from"),
        (["--seed=-1"], "Change --seed."),
        (["--seed=one"], "--seed"),
        (["--height=3"], "Change --height or --width."),
        (["--hue=3"], "--hue"),
        (["--variations=0"], "Change --variations."),
        (["--variations=x"], "--variations"),
        (["--variations=2", "--height=16", "--width=17"], "is square"),
        (["--variations=2", "--names=brick"], "not allowed with"),
    ],
)
def test_a_wrong_flag_is_one_line_on_stderr(tmp_path, capsys, flags, words):
    out = [f"--out={tmp_path}"] if flags else []
    assert main(out + flags) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and words in printed.err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_line_on_stderr(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([f"--out={tmp_path / 'file' / 'folder'}", "--names=wood", "--height=16", "--width=16"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
