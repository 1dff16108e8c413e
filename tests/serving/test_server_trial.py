"""A version replaces another only after the handler of Predict has answered requests to it."""

import functools

import pytest

from tests.support import plain_model
from tf_psgan_serving.server import services, trial
from tf_psgan_serving.server.model import Model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with the versions 1 and 2."""
    made = tmp_path_factory.mktemp("models") / "tiny"
    plain_model.publish(made)
    plain_model.publish(made, 2, shift=1)
    return made


def scanned(folder):
    """The number of the version in service after a scan."""
    model = Model("tiny", folder, functools.partial(trial.load, required=["window", "describe"]), poll=0.0)
    try:
        model.scan(require_unchanged=False)
        return model.number
    finally:
        model.close()


def test_a_version_whose_response_cannot_be_made_is_not_used(folder, monkeypatch):
    real = services._fill_model_spec

    def fill(spec, name, version, signature=""):
        real(spec, name, version + (2**63 if version == 2 else 0), signature)

    monkeypatch.setattr(services, "_fill_model_spec", fill)
    assert scanned(folder) == 1
