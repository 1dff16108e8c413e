"""Two processes train as one with the same batch; the loss of one ends the other; one or two continue a run."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support import worker_steps
from tests.support.commands import ROOT
from tests.support.small_run import CONFIG, changed, picture, tensors
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.runtime.cluster import Cluster
from tf_psgan.runtime.workers import ALONE
from tf_psgan.training import following, preflight
from tf_psgan.training.training_loop import train

HANG = 600
"""Seconds after which a wait fails that would otherwise never end. No test passes because of it."""

QUICK = {"r1": 0.0, "spectral_loss_weight": 0.0, "waves": 0}  # the rest takes a minute to trace


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return addresses


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def stepped(tmp_path_factory):
    """What two workers have after some steps, and what one process has that computes the whole batch."""
    folder = tmp_path_factory.mktemp("workers")
    addresses, processes = free_addresses(2), []
    for index in range(2):
        cluster, out = Cluster(addresses, index).to_json(), str(folder / f"{index}.npz")
        command = [sys.executable, "-m", "tests.support.worker_steps", cluster, out]
        processes.append(subprocess.Popen(command, cwd=ROOT, env=environment()))
    alone = worker_steps.steps()
    assert [process.wait(HANG) for process in processes] == [0, 0]
    loaded = [np.load(folder / f"{index}.npz") for index in range(2)]
    return [{name.replace("|", "/"): values[name] for name in values.files} for values in loaded], alone


def test_all_workers_have_the_same_bits(stepped):
    (first, second), _ = stepped
    assert first.keys() == second.keys()
    assert [name for name in first if first[name].tobytes() != second[name].tobytes()] == []


@pytest.mark.parametrize("case", ["plain", "classes"])
def test_two_workers_have_the_moments_losses_and_statistics_of_one_process(stepped, case):
    (first, _), alone = stepped
    assert first.keys() == alone.keys()
    kinds = ("_momentum", "_velocity", "report/", "power_record/", "counters/")
    compared = [name for name in alone if name.startswith(case) and any(kind in name for kind in kinds)]
    assert len(compared) > 30
    for name in compared:
        # Rounding makes 3e-5 here at most; a spectral loss of each worker's own examples 0.014.
        scale = np.linalg.norm(alone[name].astype(float))
        assert np.linalg.norm(first[name] - alone[name]) <= 1e-3 * scale, name


def test_one_process_alone_exchanges_nothing():
    tensors = [tf.constant(1.0), tf.constant([2.0, 3.0])]
    assert all(mean is tensor for mean, tensor in zip(ALONE.mean(tensors), tensors, strict=True))
    assert ALONE.total(3, 4) == (3, 4) and ALONE.from_first(b"own") == b"own"

    @tf.function
    def step():
        return ALONE.mean([tf.constant(1.0)])

    operations = [operation.type for operation in step.get_concrete_function().graph.get_operations()]
    assert set(operations) <= {"Const", "Identity", "NoOp"}


class Other:
    """Stands in for the exchange with a first worker that has other settings."""

    def __init__(self, config, pictures):
        self.content = b""
        following.check_agreement(self, config, pictures)

    def from_first(self, content):
        self.content = self.content or content
        return self.content

    index, count = 1, 2

    def total(self, a, b):
        self.sent = a, b
        return self.others[0] + a, self.others[1] + b

    others = 0, 0


def test_a_worker_with_other_settings_or_pictures_is_refused(tmp_path):
    config = changed(images=(picture(tmp_path / "a.png"),))
    pictures = preflight.prepare(config, RunFolder(tmp_path / "run"))
    first = Other(config, pictures)
    following.check_agreement(first, changed(images=config.data.images, steps=9), pictures)  # may differ
    assert first.sent == (0, 0)
    with pytest.raises(SettingError, match=r"the first one has other settings \(learning_rate: 0.1 here"):
        following.check_agreement(first, changed(images=config.data.images, learning_rate=0.1), pictures)
    other = preflight.prepare(changed(images=(picture(tmp_path / "b.png", period=9),)), RunFolder(tmp_path / "run"))
    with pytest.raises(PictureError, match="the first worker has other pictures"):
        following.check_agreement(first, config, other)
    assert first.sent == (1, 1)  # the others know, and name it
    first.others = 1, 7
    with pytest.raises(SettingError, match="worker 7 of 2 cannot train with the others"):
        following.check_agreement(first, config, pictures)


def start(run, images, workers=2, **settings):
    """Starts `psgan train` with several workers; the process."""
    config = changed(images=(images,), **QUICK, **settings)
    flags = [f"--run={run}", f"--workers={workers}", "--detail=none", "--downsampling=1"]
    for section in (config.model, config.data, config.training):
        for field in dataclasses.fields(section):
            value = getattr(section, field.name)
            if value != field.default:
                flags.append(f"--{field.name}={','.join(map(str, value)) if isinstance(value, tuple) else value}")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "train.py", *flags], cwd=ROOT, env=environment(), **pipes)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def workers_of(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to find the workers")
def test_a_killed_worker_ends_the_others_and_one_or_two_processes_go_on(tmp_path, monkeypatch, logged):
    images, folder = picture(tmp_path / "picture.png"), RunFolder(tmp_path / "run")
    process = start(folder.path, images, steps=10**6, checkpoint_steps=1)
    while process.poll() is None and not any(folder.checkpoints.glob("step-*[1-9]")):
        time.sleep(0.02)
    first, second = workers_of(process)
    os.kill(second, signal.SIGKILL)
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 1, err
    assert "error: worker 1 of 2 (127.0.0.1:" in err and "error: worker 1 of 2 ended by signal 9" in err
    assert not Path(f"/proc/{first}").exists()

    step = int(tensors(folder)[0][5:])
    monkeypatch.setattr(device, "set_threads", lambda asked: 1)  # other tests have started TensorFlow
    config = folder.read_config()
    train(changed(images=(images,), steps=step + 1, checkpoint_steps=1, **QUICK), folder.path)
    assert config.data.batch_size == CONFIG.data.batch_size and "workers was 2 and is 1" in logged()
    assert tensors(folder)[0] == f"step-{step + 1:08d}"

    process = start(folder.path, images, steps=step + 2, checkpoint_steps=1)
    out, err = process.communicate(timeout=HANG)
    assert process.returncode == 0 and out.strip() == str(folder.path), err
    assert f"resumed from step-{step + 1:08d}" in err
    assert tensors(folder)[0] == f"step-{step + 2:08d}" and folder.read_metrics()[-1]["step"] == step + 2

    # Workers end with a checkpoint when their launcher is killed.
    process = start(folder.path, images, steps=10**6, checkpoint_steps=1)
    while process.poll() is None and not (folder.checkpoints / f"step-{step + 3:08d}").exists():
        time.sleep(0.02)
    started = workers_of(process)
    process.kill()
    _, err = process.communicate(timeout=HANG)  # the first worker has the other end
    limit = time.monotonic() + HANG
    while any(runs(pid) for pid in started):
        assert time.monotonic() < limit, "a worker outlives its launcher"
        time.sleep(0.05)
    assert len(started) == 2 and int(tensors(folder)[0][5:]) > step + 2
