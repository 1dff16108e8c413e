"""Standard error: log records as lines above a progress bar, and no failure where it is closed or missing."""

import io
import logging

import pytest

from tf_psgan.runtime import stderr
from tf_psgan.runtime.progress import Progress

logger = logging.getLogger("tf_psgan.some.module")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_records_are_plain_lines_inside_and_nothing_stays_behind(capsys):
    package = logging.getLogger("tf_psgan")
    before = package.level, package.propagate, list(package.handlers)
    with stderr.logged_to_stderr():
        logger.info("%d pictures", 3)
        logger.warning("skipped")
        logger.debug("detail")
    assert capsys.readouterr().err == "3 pictures\nskipped\n"
    assert (package.level, package.propagate, list(package.handlers)) == before


def test_a_record_stands_above_the_bar_and_does_not_cut_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with stderr.logged_to_stderr(), Progress(4, "frames", display=True):
        logger.info("hello")
    assert "\rhello\n\r" in terminal.getvalue()


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError("I/O operation on closed file")])
def test_a_closed_standard_error_ends_nothing(monkeypatch, error):
    class Closed(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr("sys.stderr", Closed())
    with stderr.logged_to_stderr():
        logger.info("hello")


def test_a_program_without_standard_error_logs_nothing(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with stderr.logged_to_stderr(), Progress(4, "frames", display=True) as progress:
        logger.info("hello")
        progress.update()
    assert not stderr.STREAM.isatty()
