"""Children run in their slots, end when they are asked to, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tf_psgan.runtime import child_processes
from tf_psgan.runtime.child_processes import Child, Slot

CODE = "from tf_psgan.runtime.child_processes import end_with_parent; end_with_parent(); "
WAITS = CODE + "import signal, time; print('waits', flush=True); time.sleep(600)"
SAVES = (
    CODE + "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0))); "
    "print('waits', flush=True); time.sleep(600)"
)
PARENT = f"""
import sys
from pathlib import Path
from tf_psgan.runtime.child_processes import Child, Slot, run
child = Child("a", [sys.executable, "-c", {"import os; print(os.getpid(), flush=True); " + WAITS!r}], Path(sys.argv[1]))
run([child], [Slot({{}})], lambda: False, lambda *_: None)
"""


def child(tmp_path, name, code):
    return Child(name, [sys.executable, "-c", code], tmp_path / f"{name}.log")


def run(children, slots=None, is_stopping=lambda: False):
    """Exit codes by name, in the order of the ends; in one slot unless others are given."""
    found = {}
    child_processes.run(
        children, slots or [Slot({})], is_stopping, lambda child, code: found.setdefault(child.name, code)
    )
    return found


def eventually(condition):
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_children_end_with_their_codes_and_leave_their_output(tmp_path):
    codes = {"good": 0, "bad": 3}
    children = [child(tmp_path, name, f"import sys; print('hello'); sys.exit({codes[name]})") for name in codes]
    children.append(child(tmp_path, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert run(children) == codes | {"killed": -signal.SIGKILL}
    assert (tmp_path / "bad.log").read_text() == "hello\n"


def test_one_slot_runs_one_child_after_the_other(tmp_path):
    code = "import os, sys, time; os.mkdir(sys.argv[1]); time.sleep(0.3); os.rmdir(sys.argv[1])"
    children = [
        Child(name, [sys.executable, "-c", code, str(tmp_path / "inside")], tmp_path / f"{name}.log") for name in "abc"
    ]
    assert run(children) == dict.fromkeys("abc", 0)


def test_two_slots_run_two_children_side_by_side_with_their_environments(tmp_path):
    """Each waits for the file of the other, which is of the other slot's name."""
    code = (
        "import os, pathlib, time; here = pathlib.Path('.'); name = os.environ['SLOT']; (here / name).touch()\n"
        "while not (here / {'one': 'two', 'two': 'one'}[name]).exists(): time.sleep(0.05)"
    )
    children = [Child(n, ["env", "-C", str(tmp_path), sys.executable, "-c", code], tmp_path / f"{n}.log") for n in "ab"]
    assert run(children, [Slot({"SLOT": "one"}), Slot({"SLOT": "two"})]) == {"a": 0, "b": 0}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system cannot confine a process")
def test_a_child_uses_the_cores_of_its_slot(tmp_path):
    count = len(os.sched_getaffinity(0))
    core = max(os.sched_getaffinity(0))
    code = f"import os, time\nwhile os.sched_getaffinity(0) != {{{core}}}: time.sleep(0.05)"
    assert run([child(tmp_path, "a", code)], [Slot({}, count - 1, count)]) == {"a": 0}


def test_children_are_asked_to_stop_and_no_further_one_starts(tmp_path):
    first = child(tmp_path, "first", SAVES)
    asked = []

    def is_stopping():
        if not asked and first.log.exists() and "waits" in first.log.read_text():
            asked.append(True)
        return bool(asked)

    assert run([first, child(tmp_path, "second", "")], is_stopping=is_stopping) == {"first": 0}
    assert first.log.read_text() == "waits\nsaved\n"
    assert not (tmp_path / "second.log").exists()


def test_an_error_of_the_parent_stops_its_children(tmp_path):
    waits = child(tmp_path, "waits", SAVES)

    def fail(ended, code):
        assert eventually(lambda: "waits" in waits.log.read_text())
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        child_processes.run([waits, child(tmp_path, "a", "")], [Slot({})] * 2, lambda: False, fail)
    assert waits.log.read_text() == "waits\nsaved\n"


def test_a_second_request_kills(tmp_path):
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('waits', flush=True)\n"
    waits = child(tmp_path, "waits", CODE + stubborn + "time.sleep(600)")
    asked = []

    def is_stopping():
        if waits.log.exists() and "waits" in waits.log.read_text():
            asked.append(True)
        if len(asked) == 9:
            raise KeyboardInterrupt
        return bool(asked)

    with pytest.raises(KeyboardInterrupt):
        run([waits], is_stopping=is_stopping)


def test_children_end_when_their_parent_is_killed(tmp_path):
    log = tmp_path / "child.log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(log)])
    assert eventually(lambda: log.exists() and "waits" in log.read_text())
    parent.kill()
    parent.wait()
    number = int(log.read_text().split()[0])

    def is_gone():
        try:
            with open(f"/proc/{number}/stat") as file:
                return file.read().split()[2] == "Z"
        except OSError:
            return True

    assert eventually(is_gone)
