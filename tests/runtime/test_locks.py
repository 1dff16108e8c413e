"""Lock files: a second process gets an error, and so does a file system without locks, each in its own words."""

import errno
import os
import subprocess
import sys

import pytest

from tf_psgan.errors import RunError
from tf_psgan.runtime import locks

BUSY = RunError("runs/a", "another process trains in it", "wait for it", settings=("run",))

HOLDER = """
import sys
from pathlib import Path
from tf_psgan.errors import RunError
from tf_psgan.runtime import locks
with locks.locked(Path(sys.argv[1]), RunError("a", "b")):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_gets_an_error_and_a_later_one_does_not(tmp_path):
    with locks.locked(tmp_path / "lock", BUSY):
        with pytest.raises(RunError) as error, locks.locked(tmp_path / "lock", BUSY):
            pass
        assert error.value is BUSY
    with locks.locked(tmp_path / "lock", BUSY):
        pass


def test_the_lock_ends_with_a_killed_process(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(RunError, match="another process trains in it"), locks.locked(tmp_path / "lock", BUSY):
        pass
    process.kill()
    process.communicate()
    with locks.locked(tmp_path / "lock", BUSY):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_not_taken_for_another_process(tmp_path, monkeypatch, code):
    def unsupported(handle, blocking):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(locks, "lock_descriptor", unsupported)
    words = r"runs/a: the file system does not support file locks \(.+\); choose a folder on a local disk"
    with pytest.raises(RunError, match=words) as error, locks.locked(tmp_path / "lock", BUSY):
        pass
    assert error.value.settings == ("run",)


def test_a_lock_file_that_its_holder_has_removed_counts_as_held(tmp_path, monkeypatch):
    file = tmp_path / "lock"

    def removed_meanwhile(handle, blocking):
        file.unlink()
        return True

    monkeypatch.setattr(locks, "lock_descriptor", removed_meanwhile)
    with pytest.raises(RunError) as error, locks.locked(file, BUSY):
        pass
    assert error.value is BUSY


def test_the_package_loads_where_fcntl_is_missing():
    """As on Windows. The lock library itself picks the module of its system."""
    program = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import tf_psgan.runtime.locks, tf_psgan.runs.run_folder, tf_psgan.rendering.raster.writer"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})
