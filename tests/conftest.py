"""Fixtures for all tests."""

import logging

import pytest


@pytest.fixture
def logged(caplog):
    """The package's log messages since the last call, a line each."""
    caplog.set_level(logging.INFO, "tf_psgan")

    def text() -> str:
        messages = "".join(f"{message}\n" for message in caplog.messages)
        caplog.clear()
        return messages

    return text
