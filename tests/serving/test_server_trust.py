"""Graphs that reach beyond their inputs are refused unless the models are trusted."""

import pytest
import tensorflow as tf

from tf_psgan_serving.server import trial
from tf_psgan_serving.version_files.errors import VersionError


def test_writing_a_file_is_refused_and_happens_only_if_the_models_are_trusted(tmp_path):
    target = tmp_path / "written"

    def write():
        with tf.control_dependencies([tf.io.write_file(str(target), "x")]):
            return {"description": tf.constant("{}")}

    module = tf.Module()
    module.describe = tf.function(write, input_signature=[])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"describe": module.describe})
    with pytest.raises(VersionError, match="WriteFile"):
        trial.load(tmp_path / "1", ["describe"])
    assert not target.exists()
    trial.load(tmp_path / "1", ["describe"], trusted=True).close()
    assert target.exists()
