"""A checkpoint is whole or absent, and a restore sets all variables or none."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.runs import checkpoint

INDEX, DATA = "variables.index", "variables.data-00000-of-00001"


def variables(fill=0.0):
    """Float, integer and bfloat16 state; every float equals `fill`."""
    return {
        "generator/up_0/kernel": tf.Variable(tf.fill([3, 4], fill)),
        "generator/up_0/half": tf.Variable(tf.fill([5], tf.cast(fill, tf.bfloat16))),
        "step": tf.Variable(int(fill), dtype=tf.int64),
    }


def bits(state):
    return {name: (variable.dtype, variable.numpy().tobytes()) for name, variable in state.items()}


def save(folder, step, keep=9):
    return checkpoint.save(folder, step, variables(float(step)), {"seconds": step / 2}, keep)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def write_bundle(path, values):
    tensors = [tf.constant(value) for value in values.values()]
    path.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(path / "variables"), tensor_names=list(values), shape_and_slices=[""] * len(values), tensors=tensors
    )


def test_every_bit_is_restored(tmp_path):
    kernel = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    kernel[0, :3] = [-0.0, 1e-45, np.finfo(np.float32).max]
    half = tf.cast(kernel[1:], tf.bfloat16)
    counter = 2**53 + 1  # A float64 on the way would lose the last bit.
    state = {"a/kernel": tf.Variable(kernel), "a/half": tf.Variable(half), "step": tf.Variable(counter, dtype=tf.int64)}
    expected = bits(state)
    folder = tmp_path / "ein Ordner* für {Muster}"
    path = checkpoint.save(folder, 1200, state, {"seconds": 0.1, "note": "ü"}, keep=2)
    for variable in state.values():
        variable.assign(tf.zeros_like(variable))
    assert path.name == "step-00001200"
    assert checkpoint.restore(folder, state) == checkpoint.Restored(1200, {"seconds": 0.1, "note": "ü"}, path, ())
    assert bits(state) == expected


def test_no_checkpoint_is_step_zero_and_changes_nothing(tmp_path):
    state = variables(3.0)
    (tmp_path / ".writing-step-00000007").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        assert checkpoint.restore(folder, state) == checkpoint.Restored(0, {}, None, ())
    assert bits(state) == bits(variables(3.0))


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(NotADirectoryError):
        checkpoint.restore(tmp_path / "checkpoints", variables())


def test_the_newest_stay(tmp_path):
    for step in (1, 20, 3, 100_000_000):
        save(tmp_path, step, keep=2)
    assert names(tmp_path) == ["step-00000020", "step-100000000"]


def test_a_run_that_fell_back_keeps_what_it_just_wrote(tmp_path):
    flip(save(tmp_path, 12) / DATA, 3)
    save(tmp_path, 8)
    save(tmp_path, 9, keep=1)
    assert names(tmp_path) == ["step-00000009", "step-00000012"]
    assert checkpoint.restore(tmp_path, variables()).step == 9


def test_the_same_step_is_replaced(tmp_path):
    save(tmp_path, 5)
    checkpoint.save(tmp_path, 5, variables(6.0), {}, keep=1)
    state = variables()
    assert checkpoint.restore(tmp_path, state).notes == {}
    assert bits(state) == bits(variables(6.0))
    assert names(tmp_path) == ["step-00000005"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["generator/up_0/kernel", "generator/up_0/half"])
def test_what_is_not_finite_is_not_saved(tmp_path, name, bad):
    save(tmp_path, 1)
    state = variables()
    state[name].assign(tf.fill(state[name].shape, tf.cast(bad, state[name].dtype)))
    with pytest.raises(ValueError, match=f"{name} holds NaN or infinity at step 2"):
        checkpoint.save(tmp_path, 2, state, {}, keep=1)
    assert names(tmp_path) == ["step-00000001"]


@pytest.mark.parametrize("keep, step, notes", [(0, 1, {}), (1, -1, {}), (1, 1, {"seconds": float("nan")})])
def test_arguments_out_of_range_are_an_error(tmp_path, keep, step, notes):
    with pytest.raises(ValueError, match=r"must be at least|not JSON compliant"):
        checkpoint.save(tmp_path / "new", step, variables(), notes, keep)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["run[1]", "run\\1", os.fsdecode(b"run\xff")])
def test_a_folder_that_tensorflow_cannot_read_back_is_an_error_at_once(tmp_path, name):
    for call in (lambda: save(tmp_path / name, 1), lambda: checkpoint.restore(tmp_path / name, variables())):
        with pytest.raises(
            ValueError, match=r"TensorFlow (reads \[ and .* in|cannot use) a path .*; choose a run folder with"
        ):
            call()
    assert names(tmp_path) == []


def half_of(path):
    os.truncate(path, path.stat().st_size // 2)


def nothing_of(path):
    os.truncate(path, 0)


def noise_in(path):
    path.write_bytes(np.random.default_rng(1).bytes(path.stat().st_size))


def first_byte_of(path):
    flip(path, 0)


def middle_byte_of(path):
    flip(path, path.stat().st_size // 2)


def last_byte_of(path):
    flip(path, -1)


@pytest.mark.parametrize("file", [INDEX, DATA])
@pytest.mark.parametrize(
    "damage", [half_of, nothing_of, noise_in, first_byte_of, middle_byte_of, last_byte_of, os.remove]
)
def test_damage_is_seen_and_the_one_before_is_taken(tmp_path, file, damage):
    save(tmp_path, 1)
    damage(save(tmp_path, 2) / file)
    state = variables()
    found = checkpoint.restore(tmp_path, state)
    assert (found.step, found.notes) == (1, {"seconds": 0.5})
    assert bits(state) == bits(variables(1.0))
    reason = f"{file} is missing" if damage is os.remove else "data is damaged ("
    assert len(found.rejected) == 1 and found.rejected[0].startswith(f"step-00000002: {reason}")
    assert "\n" not in found.rejected[0]


def test_no_flipped_byte_gives_another_value(tmp_path):
    state, path = variables(), save(tmp_path, 2)
    for file in (INDEX, DATA):
        for at in range((path / file).stat().st_size):
            flip(path / file, at)
            try:  # Some bytes of the index mean nothing: they may change.
                checkpoint.restore(tmp_path, state)
                assert bits(state) == bits(variables(2.0))
                for variable in state.values():
                    variable.assign(tf.zeros_like(variable))
            except checkpoint.NoGoodCheckpoint:
                assert bits(state) == bits(variables())
            flip(path / file, at)


@pytest.mark.parametrize(
    "sealed", ["", "{", "[]", '{"step": 2}', '{"step": "x", "notes": {}}', '{"step": 2, "notes": 4}']
)
def test_notes_that_are_no_json_object_are_damage(tmp_path, sealed):
    save(tmp_path, 1)
    values = {name: variable.numpy() for name, variable in variables(2.0).items()}
    write_bundle(tmp_path / "step-00000002", {**values, checkpoint.NOTES: sealed})
    assert checkpoint.restore(tmp_path, variables()).step == 1


@pytest.mark.parametrize(
    "name, value, reason",
    [
        (
            "generator/up_0/kernel",
            None,
            r"of another model \(generator/up_0/kernel is float32 \[3, 4\] in this model, absent",
        ),
        (
            "generator/up_0/kernel",
            np.ones((3, 5), np.float32),
            r"float32 \[3, 4\] in this model, float32 \[3, 5\] in the",
        ),
        ("step", np.int32(2), r"step is int64 \[\] in this model, int32 \[\] in the checkpoint"),
        ("generator/up_9/kernel", np.float32(1), r"of another model \(generator/up_9/kernel is absent in this model"),
        ("generator/up_0/kernel", np.full((3, 4), np.nan, np.float32), "generator/up_0/kernel holds NaN or infinity"),
        (checkpoint.NOTES, '{"step": 3, "notes": {}}', "was saved as step 3"),
        (checkpoint.NOTES, None, "data is damaged"),
    ],
)
def test_none_good_is_an_error_that_says_why_and_what_to_do(tmp_path, name, value, reason):
    values = {key: variable.numpy() for key, variable in variables(2.0).items()}
    values = {**values, checkpoint.NOTES: '{"step": 2, "notes": {}}', name: value}
    write_bundle(tmp_path / "step-00000002", {key: value for key, value in values.items() if value is not None})
    state = variables()
    with pytest.raises(checkpoint.NoGoodCheckpoint, match=rf"step-00000002: .*{reason}.*another run folder"):
        checkpoint.restore(tmp_path, state)
    assert bits(state) == bits(variables())


def test_every_reason_is_given_newest_first(tmp_path):
    for step in (1, 2, 3):
        (save(tmp_path, step) / INDEX).unlink()
    with pytest.raises(checkpoint.NoGoodCheckpoint, match=r"step-00000003: .*step-00000002: .*step-00000001: "):
        checkpoint.restore(tmp_path, variables())


def test_a_part_of_the_variables_can_be_asked_for(tmp_path):
    save(tmp_path, 4)
    state = {"generator/up_0/kernel": tf.Variable(tf.zeros([3, 4]))}
    assert checkpoint.restore(tmp_path, state, only=True).step == 4
    np.testing.assert_array_equal(state["generator/up_0/kernel"].numpy(), np.full((3, 4), 4, np.float32))
    with pytest.raises(checkpoint.NoGoodCheckpoint, match="generator/up_1/kernel is float32"):
        checkpoint.restore(tmp_path, {**state, "generator/up_1/kernel": tf.Variable(0.0)}, only=True)


def test_clean_removes_leftovers_and_puts_back_what_was_to_be_replaced(tmp_path):
    save(tmp_path, 1).rename(tmp_path / ".replaced-step-00000001")
    assert checkpoint.restore(tmp_path, variables()).step == 1  # A reader does not wait for the writer to clean.
    save(tmp_path / "other", 2).rename(tmp_path / ".writing-step-00000002")
    save(tmp_path / "other", 3).rename(tmp_path / ".removed-step-00000003")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "other").rmdir()
    checkpoint.clean(tmp_path)
    assert names(tmp_path) == ["config.json", "step-00000001"]
    checkpoint.clean(tmp_path / "missing")


def test_a_file_that_cannot_grow_is_one_clear_error(tmp_path):
    save(tmp_path, 1)
    large = {"kernel": tf.Variable(tf.ones([1 << 16]))}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OSError, match=r"step-00000002: could not be written \([^{}]*\); earlier checkpoints are"):
            checkpoint.save(tmp_path, 2, large, {}, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == ["step-00000001"]
    assert checkpoint.restore(tmp_path, variables()).step == 1


@pytest.mark.parametrize("step", [2, 1])
@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_an_error_at_any_call_leaves_the_earlier_ones(tmp_path, monkeypatch, call, step):
    save(tmp_path, 1)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match=r"could not be written \(No space left on device\); earlier checkpoints are"):
        checkpoint.save(tmp_path, step, variables(7.0), {}, keep=1)
    monkeypatch.undo()
    assert names(tmp_path) == ["step-00000001"]
    state = variables()
    assert checkpoint.restore(tmp_path, state).step == 1
    assert bits(state) == bits(variables(1.0))


@pytest.mark.parametrize("changed", [INDEX, DATA])
def test_a_file_that_reads_back_otherwise_is_not_published(tmp_path, monkeypatch, changed):
    write = checkpoint._write

    def wrong(path, values):
        write(path, values)
        flip(path / changed, 2)

    save(tmp_path, 1)
    monkeypatch.setattr(checkpoint, "_write", wrong)
    with pytest.raises(OSError, match="could not be written"):
        save(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001"]


# Forks once for each file operation of three saves and kills the child right before it.
KILLED_SAVES = """
import os, sys
from pathlib import Path
import tensorflow as tf
from tf_psgan.runs import checkpoint

OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")

def three_saves(folder):
    for step, fill in ((1, 1.0), (2, 2.0), (2, 3.0)):
        checkpoint.save(folder, step, {"kernel": tf.Variable(tf.fill([100], fill))}, {"fill": fill}, keep=1)
        (folder.parent / f"{folder.name}.done").write_text(str(fill))

def die_at(operation, folder):
    seen = 0
    def hook(event, args):
        nonlocal seen
        if event in OPERATIONS and folder.name in str(args):
            seen += 1
            if seen == operation:
                os._exit(9)
    sys.addaudithook(hook)

for operation in range(1, 200):
    folder = Path(sys.argv[1]) / f"run{operation:03d}x"
    if os.fork() == 0:  # The parent runs no TensorFlow op, so there is nothing a fork could tear apart.
        die_at(operation, folder)
        three_saves(folder)
        os._exit(0)
    if os.wait()[1] == 0:
        break
"""


def test_a_save_killed_at_any_file_operation_leaves_a_complete_checkpoint(tmp_path):
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", KILLED_SAVES, tmp_path], cwd=root, check=True, timeout=600)
    folders = sorted(tmp_path.glob("run*x"))
    assert len(folders) > 20
    for folder in folders:
        done = folder.with_name(f"{folder.name}.done")
        last = float(done.read_text() or 0) if done.exists() else 0.0
        for _ in range(2):  # Before and after the leftovers are gone.
            state = {"kernel": tf.Variable(tf.zeros([100]))}
            found = checkpoint.restore(folder, state)
            fill = found.notes.get("fill", 0.0)
            assert last <= fill <= last + 1 and found.rejected == () and found.step == min(fill, 2)
            np.testing.assert_array_equal(state["kernel"].numpy(), np.full(100, fill, np.float32))
            checkpoint.clean(folder)
        assert not list(folder.glob(".*"))
    assert fill == 3.0
