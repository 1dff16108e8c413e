"""`benchmarks/quality/seams.py`: moved seams cost less."""

import pytest
from absl import flags

from benchmarks.quality import seams
from tests.support import exemplars, tiny
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane


@pytest.mark.parametrize("kind", exemplars.KINDS)
def test_seams_cost_less_each_time_they_are_moved(kind):
    plane = TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=4, exemplar=exemplars.of_blobs(kind))
    (pieces, blocks, halves), seconds = seams.measured(plane, 64, 1)
    assert pieces > blocks > halves > 0
    assert seconds > 0


def test_without_a_run_there_is_one_line():
    values = flags.FlagValues()
    seams.define(values)
    values(["seams"])
    with pytest.raises(ValueError, match="name at least one"):
        seams.main(values)
