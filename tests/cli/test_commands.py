"""The programs as a user runs them: a whole run, a picture of it, kills, signals and mistakes."""

import random
import signal
import time

import numpy as np
import pytest
from PIL import Image

from tests.support.commands import call, fail, start
from tests.support.small_run import tensors
from tf_psgan.loading import load_plane
from tf_psgan.runs.run_folder import RunFolder

SMOKE = ("train.py", "--flagfile=flags/smoke.cfg")
# Long enough to be killed in, with a checkpoint every three steps.
KILLED = ("--steps=150", "--checkpoint_steps=3")
LONG = ("--steps=600", "--checkpoint_steps=3")


def wait_for_checkpoint(process, folder, after=0):
    """Waits until there is a checkpoint after a step, or the process has ended."""
    while process.poll() is None:
        if any(int(path.name[5:]) > after for path in folder.checkpoints.glob("step-*")):
            return
        time.sleep(0.005)


def newest(folder):
    return max((int(path.name[5:]) for path in folder.checkpoints.glob("step-*")), default=0)


def train_killed(folder, kills, steps, wait, seed):
    """Trains; kills the process at random moments and starts it again. The number of kills that hit it."""
    random_numbers, hit = random.Random(seed), 0
    for _ in range(kills):
        process = start(*SMOKE, *steps, f"--run={folder.path}")
        wait_for_checkpoint(process, folder, newest(folder))
        time.sleep(random_numbers.uniform(0, wait))
        process.kill()
        process.communicate()
        hit += process.returncode == -signal.SIGKILL
    call(*SMOKE, *steps, f"--run={folder.path}")
    return hit


def picture(folder):
    return load_plane(folder.path, "float32").window(100, 333, top=-40, left=7, seed=3)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A finished smoke run, and the output of the program."""
    path = tmp_path_factory.mktemp("runs") / "uninterrupted"
    return RunFolder(path), *call(*SMOKE, *KILLED, f"--run={path}")


def test_a_run_prints_its_folder_and_no_message_of_tensorflow(uninterrupted):
    folder, out, err = uninterrupted
    assert out.splitlines()[-1] == str(folder.path)
    assert err.splitlines()[0] == f"{folder.path}: 1 picture, crops of 32x32 pixels, 2 per step, float32, threads 1."
    rest = err.splitlines()[1:]
    assert [line for line in rest if " of 150 steps, " not in line] == []
    assert (folder.path / "report.md").read_text().startswith("# uninterrupted\n\n150 steps in ")


def test_generate_writes_the_plane_of_the_run_with_its_metadata(uninterrupted, tmp_path):
    folder, file = uninterrupted[0], tmp_path / "a.png"
    window = {"seed": 3, "texture": 0, "top": -40, "left": 7, "height": 100, "width": 333}
    flags = [f"--{name}={value}" for name, value in window.items()]
    out, err = call("generate.py", f"--run={folder.path}", f"--out={file}", "--dtype=float32", *flags)
    assert (out, err) == (f"{file}\n", "")
    with Image.open(file) as image:
        assert {name: image.text[name] for name in window} == {name: str(value) for name, value in window.items()}
        assert image.text["model"] == "uninterrupted at step 150"
        np.testing.assert_array_equal(np.asarray(image), picture(folder))


def test_a_run_stopped_by_sigterm_and_then_killed_ends_with_the_bits_of_an_uninterrupted_one(uninterrupted, tmp_path):
    folder = RunFolder(tmp_path / "stopped")
    process = start(*SMOKE, *KILLED, f"--run={folder.path}")
    wait_for_checkpoint(process, folder)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and out == f"{folder.path}\n"
    step = newest(folder)
    assert err.splitlines()[-1] == f"stopped at step {step}; train again in the same folder to resume."
    assert [row["step"] for row in folder.read_metrics()][-1] == step
    assert train_killed(folder, kills=1, steps=KILLED, wait=0.1, seed=time.time_ns()) == 1
    assert tensors(folder) == tensors(uninterrupted[0])
    np.testing.assert_array_equal(picture(folder), picture(uninterrupted[0]))


@pytest.mark.long
@pytest.mark.parametrize("how", [(), ("--dtype=mixed_bfloat16", "--threads=2")], ids=["float32", "bfloat16, 2 threads"])
def test_twenty_kills_change_no_bit(tmp_path, how):
    steps = (*LONG, *how)
    call(*SMOKE, *steps, f"--run={tmp_path / 'uninterrupted'}")
    uninterrupted, folder = RunFolder(tmp_path / "uninterrupted"), RunFolder(tmp_path / "killed")
    hit = train_killed(folder, kills=20, steps=steps, wait=0.5, seed=time.time_ns())
    same = tensors(folder) == tensors(uninterrupted)
    print(f"\n{hit} of 20 kills hit the run; every tensor the same: {same}")
    assert hit == 20 and same
    np.testing.assert_array_equal(picture(folder), picture(uninterrupted))


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # an import of them fails
from tf_psgan.cli import main
sys.exit(main.main(["psgan", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("train", "--step=3"), "Did you mean: steps"),
        (("train", "--preset=smoke", "--run="), "run: missing; give --run=PATH"),
        (("generate", "--height=tall"), "--height=tall: give an integer"),
        (("generate", "--run=a", "--quilt=2"), "quilt: '2' is not rows x columns"),
        (("export", "--run=a"), "out: missing; give --out=PATH"),
        (("evaluate",), "run, model, images: give one of them"),
        (("evaluate", "--run=a", "--pixels=many"), "--pixels=many: give an integer"),
        (("evaluate", "--run=a", "--texture=a b"), "texture: 'a b' is neither an integer nor a name"),
    ],
)
def test_a_mistake_is_one_line_before_tensorflow_loads(arguments, words):
    assert words in fail("-c", WITHOUT_TENSORFLOW, *arguments)


def test_the_scripts_of_the_checkout_are_the_programs():
    for name in ("train", "generate", "export", "evaluate"):
        assert f"psgan {name} " in call(f"{name}.py", "--help")[0]


def test_a_folder_in_use_is_an_error_of_one_line(tmp_path):
    with RunFolder(tmp_path).locked():
        assert "another process trains in it; wait for it" in fail(*SMOKE, f"--run={tmp_path}")


def test_a_folder_without_a_run_is_an_error_of_one_line(tmp_path):
    out = tmp_path / "a.png"
    assert "no run here (no config.json)" in fail("generate.py", f"--run={tmp_path}", f"--out={out}")
    assert not out.exists()
