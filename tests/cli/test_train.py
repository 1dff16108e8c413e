"""`psgan train` chooses settings from the picture; flags and an earlier run win; --explain writes nothing."""

import signal

import pytest

from tests.support.synthetic_textures import blobs
from tests.support.traced_steps import traced_step
from tf_psgan.cli import program, train
from tf_psgan.data import images
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import launcher
from tf_psgan.runtime.cluster import Cluster
from tf_psgan.training import training_loop

SMALL = ("--filters=4,4", "--discriminator_filters=4,6", "--crop_cells=4", "--batch_size=2", "--dtype=float32")
QUICK = ("--r1=0", "--spectral_loss_weight=0", "--detail=none")  # the rest takes a minute


@pytest.fixture
def picture(tmp_path):
    images.write_png(tmp_path / "stones.png", blobs(0))
    return f"--images={tmp_path / 'stones.png'}"


@pytest.fixture
def call(capsys, monkeypatch):
    """Runs `psgan train`; its exit code, standard output and standard error."""
    monkeypatch.setattr("tf_psgan.runtime.device.set_threads", lambda asked: 1)  # TensorFlow has started

    def run(*arguments):
        code = program.run(["train", *SMALL, *arguments], train.USAGE, train.define, train.run)
        return code, *capsys.readouterr()

    return run


def test_explain_prints_measurements_and_choices_and_writes_nothing(call, picture, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for arguments in ((), (f"--run={tmp_path / 'run'}",)):
        code, out, err = call(picture, "--explain", *arguments)
        assert (code, err) == (0, "")
        assert "192x192 pixels\n  repeats: nowhere\n" in out and "\n  waves=0: the picture repeats nowhere" in out
        assert out.endswith("Nothing was trained or written.\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_explain_shows_that_a_flag_wins(call, picture):
    assert "\n  waves=1: given\n" in call(picture, "--explain", "--waves=1")[1]


def test_explain_measures_even_where_every_setting_is_given(call, picture):
    assert "repeats: nowhere" in call(picture, "--explain", "--waves=1", "--minutes=2")[1]


def test_training_uses_what_was_chosen_and_the_same_command_continues(call, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "GanStep", traced_step)
    command = picture, f"--run={tmp_path / 'run'}", "--steps=1", "--samples=2", "--sample_pixels=64", *QUICK
    assert call(*command)[0] == 0
    folder = RunFolder(tmp_path / "run")
    assert folder.read_config().model.waves == 0
    code, _, err = call(*command, "--steps=2")
    assert code == 0 and "chosen" not in err
    code, _, err = call(*command, "--waves=2")
    assert code == 2 and "waves: 2 here, 0 there" in err


def test_a_gpu_that_is_wanted_and_missing_is_one_line_and_nothing_is_written(call, picture, tmp_path, monkeypatch):
    monkeypatch.setattr("tensorflow.config.get_visible_devices", lambda kind: [])
    monkeypatch.setattr("tf_psgan.runtime.accelerator.has_driver", lambda: False)
    code, _, err = call(picture, "--device=gpu", f"--run={tmp_path / 'run'}")
    assert code == 2 and len(err.splitlines()) == 1
    assert err.startswith("error: device: 'gpu', but this machine has no NVIDIA driver")
    assert not (tmp_path / "run").exists()


def test_a_batch_that_workers_cannot_divide_is_one_line(call, picture, tmp_path):
    code, _, err = call(picture, f"--run={tmp_path / 'run'}", "--workers=3")
    expected = "batch_size: 2 crops cannot be divided equally among 3 workers; choose 3, or fewer workers"
    assert code == 2 and err.startswith(f"error: {expected}") and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_cluster_of_tf_config_has_as_many_workers_as_the_flag_says(call, picture, tmp_path, monkeypatch):
    cluster = Cluster(("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"))
    monkeypatch.setenv("TF_CONFIG", cluster.to_json())
    code, _, err = call(picture, f"--run={tmp_path / 'run'}", "--workers=2")
    assert code == 2 and err.startswith("error: workers: 2, but TF_CONFIG lists 3; ")


@pytest.mark.parametrize("text", [Cluster(("127.0.0.1:1", "127.0.0.1:2")).to_json(), '{"cluster": {"ps": []}}'])
def test_without_the_flag_any_cluster_is_ignored_with_a_warning(call, picture, tmp_path, monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    code, out, err = call(picture, f"--run={tmp_path / 'run'}", "--dry_run")
    assert code == 0 and "ready to train" in out
    assert "TF_CONFIG is set and ignored; with --workers" in err


def test_more_workers_than_gpus_are_refused(call, picture, tmp_path, monkeypatch):
    monkeypatch.setattr("tf_psgan.runtime.accelerator.has_driver", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    code, _, err = call(picture, f"--run={tmp_path / 'run'}", "--workers=2")
    assert code == 2 and err.startswith("error: workers: 2, but this machine has 1 GPUs; choose 1, or --device=cpu")


@pytest.mark.parametrize(
    "outcome, code, text",
    [
        (launcher.Outcome(0, -1, "", 0, "runs/x\n", 0), 0, ""),
        (launcher.Outcome(2, 1, "error: images: none.", 2, "", 0), 2, ""),
        (launcher.Outcome(1, 1, "error: no disk.", 1, "", 0), 1, "worker 1 of 2: no disk."),
        (
            launcher.Outcome(1, 1, "error: worker 0 of 2 does not answer.", -9, "", 0),
            1,
            "worker 0 of 2 does not answer.",
        ),
        (launcher.Outcome(-9, 0, "", -9, "", 0), 1, "worker 0 of 2 ended by signal 9"),
        (launcher.Outcome(1, 0, "", 1, "", 0), 1, ""),
        (launcher.Outcome(1, 1, "error: stopped.", 1, "", signal.SIGINT), 130, "stopped by the keyboard."),
        (launcher.Outcome(1, 1, "error: stopped.", 1, "", signal.SIGTERM), 143, "stopped by SIGTERM"),
    ],
)
def test_the_end_of_the_workers_is_told_once(call, picture, tmp_path, monkeypatch, outcome, code, text):
    monkeypatch.setattr(launcher, "launch", lambda *arguments: outcome)
    monkeypatch.setattr("tf_psgan.runtime.accelerator.has_driver", lambda: False)
    found, out, err = call(picture, f"--run={tmp_path / 'run'}", "--workers=2")
    assert found == code and out.strip() == outcome.output.strip()
    assert err.startswith(f"error: {text}") if text else not err
