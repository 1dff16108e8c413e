"""Errors between processes."""

import pickle

from tf_psgan.errors import PictureError


def test_an_error_keeps_all_it_says_between_processes():
    error = PictureError("a.png", "is broken", "make it again", value=3, settings=("out",), details=("row 1.",))
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is PictureError and str(found) == str(error) and vars(found) == vars(error)
