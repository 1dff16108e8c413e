"""The compute type and the conditions of a run, on systems with and without /proc."""

import json
from pathlib import Path

import pytest
import tensorflow as tf

from tf_psgan.errors import SettingError
from tf_psgan.runtime import device


@pytest.fixture
def flags(monkeypatch):
    """Sets the instructions that the processor reports."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])

    def set_flags(text):
        monkeypatch.setattr(device, "_processor", lambda field: text if field == "flags" else "a processor")

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
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
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
