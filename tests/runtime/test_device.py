"""The compute type and the conditions of a run, on systems with and without /proc."""

import json
from pathlib import Path

import pytest
import tensorflow as tf

from tf_psgan.errors import SettingError
from tf_psgan.runtime import accelerator, device, processor


@pytest.fixture
def flags(monkeypatch):
    """Sets the instructions that the processor reports."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])

    def set_flags(text):
        monkeypatch.setattr(processor, "field", lambda name: text if name == "flags" else "a processor")

    return set_flags


@pytest.mark.parametrize(
    "instructions, expected",
    [("avx2", "float32"), ("amx_bf16", "mixed_bfloat16"), ("avx512_bf16", "mixed_bfloat16")],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(flags, instructions, expected):
    flags(instructions)
    assert device.compute_type("auto") == expected
    assert device.compute_type("float32") == "float32"


def test_systems_without_proc_have_conditions_and_compute_in_float32(monkeypatch):
    """As macOS and Windows."""

    def missing(*args, **kwargs):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    assert device.compute_type("auto") == "float32"
    found = device.conditions(2, "float32")
    assert (found["instructions"], found["threads"], found["dtype"]) == ([], 2, "float32")
    assert json.loads(json.dumps(found)) == found


def test_threads_that_can_no_longer_be_set_are_an_error_about_the_setting(monkeypatch):
    def started(count):
        raise RuntimeError("already initialized")

    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", started)
    with pytest.raises(SettingError, match="threads: TensorFlow has started and can no longer be set to 3") as error:
        device.set_threads(3)
    assert error.value.settings == ("threads",)


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine where TensorFlow finds no GPU; a call with True puts one there."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    return lambda there: monkeypatch.setattr(accelerator, "has_driver", lambda: there)


def test_a_gpu_that_is_wanted_and_missing_is_an_error_with_the_reason(no_gpu, monkeypatch):
    for there, hidden, cuda, reason in (
        (False, None, True, "this machine has no NVIDIA driver"),
        (True, "-1", True, "CUDA_VISIBLE_DEVICES='-1' hides it; unset"),
        (True, None, False, "built without CUDA; pip install"),
        (True, None, True, "none of its CUDA libraries .*pip install"),
    ):
        no_gpu(there)
        monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda cuda=cuda: cuda)
        if hidden:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        with pytest.raises(SettingError, match=f"^device: 'gpu', but .*{reason}") as error:
            device.choose("gpu")
        assert error.value.settings == ("device",)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_gpu_that_is_there_and_cannot_be_used_is_a_warning_with_the_remedy(no_gpu, caplog):
    no_gpu(False)
    assert device.choose("auto") == "" and not caplog.records
    no_gpu(True)
    assert device.choose("auto") == ""
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "pip install" in record.getMessage()


def test_the_processor_hides_all_gpus_and_a_gpu_grows_its_memory_and_has_a_name(monkeypatch):
    done, gpu = [], tf.config.PhysicalDevice("GPU:0", "GPU")
    config = tf.config.experimental
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [] if done else [gpu])
    monkeypatch.setattr(config, "set_memory_growth", lambda gpu, value: grown.append((gpu, value)))
    monkeypatch.setattr(config, "get_device_details", lambda gpu: {"device_name": "H100"})
    grown = []
    assert device.choose("auto") == device.choose("gpu") == "H100" and grown == [(gpu, True)] * 2
    assert device.conditions(1, "float32", compiled=True)["gpus"] == ["H100"]
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: done.append((gpus, kind)))
    assert device.choose("cpu") == "" and done == [([], "GPU")]
