"""`psgan train --each`: a run for each picture; what failed is named and tried again, what is complete stays."""

import signal
import time

import pytest

from tests.support import commands
from tests.support.small_run import picture
from tf_psgan.cli import train, train_each
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device, locks
from tf_psgan.runtime.child_processes import Slot


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, name in enumerate(("a b.png", "c,d.png")):
        picture(folder / name, pixels=128, period=12 + i)
    return folder


@pytest.fixture
def call(pictures, tmp_path, capsys):
    """Runs `psgan train --each`; its exit code, standard output and standard error."""

    def run(*arguments, preset="smoke"):
        given = (f"--images={pictures}", f"--run={tmp_path / 'runs'}", "--each", *arguments)
        code = train.main(["psgan train", f"--preset={preset}", *given])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def trainer(monkeypatch):
    """Trainings are replaced by a piece of code that finds their arguments in `sys.argv`."""

    def replace(code):
        monkeypatch.setattr(train_each, "_CODE", code)

    return replace


def outputs(folder):
    return {path.stem: path.read_text().strip() for path in (folder / "runs" / "index").glob("*.log")}


def test_each_picture_is_learned_once(pictures, tmp_path):
    """The real trainings; a picture that is too small fails, and the others are not lost."""
    picture(pictures / "tiny.png", pixels=48)
    (pictures / "a b.png").unlink()
    asked = ("train.py", "--each", "--preset=smoke", "--steps=2", f"--images={pictures}", f"--run={tmp_path / 'runs'}")
    _, err = commands.call(*asked, code=2)
    assert "error: " in err and "1 of 2 pictures were not learned; the same command tries them again:\n" in err
    assert err.splitlines()[-1].startswith(f"  {pictures / 'tiny.png'}: 48x48 pixels are too few")
    run = RunFolder(tmp_path / "runs" / "c_d")
    assert run.read_metrics()[-1]["step"] == 2 and [path.name for path in run.pictures()] == ["c,d.png"]
    page = (tmp_path / "runs" / "index.md").read_text(encoding="utf-8")
    assert "![c\\_d](index/c_d.jpg)" in page and "[c\\_d](c_d/report.md)" in page and "failed: " in page
    (pictures / "tiny.png").unlink()
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    out, err = commands.call(*asked)
    assert out == f"{tmp_path / 'runs' / 'index.md'}\n" and "1 of 1 pictures are learned" in err
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_trainings_get_the_given_flags_and_their_own_picture_and_folder(call, trainer, pictures, tmp_path):
    trainer("import sys; print(*sys.argv[1:], sep='\\n')")
    code, _, err = call("--seed=7", "--filters=8,4", "--noquadrature", "--parallel=1", preset="photo-5min")
    assert code == 2 and "2 of 2 pictures were not learned" in err and "ended early with exit code 0" in err
    said = outputs(tmp_path)["c_d"].splitlines()
    assert set(said) == {
        "--minutes=5.0", "--seed=7", "--filters=8,4", "--noquadrature",
        f'--images="{pictures / "c,d.png"}"', f"--run={tmp_path / 'runs' / 'c_d'}",
    }  # fmt: skip


def test_the_reason_of_a_failure_is_its_line(call, trainer):
    trainer("import sys; print('error: waves: 900 are too many.', file=sys.stderr); sys.exit(2)")
    code, _, err = call()
    assert code == 2
    assert [line.rpartition("/")[2] for line in err.splitlines()[-2:]] == [
        "a b.png: waves: 900 are too many.", "c,d.png: waves: 900 are too many.",
    ]  # fmt: skip


def test_a_killed_training_is_named(call, trainer, tmp_path):
    trainer("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    code, _, err = call()
    log = tmp_path / "runs" / "index" / "a_b.log"
    assert code == 2 and f"a b.png: the training was killed by signal 9; its output is in {log}." in err


def test_trainings_side_by_side_divide_the_cores(call, monkeypatch):
    found = []
    monkeypatch.setattr("tf_psgan.runtime.threads.cores", lambda: 8)
    monkeypatch.setattr("tf_psgan.runtime.child_processes.run", lambda children, slots, *_: found.extend(slots))
    assert call("--parallel=3", "--device=cpu")[0] == 0
    assert found == [Slot({}, 0, 3), Slot({}, 1, 3), Slot({}, 2, 3)]


def test_trainings_take_the_gpus_in_turn(call, trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "gpus", lambda: ["first", "second"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-7")
    monkeypatch.setattr(device, "name", str)
    monkeypatch.setattr(device, "_let_memory_grow", lambda: None)
    monkeypatch.setattr("tf_psgan.runtime.threads.cores", lambda: 8)
    trainer("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    call()
    assert outputs(tmp_path) == {"a_b": "5", "c_d": "GPU-7"}


def test_a_stop_asks_the_trainings_that_run_and_begins_no_other(call, trainer, tmp_path):
    trainer(
        "import os, signal, sys, time; from tf_psgan.runtime import child_processes\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0)))\n"
        "child_processes.end_with_parent(); os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)"
    )
    code, out, err = call()
    assert (code, out) == (0, f"{tmp_path / 'runs' / 'index.md'}\n") and "stopped; the same command continues." in err
    assert outputs(tmp_path) == {"a_b": "saved"}
    rows = (tmp_path / "runs" / "index.md").read_text().splitlines()[-2:]
    assert rows[0].endswith("| stopped |") and rows[1].endswith("| not trained yet |")


@pytest.mark.long  # four processes that train
def test_a_stop_asks_the_trainings_and_the_same_command_continues(pictures, tmp_path):
    asked = ["train.py", "--each", "--preset=smoke", "--steps=100000", "--checkpoint_steps=1", f"--images={pictures}"]
    process = commands.start(*asked, f"--run={tmp_path / 'runs'}")
    checkpoints = tmp_path / "runs" / "a_b" / "checkpoints"
    while process.poll() is None and len(list(checkpoints.glob("step-*"))) < 2:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out == f"{tmp_path / 'runs' / 'index.md'}\n" and "stopped; the same command continues." in err
    step = RunFolder(tmp_path / "runs" / "a_b").read_metrics()[-1]["step"]
    assert (checkpoints / f"step-{step:08d}").is_dir()
    rows = (tmp_path / "runs" / "index.md").read_text().splitlines()[-2:]
    assert rows[0].endswith("[a\\_b](a_b/report.md) stopped |") and rows[1].endswith("| not trained yet |")
    asked = [f"--steps={step + 1}" if flag.startswith("--steps") else flag for flag in asked]
    commands.call(*asked, f"--run={tmp_path / 'runs'}")
    last = [RunFolder(tmp_path / "runs" / name).read_metrics()[-1]["step"] for name in ("a_b", "c_d")]
    assert last == [step + 1, step + 1]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--explain"], "each, explain: are not made for each other; leave one of them out"),
        (["--dry_run"], "each, dry_run: are not made for each other"),
        (["--workers=2"], "each, workers: are not made for each other"),
        (["--parallel=100000"], "100000 trainings at the same time are more than the "),
        (["--images="], "images: none are given"),
        (["--images=none.png"], "none.png"),
        (["--run=pictures/runs"], "lies in the folder of pictures"),
        (["--noeach", "--parallel=2"], "parallel: has no effect without --each"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(call, trainer, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    trainer("raise SystemExit('trained')")
    code, out, err = call(*arguments)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_folder_that_is_a_run_or_in_use_is_refused(call, trainer, tmp_path):
    trainer("raise SystemExit('trained')")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / ".lock").touch()
    with locks.locked(runs / ".lock", ValueError("busy")):
        code, _, err = call()
    assert code == 2 and "another process trains its runs; wait for it" in err
    (runs / "config.json").write_text("{}")
    code, _, err = call()
    assert code == 2 and "is a run, and --each makes a folder of runs; choose another folder" in err
