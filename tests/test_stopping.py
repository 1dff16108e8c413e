"""Signals ask for an end; only a second Ctrl-C makes one."""

import signal

import pytest

from tf_psgan.stopping import Stopping


@pytest.mark.parametrize("number", Stopping.SIGNALS)
def test_a_signal_asks_and_interrupts_nothing(number):
    with Stopping() as stopping:
        assert not stopping.asked
        signal.raise_signal(number)
        assert stopping.asked


@pytest.mark.parametrize("first", Stopping.SIGNALS)
def test_a_ctrl_c_after_any_signal_ends_at_once(first):
    with Stopping():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
            signal.raise_signal(signal.SIGINT)


def test_a_second_sigterm_waits_for_the_save():
    with Stopping():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_the_signals_mean_what_they_did_afterwards():
    before = [signal.getsignal(number) for number in Stopping.SIGNALS]
    with pytest.raises(ZeroDivisionError), Stopping():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in Stopping.SIGNALS] == before
