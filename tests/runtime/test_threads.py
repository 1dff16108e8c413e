import os
import subprocess
import sys

import pytest

from tf_psgan.runtime import threads


@pytest.mark.parametrize("cores, shared", [(1, (1, 1)), (2, (1, 2)), (3, (2, 3)), (16, (8, 16))])
def test_two_chains_of_operations_share_the_cores(cores, shared):
    assert threads.split(cores) == shared


def test_a_users_own_environment_stays(monkeypatch):
    monkeypatch.setenv(threads.WITHIN, "7")
    monkeypatch.delenv(threads.BETWEEN, raising=False)
    threads.set_defaults()
    assert os.environ[threads.WITHIN] == "7"
    assert os.environ[threads.BETWEEN] == str(len(os.sched_getaffinity(0)))


def test_training_pins_what_the_environment_only_proposes():
    program = (
        "from tf_psgan.runtime import device, threads; threads.set_defaults(); assert device.set_threads(4) == 4;"
        "import tensorflow as tf; t = tf.config.threading;"
        "print(t.get_intra_op_parallelism_threads(), t.get_inter_op_parallelism_threads())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["2", "4"]
