"""Standard streams that are closed, full or left by their reader, and signals in the middle of the work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tf_psgan.cli import program
from tf_psgan.runtime import files

ROOT = Path(__file__).resolve().parents[2]


def finish(code, redirection="", **kwargs):
    """Runs a program whose `main` is the given expression, by a shell; exit code and both outputs."""
    script = (
        f"import os, sys; from tf_psgan.cli import program; sys.exit(program.run(['p'], '', lambda _: None, {code}))"
    )
    command = ["sh", "-c", f'exec "$0" "$@" {redirection}', sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **kwargs)
    return done.returncode, done.stdout, done.stderr


def test_a_reader_that_has_seen_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert finish("lambda _: 'picture.png'", stdout=writing) == (0, None, "")
    finally:
        os.close(writing)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_standard_output_is_named():
    code, _, err = finish("lambda _: 'picture.png'", ">/dev/full")
    assert (code, err) == (1, "error: standard output: No space left on device.\n")


def test_with_a_closed_standard_error_its_messages_reach_no_file(tmp_path):
    """Without a standard error the first file that is opened would take its place."""
    file = tmp_path / "a"
    code = f"lambda _: (open({str(file)!r}, 'w'), os.write(2, b'from a library'), 'done')[2]"
    assert finish(code, "2>&-", stdout=subprocess.PIPE) == (0, "done\n", "")
    assert file.read_text() == ""


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_an_error_that_nobody_can_read_keeps_its_exit_code(redirection):
    assert finish("lambda _: int('x')", redirection, stdout=subprocess.PIPE) == (2, "", "")


@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_ends_the_work_and_leaves_no_hidden_file(tmp_path, capsys, name, code):
    def main(values):
        with files.replacing(tmp_path / "a.webp") as temporary:
            temporary.write_bytes(b"half of it")
            signal.raise_signal(getattr(signal, name))
        return "done"

    # A process started in the background ignores some signals, and so would this one.
    usual = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    before = signal.signal(getattr(signal, name), usual)
    try:
        assert program.run(["p"], "", lambda _: None, main) == code
        assert list(tmp_path.iterdir()) == [] and signal.getsignal(getattr(signal, name)) == usual
    finally:
        signal.signal(getattr(signal, name), before)
    assert capsys.readouterr().err.startswith("error: stopped by")


def test_a_signal_that_is_ignored_stays_ignored(capsys):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert program.run(["p"], "", lambda _: None, lambda _: str(signal.raise_signal(signal.SIGHUP))) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
