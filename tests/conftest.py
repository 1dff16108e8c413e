"""Fixtures for all tests."""

import logging
import os

import pytest

from tests.support import shared
from tf_psgan.plane import adaptation

WORKER = "PYTEST_XDIST_WORKER"
"""The environment variable that pytest-xdist sets in its processes."""


def pytest_configure():
    """Gives each of several test processes one thread per operation, before TensorFlow starts."""
    if WORKER in os.environ:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def shared_folder(tmp_path_factory):
    """The parent of the folders that `tests.support.shared` makes: one for all processes of a run of the tests."""
    own = tmp_path_factory.getbasetemp()
    shared.parent = own.parent if WORKER in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def quick_adaptation():
    """Photographs are adapted to a network on one small window, instead of nine large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "_WINDOWS", 1)
        patch.setattr(adaptation, "_BLOCKS", 16)
        yield


@pytest.fixture
def logged(caplog):
    """The package's log messages since the last call, a line each."""
    caplog.set_level(logging.INFO, "tf_psgan")

    def text() -> str:
        messages = "".join(f"{message}\n" for message in caplog.messages)
        caplog.clear()
        return messages

    return text
