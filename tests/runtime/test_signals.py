"""Signals ask for an end; only a second Ctrl-C makes one."""

import signal

import pytest

from tf_psgan.runtime.signals import StopSignals


@pytest.mark.parametrize("number", StopSignals.SIGNALS)
def test_a_signal_asks_and_interrupts_nothing(number):
    with StopSignals() as stopping:
        assert not stopping.asked
        signal.raise_signal(number)
        assert stopping.asked


@pytest.mark.parametrize("first", StopSignals.SIGNALS)
def test_a_ctrl_c_after_any_signal_ends_at_once(first):
    with StopSignals():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
            signal.raise_signal(signal.SIGINT)


def test_a_second_sigterm_waits_for_the_save():
    with StopSignals():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_the_signals_mean_what_they_did_afterwards():
    before = [signal.getsignal(number) for number in StopSignals.SIGNALS]
    with pytest.raises(ZeroDivisionError), StopSignals():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in StopSignals.SIGNALS] == before
