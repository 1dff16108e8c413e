"""Exports of `tiny.generator`, each made once in a run of the tests."""

from tests.support import shared, tiny
from tf_psgan.exporting import saved_model
from tf_psgan.plane.folded_generator import fold

NAMES = {"rust": (0.5, -1.0, 0.25)}
"""The stored textures of every export with global channels."""


def exported(dtype="float32", **changes):
    """The folder of the version 1 of `tiny.generator(dtype, **changes)`, described as of step 7."""
    folded = fold(tiny.generator(dtype, **changes))
    names = NAMES if folded.config.global_channels else {}
    name = "_".join(["tiny", dtype, *(f"{key}_{value}" for key, value in sorted(changes.items()))])
    return shared.made(name, lambda path: saved_model.write(folded, path / "tiny", names, {"step": 7})) / "tiny" / "1"
