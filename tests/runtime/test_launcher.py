"""The launcher starts workers with a cluster and a part of the cores each, and leaves none behind."""

import os
import signal
import sys
import threading
import time

import pytest

from tf_psgan.runtime import accelerator, launcher
from tf_psgan.runtime.cluster import from_json

BEGIN = "import json, os, signal, sys, time\nindex = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"


def run(program, count=2, use_gpus=False):
    return launcher.launch([sys.executable, "-c", BEGIN + program], count, use_gpus)


def test_each_worker_gets_the_cluster_and_the_first_ones_output_is_kept(tmp_path):
    program = f"open(f'{tmp_path}/{{index}}', 'w').write(os.environ['TF_CONFIG']); print('from', index)"
    assert run(program, 3) == (0, -1, "", 0, "from 0\n", 0)
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
    for count, expected in ((2, max(1, cores // 2)), (4 * cores, 1)):
        # The launcher divides them when the worker is there.
        wait = f"any(len(os.sched_getaffinity(0)) == {expected} or time.sleep(0.01) for _ in range(3000)); "
        assert int(run(wait + "print(len(os.sched_getaffinity(0)))", count).output) == expected


def test_a_worker_that_fails_ends_the_others_and_its_last_error_is_kept(monkeypatch):
    monkeypatch.setattr(launcher, "GRACE_SECONDS", 0.2)
    program = "time.sleep(1000 * (index == 0)); sys.stderr.write('note\\nerror: no disk.\\n'); sys.exit(3)"
    assert run(program) == (3, 1, "error: no disk.", -signal.SIGKILL, "", 0)


def test_workers_that_fail_together_have_failed():
    assert run("sys.exit(5)", 1)[:2] == (5, 0)


@pytest.mark.skipif(not os.path.exists("/proc"), reason="needs /proc to see that a process has been waited for")
def test_a_worker_that_is_killed_is_told(tmp_path):
    pid = tmp_path / "pid"
    program = f"""
if index:
    with open({str(pid)!r} + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.replace({str(pid)!r} + ".new", {str(pid)!r})
    os.kill(os.getpid(), signal.SIGKILL)
while not os.path.exists({str(pid)!r}) or os.path.exists("/proc/" + open({str(pid)!r}).read()):
    time.sleep(0.01)  # until the launcher has seen it
sys.exit(1)
"""
    outcome = run(program)
    assert (outcome.code, outcome.worker, outcome.first_code) == (-signal.SIGKILL, 1, 1)


def test_a_signal_is_passed_on_to_all(tmp_path):
    def send():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    program = (
        f"signal.signal(signal.SIGTERM, lambda *_: (print('asked'), sys.exit(0))); "
        f"open(f'{tmp_path}/{{index}}', 'w').close(); time.sleep(1000)"
    )
    threading.Thread(target=send, daemon=True).start()
    assert run(program) == (0, -1, "", 0, "asked\n", signal.SIGTERM)
