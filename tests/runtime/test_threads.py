"""Threads: one core per chain of operations; the user's own environment has priority."""

import os
import subprocess
import sys

import pytest

from tf_psgan.runtime import threads


@pytest.mark.parametrize("cores, shared", [(1, (1, 1)), (2, (1, 2)), (3, (2, 3)), (16, (8, 16))])
def test_the_cores_are_divided_among_two_chains_of_operations(cores, shared):
    assert threads.split(cores) == shared


def test_variables_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setenv(threads.INTRA_OP, "7")
    monkeypatch.delenv(threads.INTER_OP, raising=False)
    threads.set_defaults()
    assert os.environ[threads.INTRA_OP] == "7"
    assert os.environ[threads.INTER_OP] == str(len(os.sched_getaffinity(0)))


def test_systems_without_affinity_use_all_cores(monkeypatch):
    """As macOS and Windows."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert threads.cores() == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.cores() == 1


def test_set_threads_overrides_the_environment():
    program = (
        "from tf_psgan.runtime import device, threads; threads.set_defaults(); assert device.set_threads(4) == 4;"
        "import tensorflow as tf; t = tf.config.threading;"
        "print(t.get_intra_op_parallelism_threads(), t.get_inter_op_parallelism_threads())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["2", "4"]
