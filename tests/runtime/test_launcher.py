"""The launcher starts workers with a cluster and a part of the cores each, and leaves none behind."""

import os
import signal
import sys
import threading
import time

import pytest

from tf_psgan.runtime import accelerator, launcher
from tf_psgan.runtime.cluster import from_json

BEGIN = "import json, os, signal, sys, time; index = json.loads(os.environ['TF_CONFIG'])['task']['index']; "


def run(program, count=2, use_gpus=False):
    return launcher.launch([sys.executable, "-c", BEGIN + program], count, use_gpus)


def test_each_worker_gets_the_cluster_and_the_first_ones_output_is_kept(tmp_path):
    program = f"open(f'{tmp_path}/{{index}}', 'w').write(os.environ['TF_CONFIG']); print('from', index)"
    assert run(program, 3) == (0, -1, "", 0, "from 0\n")
    clusters = [from_json((tmp_path / str(index)).read_text()) for index in range(3)]
    assert [cluster.index for cluster in clusters] == [0, 1, 2]
    assert len({cluster.addresses for cluster in clusters}) == 1 and len(set(clusters[0].addresses)) == 3


def test_gpus_are_given_one_to_each(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 7")
    program = "time.sleep(0) if index else print(os.environ['CUDA_VISIBLE_DEVICES']); sys.exit(0)"
    assert run(program, 2, use_gpus=True).output == "4\n"
    assert accelerator.gpus() == ["4", "7"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system binds no process to cores")
def test_workers_divide_the_cores():
    cores = len(os.sched_getaffinity(0))
    program = "time.sleep(0.3); print(len(os.sched_getaffinity(0)))"
    assert int(run(program, 2).output) == max(1, cores // 2)
    assert int(run(program, 4 * cores).output) == 1


def test_a_worker_that_fails_ends_the_others_and_its_last_error_is_kept(monkeypatch):
    monkeypatch.setattr(launcher, "GRACE_SECONDS", 0.2)
    program = "time.sleep(1000 * (index == 0)); sys.stderr.write('note\\nerror: no disk.\\n'); sys.exit(3)"
    assert run(program) == (3, 1, "error: no disk.", -signal.SIGKILL, "")


def test_workers_that_fail_together_have_failed():
    assert run("sys.exit(5)", 1)[:2] == (5, 0)


def test_a_worker_that_is_killed_is_told():
    program = "os.kill(os.getpid(), signal.SIGKILL) if index else sys.exit(1)"
    code, worker, _, first_code, _ = run("time.sleep(0.5 * (index == 0)); " + program)
    assert (code, worker, first_code) == (-signal.SIGKILL, 1, 1)


def test_a_signal_is_passed_on_to_all(tmp_path):
    def send():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    program = (
        f"signal.signal(signal.SIGTERM, lambda *_: (print('asked'), sys.exit(0))); "
        f"open(f'{tmp_path}/{{index}}', 'w').close(); time.sleep(1000)"
    )
    threading.Thread(target=send).start()
    assert run(program) == (0, -1, "", 0, "asked\n")
