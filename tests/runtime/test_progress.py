"""When things are due, how fast a run trains, and how it speaks."""

import io

import pytest

from tf_psgan.config import TrainingConfig
from tf_psgan.runtime import progress
from tf_psgan.runtime.progress import Progress, Schedule, Speed

LOSSES = {"generator_loss": 1.25, "discriminator_loss": 0.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_schedule_by_time_waits_from_when_it_was_done():
    schedule = Schedule(minutes=1, steps=0, seconds=100)
    assert [schedule.is_due(at, 1) for at in (159, 160)] == [False, True]
    schedule.done(170)
    assert [schedule.is_due(at, 1) for at in (229, 230)] == [False, True]


@pytest.mark.parametrize("minutes, expected", [(1, 115), (0.1, 106)])
def test_the_first_time_comes_sooner_wherever_the_clock_stands(minutes, expected):
    schedule = Schedule(minutes, 0, seconds=100, first=15)
    assert not schedule.is_due(expected - 0.1, 1) and schedule.is_due(expected, 1)
    schedule.done(expected)
    assert not schedule.is_due(expected + 60 * minutes - 0.1, 1)


def test_a_schedule_by_steps_is_due_at_their_multiples_and_zero_is_never():
    assert [step for step in range(1, 10) if Schedule(0, 3, 0).is_due(1e9, step)] == [3, 6, 9]
    assert not Schedule(0, 0, 0, first=15).is_due(1e9, 8)


def test_speed_leaves_out_the_step_that_builds_the_graph():
    speed = Speed()
    speed.add(30.0)
    assert speed.since((0, 0.0)) is None
    for _ in range(4):
        speed.add(0.5)
    assert speed.since((0, 0.0)) == 2.0
    speed.add(2.5)
    assert speed.since((4, 2.0)) == 0.4


@pytest.mark.parametrize(
    "settings, left",
    [
        ({"steps": 100, "minutes": 0}, "00:20 left"),
        ({"steps": 100, "minutes": 1}, "00:10 left"),
        ({"minutes": 3}, "02:10 left"),
    ],
)
def test_a_line_tells_step_speed_time_left_losses_and_pictures(capsys, monkeypatch, settings, left):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    line = Progress(TrainingConfig(**settings))
    period = {"periodic": 1, "peak_offset_pixels": 0.5, "peak_height": 0.9}
    line.metrics(period | {"sliced_wasserstein": 0.1, "log_spectrum": 2})
    for _ in range(11):
        line.speed.add(0.25)
    line.step(20, 50.0, LOSSES)
    said = capsys.readouterr().err
    assert said.startswith(f"step 20  4.00 steps/s  {left}")
    assert said.endswith("G 1.250  D 0.500  peak 0.5 px, 0.90 high  patches 0.100  spectrum 2.00\n")


def test_a_log_gets_no_line_a_step(capsys):
    line = Progress(TrainingConfig())
    line.step(1, 1.0, LOSSES)
    assert capsys.readouterr().err == ""


def test_a_message_wipes_the_changing_line_of_a_terminal_and_not_of_a_log(monkeypatch, capsys):
    Progress.say("hello")
    assert capsys.readouterr().err == "hello\n"
    monkeypatch.setattr("sys.stderr", Terminal())
    Progress.say("hello")
    assert progress.sys.stderr.getvalue() == "\r\x1b[Khello\n"


def test_a_closed_terminal_does_not_end_the_run(monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Closed())
    Progress.say("hello")
