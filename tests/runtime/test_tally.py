"""What a long piece of work says about itself, by a clock that the test turns."""

import sys
import time

import pytest

from tf_psgan.runtime import tally


@pytest.mark.parametrize("terminal, seconds", [(True, 1.0), (False, 10.0)])
def test_progress_is_said_now_and_then_with_the_speed_since_the_last_word(monkeypatch, terminal, seconds):
    clock, said = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    counted = tally.Tally(40, "frames", said.append)
    for _ in range(20):
        clock[0] += seconds / 10 + 1e-6
        counted.add()
    assert len(said) == 2
    assert said[0].startswith("10 of 40 frames  25 %")
    left = {1.0: "00:02", 10.0: "00:20"}[seconds]
    assert said[1] == f"20 of 40 frames  50 %  {10 / seconds:.2f} frames/s  {left} left"
