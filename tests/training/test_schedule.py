"""When previews and checkpoints are due, and how fast a run trains."""

import pytest

from tf_psgan.training.schedule import Schedule, Speed


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


def test_speed_leaves_out_the_step_that_traces_the_graph():
    speed = Speed()
    speed.add(30.0)
    assert speed.steps_per_second is None
    for _ in range(4):
        speed.add(0.5)
    assert speed.steps_per_second == 2.0
    speed.add(2.0, steps=20)
    assert speed.steps_per_second == 6.0
