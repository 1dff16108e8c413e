"""The compiled form of a training step computes what `GanStep` does, and needs nothing from the host on the way."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.config import Config, DataConfig, TrainingConfig
from tf_psgan.data import crops
from tf_psgan.training.compiled_steps import CompiledSteps
from tf_psgan.training.gan_step import GanStep

STEPS = 4
GRADIENT, MOVED = 1e-3, 0.1
"""Largest error of a gradient, and of what some steps moved, by their norms: Adam divides by the size of a gradient,
which magnifies rounding in small ones."""
LOOPS = {"While", "StatelessWhile"}
BRANCHES = {"If", "StatelessIf"}
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


class Pair:
    """One step in both forms, and the state that both begin in."""

    def __init__(self, classes=0, **training):
        model = tiny.model_config(global_channels=2 if classes else 0, waves=2 if classes else 0)
        config = Config(model, DataConfig(crop_cells=2, batch_size=2), TrainingConfig(learning_rate=1e-3, **training))
        self.plain = GanStep(config, "float32", classes)
        if classes:
            self.plain.set_wave_numbers(np.full(self.plain.generator.shared_wave_numbers.shape, 0.7, np.float32))
        self.compiled, self.start = CompiledSteps(self.plain), self.state()

    def state(self):
        return {name: variable.numpy() for name, variable in self.plain.state().items()}

    def after(self, run, changes=()):
        """The report and the state that a function leads to from the start, with some values changed."""
        for name, variable in self.plain.state().items():
            variable.assign(self.start[name])
        for name, value in dict(changes).items():
            self.plain.state()[name].assign(value)
        report = run()
        return {name: value.numpy() for name, value in report.items()}, self.state()

    def both(self, packed, steps, changes=()):
        plain = self.after(lambda: [self.plain(packed) for _ in range(steps)][-1], changes)
        return plain, self.after(lambda: self.compiled(packed, tf.constant(steps)), changes)


@pytest.fixture(scope="module")
def packed():
    """Two pictures, 24 x 20 and 18 x 30 pixels; crops are 16 x 16."""
    pixels = np.random.default_rng(0).integers(0, 256, (24 * 20 + 18 * 30, 3))
    places = (tf.constant(values, tf.int64) for values in ([0, 24 * 20], [24, 18], [20, 30]))
    return crops.PackedImages(tf.constant(pixels, tf.uint8), *places)


@pytest.fixture(scope="module")
def complete():
    """All loss terms, classes, waves from the MLP, R1 in the first and the fourth step."""
    return Pair(classes=2, r1=2.0, r1_interval=3)


@pytest.fixture(scope="module", params=["complete", "in turn"])
def pair(request):
    if request.param == "complete":
        return request.getfixturevalue("complete")
    return Pair(updates="alternating", r1=0.0, spectral_loss_weight=0.0)  # fewer operations to trace and compile


def test_some_steps_in_one_call_are_those_of_the_plain_form(pair, packed):
    (report, state), (compiled_report, compiled_state) = pair.both(packed, STEPS)
    assert report.keys() == compiled_report.keys() and compiled_state["counters/step"] == STEPS
    for name, value in report.items():
        np.testing.assert_allclose(compiled_report[name], value, rtol=1e-2, err_msg=name)
    for name, value in state.items():
        moved = np.linalg.norm(value - pair.start[name])
        assert np.linalg.norm(compiled_state[name] - value) <= MOVED * moved, name


@pytest.mark.parametrize("at, has_r1", [(0, True), (2, False)])
def test_the_gradients_of_a_step_are_those_of_the_plain_form_with_r1_and_without(complete, packed, at, has_r1):
    (r1,) = (term for term in complete.plain.terms if term.interval > 1)
    assert bool(complete.plain.is_due(r1, tf.constant(at, tf.int64))) == has_r1
    (report, state), (compiled_report, compiled_state) = complete.both(packed, 1, {"counters/step": at})
    for name, value in report.items():
        np.testing.assert_allclose(compiled_report[name], value, rtol=1e-5, err_msg=name)
    moments = [name for name in state if name.endswith("_momentum")]
    assert len(moments) == len(complete.plain.generator.trainable_variables) + len(
        complete.plain.discriminator.trainable_variables
    )
    for name in moments:  # after one step Adam's first moment is a multiple of the gradient
        assert np.linalg.norm(compiled_state[name] - state[name]) <= GRADIENT * np.linalg.norm(state[name]), name


def test_a_step_that_is_not_finite_changes_nothing_but_the_counters(pair, packed):
    name = "generator/up_0/kernel"
    broken = pair.start[name].copy()
    broken[0, 0, 0, 0] = np.nan
    _, state = pair.after(lambda: pair.compiled(packed, tf.constant(2)), {name: broken})
    different = {key for key, value in state.items() if value.tobytes() != pair.start[key].tobytes()}
    assert different == {name, "counters/step", "counters/skipped", "counters/skipped_in_a_row"}
    assert (state["counters/step"], state["counters/skipped"], state["counters/skipped_in_a_row"]) == (2, 2, 2)


def test_calls_of_some_steps_are_one_call_of_all_of_them(pair, packed):
    _, once = pair.after(lambda: pair.compiled(packed, tf.constant(3)))
    _, apart = pair.after(lambda: [pair.compiled(packed, tf.constant(n)) for n in (2, 1)][-1])
    assert all(once[name].tobytes() == apart[name].tobytes() for name in once)


def test_a_step_is_at_most_four_compiled_calls_with_little_between_them(pair):
    graph = tf.function(lambda *packed: pair.compiled(crops.PackedImages(*packed), 2)).get_concrete_function(
        *crops.PACKED_IMAGES_SPEC
    ).graph.as_graph_def()  # fmt: skip
    found = collections.Counter()
    library = {function.signature.name: function for function in graph.library.function}
    _count(library, graph.node, False, found)
    # Of the updates in turn each step is one half; together at most backward, rare term and update.
    assert 1 <= found["compiled"] <= (3 if pair.plain.config.training.updates == "simultaneous" else 5)
    assert found["operations"] <= 100
    assert not found["callbacks"]


def _count(library, nodes, in_loop, found):
    """Counts what the body of the loop consists of, up to the compiled programs."""
    for node in nodes:
        called = [value.func.name for value in node.attr.values() if value.WhichOneof("value") == "func"]
        is_call = node.op in CALLS
        if is_call and (node.attr["_XlaMustCompile"].b or library[called[0]].attr["_XlaMustCompile"].b):
            found["compiled"] += in_loop
        elif called:
            for name in called:
                _count(library, library[name].node_def, in_loop or node.op in LOOPS, found)
        elif in_loop and node.op not in ("Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp"):
            found["operations"] += 1
            found["callbacks"] += node.op in ("PyFunc", "EagerPyFunc", "PyFuncStateless")
