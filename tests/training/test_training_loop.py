"""The training loop: the files of a run, resuming, ending, and values that are not finite."""

import contextlib
import dataclasses
import functools
import json
import shutil
import signal
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.small_run import CONFIG, changed, picture, tensors
from tests.support.traced_steps import ObservedStep, traced_step
from tf_psgan.data.image_cache import ImageCache
from tf_psgan.data.manifest import Manifest
from tf_psgan.errors import InputError
from tf_psgan.loading import Plane
from tf_psgan.runs import checkpoint
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import device
from tf_psgan.signal_processing import downsampled
from tf_psgan.training import training_loop
from tf_psgan.training.training_loop import DivergedError, dry_run, train

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    monkeypatch.setattr(device, "set_threads", lambda asked: 1)  # other tests have started TensorFlow


@pytest.fixture(autouse=True)
def traced_steps(monkeypatch):
    """Lets the runs of this file share what is traced."""
    monkeypatch.setattr(training_loop, "GanStep", traced_step)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return picture(tmp_path_factory.mktemp("pictures") / "grating.png")


@pytest.fixture
def run(tmp_path, image):
    """Trains with some settings changed, in one folder; the folder."""

    def go(name="run", **settings):
        return RunFolder(train(changed(**({"images": (image,)} | settings)), tmp_path / name))

    return go


@pytest.fixture
def at_step(monkeypatch):
    """Actions to run right after a training step, the first time that it is done, by step."""
    happenings = {}

    def after(step, losses):
        happenings.pop(int(step.step), lambda network: None)(step)
        return losses

    monkeypatch.setattr(training_loop, "GanStep", functools.partial(ObservedStep, after))
    return happenings


class InOneCall:
    """Stands in for `CompiledSteps`: counts the steps of each call and makes them in the plain form."""

    most, calls = 25, []

    def __init__(self, step):
        self.step = step

    def __call__(self, packed, count):
        self.calls.append(int(count))
        return [self.step(packed) for _ in range(int(count))][-1]


def last_notes(folder):
    reader = checkpoint.tf.train.load_checkpoint(str(max(folder.checkpoints.glob("step-*")) / checkpoint.BUNDLE))
    return json.loads(reader.get_tensor(checkpoint.NOTES))["notes"]


def counter(folder, name):
    return int(np.frombuffer(tensors(folder)[1][f"counters/{name}"], np.int64)[0])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, image):
    patch = pytest.MonkeyPatch()
    patch.setattr(device, "set_threads", lambda asked: 1)
    patch.setattr(training_loop, "GanStep", traced_step)
    config = changed(images=(image,), checkpoint_steps=3)
    yield RunFolder(train(config, tmp_path_factory.mktemp("runs") / "finished"))
    patch.undo()


def test_a_run_leaves_what_its_folder_promises(finished):
    names = {path.name for path in finished.path.iterdir() if not path.name.startswith(".")}
    files = {"config.json", "manifest.json", "conditions.json", "metrics.jsonl", "report.md", "report-samples.png"}
    assert names == files | {"checkpoints", "previews", "logs"}
    assert sorted(path.name for path in finished.checkpoints.iterdir()) == [f"step-{i:08d}" for i in (0, 3, 6)]


def test_an_evaluation_is_a_preview_and_a_line_with_losses_metrics_wave_lengths_and_speed(finished):
    (row,) = finished.read_metrics()
    assert (row["step"], row["skipped"], row["rollbacks"], row["samples"], row["sample_pixels"]) == (6, 0, 0, 2, 64)
    assert len(row["wave_lengths_pixels"]) == CONFIG.model.waves and row["steps_per_second"] > 0
    assert {"generator_loss", "discriminator_loss", "sliced_wasserstein", "log_spectrum", "diversity"} <= row.keys()
    with Image.open(finished.preview(6)) as page:  # the source's middle, a gap of 24, two samples 4 apart
        assert page.size == (64 + 24 + 64 + 4 + 64, 64)


def test_a_run_with_the_detail_stage_stores_its_photographs_and_shows_pictures_in_the_report(run, tmp_path):
    """And learns them reduced, while the report shows them at their own scale."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "exemplar.npz").write_bytes(b"of a run that failed before its first step")
    photograph = picture(tmp_path / "photograph.png", pixels=192, period=24)
    folder = run(steps=1, detail="patches", images=(photograph,), downsampling=2)
    levels = folder.read_exemplar().levels
    assert [level.pixels for level in levels] == [1, 2, 4, 16]  # a cell has 8 reduced pixels
    with Image.open(folder.preview(1)) as sheet, Image.open(photograph) as whole:
        np.testing.assert_array_equal(np.asarray(sheet)[:64, :64], downsampled(np.asarray(whole), 2)[16:80, 16:80])
        sample = np.asarray(sheet)[:, 64 + 24 : 64 + 24 + 64]
    enlarged = Plane.from_run(folder.path, "float32", detail="none").window(128, 128)
    assert np.corrcoef(downsampled(enlarged, 2).ravel(), sample.ravel())[0, 1] > 0.8
    with Image.open(folder.path / "report-detail.png") as sheet:
        assert sheet.size == (64 + 24 + 2 * 64 + 4, 64)


def test_tensorboard_finds_losses_metrics_wave_lengths_and_the_preview(finished):
    events = EventAccumulator(str(finished.logs), size_guidance={"tensors": 0}).Reload()
    (row,) = finished.read_metrics()

    def last(tag):
        event = events.Tensors(tag)[-1]
        return event.step, float(checkpoint.tf.make_ndarray(event.tensor_proto))

    assert last("training/generator_loss") == (6, pytest.approx(row["generator_loss"], abs=1e-5))
    assert last("metrics/log_spectrum") == (6, pytest.approx(row["log_spectrum"], abs=1e-5))
    lengths = [last(f"wave_length_pixels/{i}")[1] for i in range(CONFIG.model.waves)]
    assert lengths == pytest.approx(row["wave_lengths_pixels"], abs=1e-2)
    width, height, png = checkpoint.tf.make_ndarray(events.Tensors("source_and_samples")[-1].tensor_proto)
    page = checkpoint.tf.io.decode_png(png).numpy()
    with Image.open(finished.preview(6)) as preview:
        np.testing.assert_array_equal(page, np.asarray(preview))
    assert (int(height), int(width)) == page.shape[:2]


def test_a_finished_run_only_writes_its_report_again(finished, image, logged):
    def state():
        kept = [path for path in finished.path.rglob("*") if path.is_file() and path.parent != finished.logs]
        return {path: path.read_bytes() for path in kept}

    before = state()
    (finished.path / "report.md").unlink()
    train(changed(images=(image,), checkpoint_steps=3), finished.path)
    assert state() == before
    assert "the run was finished at step 6; only its report is written again." in logged()


def test_a_resumed_and_often_evaluated_run_ends_with_the_bits_of_an_uninterrupted_one(run, finished, monkeypatch):
    run(steps=4)
    monkeypatch.setattr(training_loop, "FIRST_PREVIEW_SECONDS", 0)
    resumed = run(evaluate_minutes=1e-9, checkpoint_steps=5, max_to_keep=9)
    assert [row["step"] for row in resumed.read_metrics()] == [4, 5, 6]
    assert [int(path.name[5:]) for path in sorted(resumed.checkpoints.iterdir())] == [0, 4, 5, 6]
    assert tensors(resumed) == tensors(finished)
    assert last_notes(resumed)["seconds"] > resumed.read_metrics()[0]["seconds"]  # the clock goes on too


def test_a_run_killed_before_its_first_checkpoint_starts_over(run, finished, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    for name in ("config.json", "manifest.json"):
        folder.write(name, (finished.path / name).read_text())
    (folder.checkpoints / ".writing-step-00000000").mkdir(parents=True)
    assert tensors(run()) == tensors(finished)


def test_a_damaged_checkpoint_is_rejected_with_a_warning_and_changes_no_bit(run, finished, tmp_path, logged):
    shutil.copytree(finished.path, tmp_path / "run")
    data = tmp_path / "run" / "checkpoints" / "step-00000006" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-100])
    assert tensors(run(checkpoint_steps=3)) == tensors(finished)
    said = logged()
    assert "checkpoint rejected: step-00000006: data is damaged" in said and "resumed from step-00000003." in said


def test_a_run_ends_when_its_minutes_are_up_and_stays_so(run, logged):
    settings = dict(steps=0, minutes=0.02)
    folder = run(**settings)
    step = tensors(folder)[0]
    assert last_notes(folder)["seconds"] >= 1.2
    run(**settings)
    assert tensors(folder)[0] == step and "the run was finished" in logged()


def test_a_run_until_settled_ends_with_its_metrics_and_stays_so_after_a_kill(run, monkeypatch, logged):
    monkeypatch.setattr(training_loop, "FIRST_PREVIEW_SECONDS", 0)
    monkeypatch.setattr(training_loop.until, "has_settled", lambda rows: len(rows) >= 3)
    settings = {"until": "settled", "evaluate_minutes": 1e-9, "checkpoint_steps": 2}
    folder = run(**settings)
    assert [row["step"] for row in folder.read_metrics()] == [1, 2, 3]
    assert "the metrics have stopped improving at step 3." in logged()
    ended = tensors(folder)
    assert ended[0] == "step-00000003"
    run(**settings)
    assert tensors(folder) == ended and "the run was finished at step 3" in logged()
    shutil.rmtree(folder.checkpoints / "step-00000003")  # as if it was killed after its last evaluation
    run(**settings)
    assert [row["step"] for row in folder.read_metrics()] == [1, 2, 3] and tensors(folder) == ended
    assert tensors(run(until="limit", steps=4))[0] == "step-00000004"


def test_sigint_saves_and_training_resumes(run, finished, at_step, logged):
    at_step[2] = lambda network: signal.raise_signal(signal.SIGINT)
    folder = run()
    assert tensors(folder)[0] == "step-00000002" and (folder.path / "report.md").exists()
    assert "stopped at step 2; train again in the same folder to resume." in logged()
    assert tensors(run()) == tensors(finished)
    assert "resumed from step-00000002." in logged()


def test_a_second_sigint_does_not_wait_and_the_run_can_resume(run, finished, at_step):
    def twice(network):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    at_step[4] = twice
    with pytest.raises(KeyboardInterrupt, match="resumes from what was saved last"):
        run(checkpoint_steps=3)
    assert tensors(run(checkpoint_steps=3)) == tensors(finished)


def test_sigterm_during_a_save_still_saves_everything(run, monkeypatch, logged):
    save = checkpoint.save

    def interrupted(folder, step, *rest):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
        return save(folder, step, *rest)

    monkeypatch.setattr(checkpoint, "save", interrupted)
    assert tensors(run(checkpoint_steps=3))[0] == "step-00000003"
    assert "stopped at step 3" in logged()


def test_a_run_that_stays_nonfinite_fails_with_a_report(run, tmp_path, logged):
    for rollbacks_to_come in ((1, 2, 3), ()):  # the same command again remembers the roll-backs
        with pytest.raises(DivergedError, match=r"at step \d+, after 3 roll-backs; the checkpoint of step 0 remains"):
            run(learning_rate=1e30, max_nonfinite_steps=2, steps=50)
        said = logged()
        assert said.count("roll-back ") == len(rollbacks_to_come)
        assert all(f"back to step 0, roll-back {i} of 3." in said for i in rollbacks_to_come)
    folder = RunFolder(tmp_path / "run")
    assert "**The run failed.**" in (folder.path / "report.md").read_text()
    assert all(np.isfinite(np.frombuffer(v, np.float32)).all() for k, v in tensors(folder)[1].items() if "kernel" in k)


def test_a_roll_back_draws_other_random_numbers_and_drops_later_evaluations(run, at_step, finished):
    def trouble(network):
        network.skipped_in_a_row.assign(20)

    at_step[5] = trouble
    folder = run(checkpoint_steps=3, evaluate_minutes=1e-9)
    name, found = tensors(folder)
    assert name == "step-00000006" and (counter(folder, "rollbacks"), counter(folder, "skipped_in_a_row")) == (1, 0)
    assert [row["step"] for row in folder.read_metrics()] == [1, 2, 3, 4, 5, 6]
    assert [row["rollbacks"] for row in folder.read_metrics()] == [0, 0, 0, 1, 1, 1]
    key = next(name for name in found if name.startswith("generator/") and name.endswith("kernel"))
    assert found[key] != tensors(finished)[1][key]


def test_no_checkpoint_is_saved_while_steps_are_skipped(run, at_step):
    at_step[2] = lambda network: network.skipped_in_a_row.assign(1)
    folder = run(checkpoint_steps=2, max_to_keep=9)
    assert [int(path.name[5:]) for path in sorted(folder.checkpoints.iterdir())] == [0, 4, 6]


def test_weights_that_are_not_finite_are_rolled_back_when_saved(run, at_step, logged):
    def poison(network):
        network.discriminator.variables[0].assign(network.discriminator.variables[0] * np.nan)

    at_step[6] = poison
    folder = run(checkpoint_steps=4)
    assert tensors(folder)[0] == "step-00000006" and counter(folder, "rollbacks") == 1
    assert "holds NaN or infinity at step 6: back to step 4, roll-back 1 of 3." in logged()


def test_losses_that_are_not_finite_are_null_in_the_metrics(run, monkeypatch):
    def spoilt(step, losses):
        return losses | {"generator_loss": checkpoint.tf.constant(np.nan)}

    monkeypatch.setattr(training_loop, "GanStep", functools.partial(ObservedStep, spoilt))
    (row,) = run(steps=1).read_metrics()
    assert row["generator_loss"] is None and row["discriminator_loss"] > 0


def test_changed_conditions_are_logged_and_reported(run, finished, tmp_path, logged):
    shutil.copytree(finished.path, tmp_path / "run")
    before = finished.read_conditions()
    RunFolder(tmp_path / "run").write_conditions(before | {"processor": "abacus"})
    folder = run()
    change = f"step 6: processor was abacus and is {before['processor']}"
    assert f"{change}: the last bits will differ from those of an uninterrupted run." in logged()
    assert change in (folder.path / "report.md").read_text()


def test_skipped_pictures_are_logged_with_their_reasons_and_the_cache_is_closed(tmp_path, logged, monkeypatch):
    closed = []
    monkeypatch.setattr(ImageCache, "close", lambda self: closed.append(True))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(10):
        picture(folder / f"{i}.png", pixels=64 + i)
    (folder / "bad.png").write_bytes(b"no picture")
    train(changed(images=(str(folder),), steps=1), tmp_path / "run")
    said = logged()
    assert said.count(f"skipped: {folder / 'bad.png'}: ") == 1 and closed == [True]
    assert "10 pictures, crops of 32x32 pixels, 2 per step, float32, threads 1." in said
    assert f"  - skipped: {folder / 'bad.png'}: " in (tmp_path / "run" / "report.md").read_text()


def test_a_dry_run_describes_the_run_and_writes_nothing(tmp_path, image):
    words = dry_run(changed(images=(image,)), tmp_path / "run")
    assert words == (
        f"{tmp_path / 'run'}: ready to train on 1 picture, crops of 32x32 pixels, 2 per step, float32. "
        "Nothing was trained or written."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"steps": 0}, "steps and minutes: both are 0, so the run would not end"),
        ({"images": ()}, "images: none are given"),
        ({"images": ("nowhere",)}, "'nowhere': no such file or folder; correct the path"),
        ({"until": "settled", "evaluate_minutes": 0}, "until: 'settled' needs evaluations on the way"),
        ({"sample_pixels": 32}, "sample_pixels: 32 are too few to measure; choose 64 or more"),
        (
            {"discriminator_filters": (4, 6, 8, 10, 12)},
            "32 pixels cannot be halved that often; choose a multiple of 8, or",
        ),
        ({"crop_cells": 16}, "choose smaller crops"),
        ({"global_channels": 2, "detail": "patches"}, "detail: .* several textures .*; choose none"),
    ],
)
def test_settings_that_cannot_work_raise_before_anything_is_written(tmp_path, image, settings, words):
    for attempt in (dry_run, train):
        with pytest.raises(ValueError, match=words):
            attempt(changed(**({"images": (image,)} | settings)), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_raises_for_a_folder_and_waves_that_training_would(tmp_path, image):
    with pytest.raises(ValueError, match=r"TensorFlow reads .* as a pattern; choose a run folder"):
        dry_run(changed(images=(image,)), tmp_path / "run[1]")
    with pytest.raises(ValueError, match=r"waves do not fit into pictures of 96x96 pixels"):
        dry_run(changed(images=(image,), waves=256), tmp_path / "run")


def test_a_training_needs_room_for_its_checkpoints_and_says_how_much(tmp_path, image, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    state = training_loop._gan_step(changed(), Manifest(())).state()
    one = sum(variable.numpy().nbytes for variable in state.values())
    config = changed(images=(image,), max_to_keep=3)
    for free, words in (
        (4 * one, f"checkpoints: takes about .* MB, and {4 * one / 1e6:.1f} MB are free in {tmp_path}"),
        (10**12, ""),
    ):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: Usage(free, 0, free))
        for attempt in (dry_run, train):
            with pytest.raises(InputError, match=words) if words else contextlib.nullcontext():
                attempt(config, folder.path)
            assert folder.has_begun() is (not words and attempt is train)


@pytest.mark.parametrize(
    "damaged, words",
    [
        ("checkpoints", "no checkpoint can be used"),
        ("conditions.json", "conditions.json: cannot be used"),
        ("metrics.jsonl", "metrics.jsonl: cannot be used .line 1 is not one of an evaluation"),
        ("textures", "textures/a.json: cannot be used"),
        ("lock", "another process trains in it"),
    ],
)
def test_a_dry_run_finds_everything_that_a_resumed_run_would_meet(finished, image, tmp_path, damaged, words):
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(finished.path, folder.path)
    if damaged == "checkpoints":
        for index in folder.checkpoints.glob("*/variables.index"):
            index.write_bytes(b"garbage")
    elif damaged == "textures":
        (folder.path / "textures").mkdir(exist_ok=True)
        (folder.path / "textures" / "a.json").write_text("[]")
    elif damaged != "lock":
        (folder.path / damaged).write_text('{"step": 1, "seconds": NaN\n')
    with contextlib.ExitStack() as stack:
        if damaged == "lock":
            stack.enter_context(folder.locked())
        with pytest.raises(InputError, match=words):
            dry_run(changed(images=(image,)), folder.path)


def test_a_dry_run_of_a_good_run_passes(finished, image):
    assert "ready to train on 1 picture" in dry_run(changed(images=(image,)), finished.path)


def test_a_run_inside_the_folder_of_its_pictures_is_refused(tmp_path, image):
    for attempt in (dry_run, train):
        with pytest.raises(InputError, match=r"lies in the folder of pictures .* choose a folder elsewhere"):
            attempt(changed(images=(str(Path(image).parent),)), Path(image).parent / "run")


def test_pictures_too_small_to_measure_against_raise(tmp_path):
    small = picture(tmp_path / "small.png", pixels=40)
    with pytest.raises(ValueError, match=r"small.png: 40x40 pixels are too few to measure .*; use .* 64x64"):
        dry_run(changed(images=(small,)), tmp_path / "run")


def test_a_dry_run_raises_where_a_resume_would(finished, image, tmp_path):
    config = changed(images=(image,))
    with pytest.raises(ValueError, match="waves: 1 here, 2 there"):
        dry_run(dataclasses.replace(config, model=dataclasses.replace(config.model, waves=1)), finished.path)
    with pytest.raises(ValueError, match="no longer among the pictures"):
        dry_run(changed(images=(picture(tmp_path / "other.png", period=9),)), finished.path)


def test_compiled_steps_are_one_call_up_to_the_next_step_after_which_something_is_due(monkeypatch, tmp_path, image):
    monkeypatch.setattr(training_loop, "CompiledSteps", InOneCall)
    monkeypatch.setattr(InOneCall, "calls", [])
    folders = []
    for compiled in (True, False):
        config = changed(images=(image,), steps=57, checkpoint_steps=20)
        folders.append(RunFolder(train(config, tmp_path / str(compiled), compiled=compiled)))
    assert InOneCall.calls == [20, 5, 15, 10, 7]  # checkpoints at 20 and 40, logs at 25 and 50
    assert tensors(folders[0]) == tensors(folders[1])
    assert [folder.read_conditions()["compiled"] for folder in folders] == [True, False]
    (row,) = folders[0].read_metrics()
    assert row["step"] == 57 and row["steps_per_second"] > 0


def test_a_run_goes_on_without_compilation_where_that_fails(monkeypatch, tmp_path, image, finished, logged):
    class Failing(InOneCall):
        def __call__(self, packed, count):
            raise training_loop.tf.errors.InternalError(None, None, "no libdevice.\nmore")

    monkeypatch.setattr(training_loop, "CompiledSteps", Failing)
    folder = RunFolder(train(changed(images=(image,), checkpoint_steps=3), tmp_path / "run", compiled=True))
    assert tensors(folder) == tensors(finished)
    assert "the compiled training step failed (no libdevice.)" in logged()
    assert folder.read_conditions()["compiled"] is False
