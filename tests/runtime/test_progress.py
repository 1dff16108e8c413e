"""Progress: a bar on a terminal if it is wanted, records in a log otherwise, with a clock set by the test."""

import io
import logging
import time

import pytest

from tf_psgan.runtime import progress
from tf_psgan.runtime.progress import Progress


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def records(caplog):
    caplog.set_level(logging.INFO, "tf_psgan")
    return caplog


def test_a_record_now_and_then_has_count_share_rate_since_the_last_one_and_time_left(clock, records):
    with Progress(40, "frames") as counted:
        for _ in range(20):
            clock[0] += 1.01
            counted.update()
    assert records.messages == [
        "10 of 40 frames, 25 %, 0.99 frames/s, 00:30 left",
        "20 of 40 frames, 50 %, 0.99 frames/s, 00:20 left",
    ]
    assert {record.name for record in records.records} == {"tf_psgan.progress"}


def test_values_stay_until_they_are_given_anew_and_are_read_only_when_shown(clock, records):
    class Value:
        def __init__(self):
            self.read = 0

        def __float__(self):
            self.read += 1
            return 0.5

    value = Value()
    counted = Progress(None, "steps", description="training")
    counted.update(3, loss=value, state="warm")
    clock[0] += 20
    counted.update(1, count=7)
    assert records.messages == ["training: 4 steps, 0.20 steps/s, loss 0.500, state warm, count 7"]
    assert value.read == 1


def test_large_counts_are_written_with_a_prefix(clock, records):
    counted = Progress(38_400_000, "pixels", initial=1_000_000)
    clock[0] += 10
    counted.update(5_000_000)
    assert records.messages == ["6.00M of 38.4M pixels, 16 %, 500k pixels/s, 01:04 left"]


def test_a_total_may_change_and_a_count_may_go_back(clock, records):
    counted = Progress(None, "steps")
    counted.update(50)
    counted.total = 100
    clock[0] += 10
    counted.update(-10)
    assert records.messages == ["40 of 100 steps, 40 %, 4.00 steps/s, 00:15 left"]


def test_without_display_a_terminal_gets_no_bar(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress(2, "frames") as counted:
        clock[0] += progress.BAR_SECONDS
        counted.update()
    assert terminal.getvalue() == ""


def test_a_displayed_bar_ends_with_its_last_state_on_a_line_of_its_own(clock, monkeypatch, records):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress(4, "frames", description="walk", display=True) as counted:
        for _ in range(4):
            clock[0] += progress.BAR_SECONDS
            counted.update(distance=0.25)
    last = terminal.getvalue().rsplit("\r", 1)[1]
    assert last.startswith("walk: 100%") and "4/4" in last and "distance 0.250" in last and last.endswith("\n")
    assert records.messages == []


def test_display_without_a_terminal_is_a_log(clock, monkeypatch, records):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with Progress(4, "frames", display=True) as counted:
        clock[0] += progress.LOG_SECONDS
        counted.update()
    assert len(records.messages) == 1 and progress.stderr.STREAM.isatty() is False


def test_a_terminal_that_is_closed_on_the_way_ends_nothing(clock, monkeypatch):
    class Closed(Terminal):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Closed())
    with Progress(4, "frames", display=True) as counted:
        clock[0] += progress.BAR_SECONDS
        counted.update()


@pytest.mark.parametrize("seconds, shown", [(1.9, False), (2.1, True)])
def test_a_bar_with_a_delay_does_not_appear_for_shorter_work(clock, monkeypatch, seconds, shown):
    terminal = Terminal()
    monkeypatch.setattr(progress.stderr, "STREAM", terminal)
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    with Progress(4, "windows", display=True, delay=2.0) as counted:
        clock[0] += seconds
        counted.update()
    assert ("windows" in terminal.getvalue()) is shown
