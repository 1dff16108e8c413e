"""Signals request an end; only a second Ctrl-C forces one."""

import signal
import threading

import pytest

from tf_psgan.runtime.signals import StopSignals


@pytest.mark.parametrize("number", StopSignals.SIGNALS)
def test_a_signal_is_a_request_and_interrupts_nothing(number):
    with StopSignals() as stopping:
        assert not stopping.requested
        signal.raise_signal(number)
        assert stopping.requested


@pytest.mark.parametrize("first", StopSignals.SIGNALS)
def test_a_ctrl_c_after_any_signal_ends_at_once(first):
    with StopSignals():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt, match="the same command resumes"):
            signal.raise_signal(signal.SIGINT)


def test_a_second_sigterm_waits_for_the_save():
    with StopSignals():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_the_earlier_handlers_are_restored():
    before = [signal.getsignal(number) for number in StopSignals.SIGNALS]
    with pytest.raises(ZeroDivisionError), StopSignals():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in StopSignals.SIGNALS] == before


def test_outside_the_main_thread_the_signals_keep_their_meaning():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with StopSignals() as stopping:
            seen.append((stopping.requested, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_a_handler_that_python_did_not_install_becomes_the_default(monkeypatch):
    installed = {}
    monkeypatch.setattr(signal, "signal", lambda number, handler: installed.update({number: handler}))
    with StopSignals():
        pass
    assert installed == dict.fromkeys(StopSignals.SIGNALS, signal.SIG_DFL)
