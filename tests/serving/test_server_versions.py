"""A version is tested before it is used, and its graph's errors reach clients without internal names."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.support import plain_model
from tests.support.small_server import publish, request
from tf_psgan_serving.server.status import StatusError
from tf_psgan_serving.server.trial import WARM_UP, load
from tf_psgan_serving.server.version import public_message

REQUIRED = ("serving_default", "window", "describe")


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """The folder of a valid version, to be copied."""
    return plain_model.publish(tmp_path_factory.mktemp("exported") / "tiny")


def test_versions_without_the_required_signatures_or_with_a_wrong_window_are_not_loaded(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((), tf.int32, "height")])
        def window(self, height):
            return {"image": tf.zeros((height, 8, 3))}

    tf.saved_model.save(other := Other(), str(tmp_path / "1"), signatures={"window": other.window})
    with pytest.raises(ValueError, match="lacks the signature serving_default, describe"):
        load(tmp_path / "1", REQUIRED)
    with pytest.raises(ValueError, match="its window is float32"):
        load(tmp_path / "1", ["window"])


@pytest.mark.parametrize("text", ["[]", '{"limits": 3}', '{"limits": {"height": "x"}}', '{"pixels_per_cell": 0.5}'])
def test_a_version_with_a_wrong_description_is_not_loaded(tmp_path, text):
    module = tf.Module()
    module.describe = tf.function(lambda: {"description": tf.constant(text)}, input_signature=[])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"describe": module.describe})
    with pytest.raises(ValueError, match="its description has no integers"):
        load(tmp_path / "1", ["describe"])


def test_warm_up_requests_are_run_and_a_wrong_one_rejects_the_version(version, tmp_path):
    folder = publish(version, tmp_path, 1)
    path = folder / WARM_UP
    path.parent.mkdir()
    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.CopyFrom(request("window_png"))
    for changes, wrong in (({}, None), ({"height": 9000}, "height: 9000 is outside")):
        for name, value in changes.items():
            record.predict_log.request.inputs[name].int_val[:] = [value]
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(record.SerializeToString())
        if wrong:
            with pytest.raises(StatusError, match=wrong):
                load(folder, REQUIRED)
        else:
            load(folder, REQUIRED).close()
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(tf.errors.DataLossError):
        load(folder, REQUIRED)


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            "Graph execution error:\n\nassertion failed: [height: 0 is outside 1 .. 8; it isn\\'t [so].]"
            "\n\t [[{{node Assert/Assert}}]]",
            "height: 0 is outside 1 .. 8; it isn't [so].",
        ),
        (
            "assertion failed: [n: too large; lower it.] [Condition x < y did not hold:] [x (n:0) = ] [2] [y = ] [1]",
            "n: too large; lower it.",
        ),
        (
            "Graph execution error:\n\nDetected at node 'conv/Conv2D' defined at:\n  File \"/a/b.py\"",
            "the model rejects these inputs: no reason given",
        ),
        (
            "{{function_node __inference_f_63}}Computed output size would be negative: -1 [input_size: 2]"
            "\n\t [[{{node conv/Conv2D}}]]",
            "the model rejects these inputs: Computed output size would be negative: -1 [input_size: 2]",
        ),
        ("In /home/me/x.py:3 and model/conv/kernel: bad", "the model rejects these inputs: In and bad"),
    ],
)
def test_public_messages_contain_no_nodes_and_no_paths(message, expected):
    assert public_message(message) == expected
