"""Exports in programs without this package: the programs of docs/how-to/other-programs.md, run as they are there."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.support.small_export import exported
from tf_psgan.data import images
from tf_psgan.loading import load_generator, load_plane

ROOT = Path(__file__).resolve().parents[2]
WINDOW = {"seed": 1, "texture": 0, "top": -100, "left": 10**9, "height": 333, "width": 1000}
ALONE = "import sys\nsys.modules['tf_psgan'] = sys.modules['keras'] = None\n"
WITHOUT_TENSORFLOW = ALONE + "sys.modules['tensorflow'] = None\n"


def programs(language, word):
    """The programs of the page in a language in which a word occurs."""
    page = (ROOT / "docs" / "how-to" / "other-programs.md").read_text(encoding="utf-8")
    return [found for found in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL) if word in found]


def called(*command, cwd, code=0):
    """What a program says, on both its channels; it must end with this code."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    kept |= {"PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "TF_CPP_MIN_LOG_LEVEL": "1"}
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture
def place(tmp_path):
    """A folder in which the page's names of files are right, and which holds nothing else."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "honeycomb").symlink_to(exported()[1].parent)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def of_the_run():
    """The window that every program asks for, as generate.py makes it."""
    return load_plane(exported()[0].path, "float32").window(**WINDOW)


def test_a_tensorflow_program_gets_the_pixels_of_the_run(place):
    # Both ways in one process: each would take seconds to start.
    parts = [*programs("python", "tf.saved_model.load"), *programs("python", "loader.load")]
    saved = [f"{part}\nimport numpy\nnumpy.save('{i}.npy', picture)\n" for i, part in enumerate(parts)]
    (place / "program.py").write_text(ALONE + "".join(saved))
    called(sys.executable, "-I", "program.py", cwd=place)
    assert len(parts) == 2
    for i in range(2):
        np.testing.assert_array_equal(np.load(place / f"{i}.npy"), of_the_run())


def test_saved_model_cli_prints_the_signature_and_gets_the_pixels_of_the_run(place):
    (commands,) = programs("sh", "saved_model_cli")
    text = called("bash", "-ec", commands, cwd=place)
    for name in WINDOW:
        assert f"inputs['{name}'] tensor_info" in text
    np.testing.assert_array_equal(np.load(place / "image.npy"), of_the_run())


def test_an_onnxruntime_program_gets_the_pixels_of_the_network(place):
    (part,) = programs("python", "onnxruntime")
    (place / "program.py").write_text(
        f"{WITHOUT_TENSORFLOW}{part}\nnp.save('latents.npy', latents)\nnp.save('inner.npy', inner)\n"
    )
    called(sys.executable, "-I", "program.py", cwd=place)
    network = load_generator(exported()[0].path, "float32")
    picture = network(np.load(place / "latents.npy"), training=False)[0, 2:-2, 2:-2]
    apart = images.to_bytes(picture).numpy().astype(int) - np.load(place / "inner.npy")
    assert apart.shape == (160, 160, 3) and np.abs(apart).max() <= 1


@pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")
def test_openvino_gets_the_pixels_of_the_network_from_both_files(place):
    (part,) = programs("python", "openvino")
    (place / "program.py").write_text(
        f"{WITHOUT_TENSORFLOW}{part}\nnp.save('latents.npy', latents)\nnp.save('found.npy', found)\n"
    )
    called(sys.executable, "-I", "program.py", cwd=place)
    network = load_generator(exported()[0].path, "float32")
    expected = network(np.load(place / "latents.npy"), training=False)
    for found in np.load(place / "found.npy"):
        np.testing.assert_allclose(found, expected, atol=1e-3)  # on the scale of -1 to 1: an eighth of an 8-bit value


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("g++"), reason="no g++ here, so the C++ program cannot be compiled")
def test_a_cpp_program_without_xla_gets_the_pixels_of_the_run(place):
    (commands,) = programs("sh", "g++")
    called("bash", "-ec", commands, cwd=place)
    np.testing.assert_array_equal(images.decode(place / "picture.ppm"), of_the_run())

    asked = ["-3", "0", "5", "5", "0", "9"]
    refused = called("./window", "models/honeycomb/1", "refused.ppm", *asked, cwd=place, code=1)
    assert "INVALID_ARGUMENT" in refused and "height: 0 is outside 1 .. 8192" in refused
    assert not (place / "refused.ppm").exists()

    # The same program cannot run a model that needs XLA: that the export runs proves something.
    needs_xla(place / "xla")
    assert "XLA compilation disabled" in called("./window", "xla", "xla.ppm", *asked, cwd=place, code=1)


def needs_xla(folder):
    """A SavedModel whose window is compiled by XLA."""
    whole = {name: tf.TensorSpec((), tf.int64, name) for name in ("seed", "texture", "top", "left")}
    extent = {name: tf.TensorSpec((), tf.int32, name) for name in ("height", "width")}

    @tf.function(jit_compile=True)
    def grey(seed):
        return tf.cast(tf.zeros((4, 4, 3)) + tf.cast(seed, tf.float32), tf.uint8)

    @tf.function
    def window(seed, texture, top, left, height, width):
        return {"image": grey(seed)}

    signature = window.get_concrete_function(**whole, **extent)
    tf.saved_model.save(tf.Module(), str(folder), {"window": signature})


def test_an_export_requires_no_xla():
    model = saved_model_pb2.SavedModel.FromString((exported()[1] / "saved_model.pb").read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    attributes = [attr for function in functions for attr in (function.attr, *(n.attr for n in function.node_def))]
    assert attributes and not any(attr["_XlaMustCompile"].b for attr in attributes if "_XlaMustCompile" in attr)
