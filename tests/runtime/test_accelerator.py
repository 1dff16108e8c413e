"""What is known of a GPU before TensorFlow is imported, and where XLA keeps its programs."""

import os
import shlex

import pytest

from tf_psgan.runtime import accelerator


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine with one GPU and an empty home."""
    for name in ("TF_XLA_FLAGS", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(accelerator, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(accelerator, "MODELS", tmp_path / "gpus")
    (tmp_path / "dev").mkdir()
    (tmp_path / "gpus" / "0000:01").mkdir(parents=True)
    text = "Model: \t\t NVIDIA H100 80GB\nIRQ: 7\n"
    (tmp_path / "gpus" / "0000:01" / "information").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_driver_is_a_numbered_device(machine):
    (machine / "dev" / "nvidiactl").touch()
    assert not accelerator.has_driver()
    (machine / "dev" / "nvidia0").touch()
    assert accelerator.has_driver()


def test_programs_are_kept_by_model_of_the_gpu_and_the_users_own_flags_win(machine, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=4 --xla_dump_to=/x")
    folder = accelerator.keep_compiled_programs()
    assert folder.parent == machine / "cache" / "tf_psgan" and folder.is_dir()
    assert folder.name.startswith("xla-") and folder.name.endswith("-NVIDIA-H100-80GB")
    assert os.environ["TF_XLA_FLAGS"] == f"--tf_xla_persistent_cache_directory={folder}"
    found = shlex.split(os.environ["XLA_FLAGS"])
    assert found[:2] == ["--xla_gpu_autotune_level=4", "--xla_dump_to=/x"] and len(found) == 4
    accelerator.keep_compiled_programs()
    assert shlex.split(os.environ["XLA_FLAGS"]) == found


def test_a_cache_folder_that_cannot_be_made_is_no_error(machine, caplog):
    (machine / "cache").write_text("a file", encoding="utf-8")
    assert accelerator.keep_compiled_programs() is None
    assert "compiled programs are not kept" in caplog.text and "XLA_FLAGS" not in os.environ
