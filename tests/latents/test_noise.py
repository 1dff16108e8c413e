import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.config import ModelConfig
from tf_psgan.latents import noise

SEED = 20170518
FAR = 2**40

# From the NumPy reference below. A change breaks the pictures of every trained model.
GOLDEN_LOCAL = np.array([[-1543795, -6864137, 1035768], [-8228049, 6796983, -6823322]]) / 2**23
GOLDEN_GLOBAL = np.array([7048224, -3796327, 7014477]) / 2**23
GOLDEN_PHASES = [-8025949873015143502, -2703318640137200238]


def reference_fold(key, *counters):
    """SplitMix64 in NumPy, written from the paper: uint64 arithmetic that wraps."""
    u64 = np.uint64
    state = np.asarray(key, np.int64).astype(u64)
    for counter in counters:
        steps = np.asarray(counter, np.int64).astype(u64) + u64(1)
        with np.errstate(over="ignore"):
            z = state + u64(0x9E3779B97F4A7C15) * steps
            z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
        state = z ^ (z >> u64(31))
    return state


def reference_local(seed, row, col, rows, cols, channels):
    at_row = np.arange(row, row + rows)[:, None, None]
    at_col = np.arange(col, col + cols)[:, None]
    key = reference_fold(seed, 3, at_row, at_col, np.arange(channels))
    return (key >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def test_fold_equals_the_published_splitmix64_stream():
    # The first five outputs for seed 1234567, as many implementations print them.
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    found = noise.fold(1234567, tf.range(5, dtype=tf.int64)).numpy().astype(np.uint64)
    assert found.tolist() == expected


def test_noise_equals_the_stored_values():
    np.testing.assert_array_equal(noise.local(SEED, -1, FAR, 1, 2, 3)[0], GOLDEN_LOCAL)
    np.testing.assert_array_equal(noise.global_vector(7, 3), GOLDEN_GLOBAL)
    assert noise.phases(SEED, 2).numpy().tolist() == GOLDEN_PHASES


@pytest.mark.parametrize("row, col", [(0, 0), (-3, 5), (-FAR, FAR), (FAR, -FAR), (2**63 - 9, -(2**63))])
@pytest.mark.parametrize("how", ["eager", "graph", "XLA"])
def test_eager_graph_and_xla_noise_equal_the_reference(row, col, how):
    def window(row, col):
        return noise.local(SEED, row, col, 4, 5, 3)

    if how != "eager":
        window = tf.function(window, jit_compile=how == "XLA")
    found = window(tf.constant(row, tf.int64), tf.constant(col, tf.int64))
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, reference_local(SEED, row, col, 4, 5, 3))


@pytest.mark.parametrize("row, col", [(-20, -5), (-FAR, FAR), (FAR, -FAR - 7)])
def test_windows_of_noise_agree_where_they_overlap(row, col):
    plane = noise.local(SEED, row, col, 50, 60, 4).numpy()
    for down, right, rows, cols in ((17, 16, 9, 7), (0, 0, 1, 1), (49, 0, 1, 60), (19, 4, 31, 2)):
        part = noise.local(SEED, row + down, col + right, rows, cols, 4)
        np.testing.assert_array_equal(plane[down : down + rows, right : right + cols], part)


def test_the_first_channels_do_not_depend_on_the_number_of_channels():
    few, many = noise.local(SEED, 0, 0, 3, 3, 2), noise.local(SEED, 0, 0, 3, 3, 9)
    np.testing.assert_array_equal(few, many[..., :2])


def test_a_batch_of_windows_equals_single_windows():
    seeds, rows, cols = [1, 2, 3], [0, -40, FAR], [7, 7, -FAR]
    keys = tf.constant(seeds, tf.int64)[:, tf.newaxis, tf.newaxis]
    batch = noise.local(keys, tf.constant(rows, tf.int64), tf.constant(cols, tf.int64), 4, 3, 2)
    singles = [noise.local(*corner, 4, 3, 2) for corner in zip(seeds, rows, cols, strict=True)]
    np.testing.assert_array_equal(batch, tf.stack(singles))


def test_local_noise_is_uniform():
    values = noise.local(SEED, -32, -32, 64, 64, 30).numpy().astype(np.float64)
    count = values.size
    assert values.min() >= -1 and values.max() < 1
    # Four standard errors: the variance is 1/3, the fourth central moment 1/5.
    assert abs(values.mean()) < 4 * np.sqrt(1 / 3 / count)
    assert abs(values.var() - 1 / 3) < 4 * np.sqrt((1 / 5 - 1 / 9) / count)
    bins = np.histogram(values, 32, (-1, 1))[0]
    chi_squared = np.sum((bins - count / 32) ** 2) / (count / 32)
    assert abs(chi_squared - 31) < 4 * np.sqrt(2 * 31)


@pytest.mark.parametrize("row", [-32, FAR])
def test_neighbours_channels_and_seeds_are_uncorrelated(row):
    a = noise.local(SEED, row, row, 64, 64, 8).numpy().astype(np.float64)
    b = noise.local(SEED + 1, row, row, 64, 64, 8).numpy().astype(np.float64)
    pairs = {
        "rows": (a[1:], a[:-1]),
        "cols": (a[:, 1:], a[:, :-1]),
        "diagonal": (a[1:, 1:], a[:-1, :-1]),
        "transposed": (a[np.triu_indices(64, 1)], a.transpose(1, 0, 2)[np.triu_indices(64, 1)]),
        "channels": (a[..., 1:], a[..., :-1]),
        "seeds": (a, b),
        "seed and row": (a[1:], b[:-1]),
    }
    for name, (x, y) in pairs.items():
        correlation = 3 * np.mean(x * y)
        assert abs(correlation) < 4 / np.sqrt(x.size), name


def test_global_vectors_are_distinct_uniform_and_uncorrelated():
    vectors = noise.global_vector(tf.range(-500, 500, dtype=tf.int64), 20).numpy().astype(np.float64)
    assert vectors.shape == (1000, 20)
    assert len(np.unique(vectors[:, 0])) == 1000
    assert abs(vectors.mean()) < 4 * np.sqrt(1 / 3 / vectors.size)
    assert abs(3 * np.mean(vectors[1:] * vectors[:-1])) < 4 / np.sqrt(vectors[1:].size)
    np.testing.assert_array_equal(vectors[503], noise.global_vector(3, 20))


def test_phases_are_uniform_over_the_circle():
    turns = noise.phases(tf.range(1000, dtype=tf.int64), 4).numpy() / 2.0**64
    assert turns.shape == (1000, 4)
    quarters = np.histogram(turns, 4, (-0.5, 0.5))[0]
    np.testing.assert_allclose(quarters, 1000, atol=4 * np.sqrt(750))
    np.testing.assert_array_equal(noise.phases(7, 4).numpy() / 2.0**64, turns[7])


def test_a_sample_equals_the_noise_of_its_keys():
    model = ModelConfig(local_channels=3, global_channels=4, waves=2)
    key = noise.fold(SEED, 5)
    z_local, z_global, phase = noise.sample(key, model, batch=3, rows=2, cols=6)
    assert (z_local.shape, z_global.shape, phase.shape) == ((3, 2, 6, 3), (3, 4), (3, 2))
    for i in range(3):
        mine = noise.fold(key, i)
        np.testing.assert_array_equal(z_local[i], noise.local(mine, 0, 0, 2, 6, 3))
        np.testing.assert_array_equal(z_global[i], noise.global_vector(mine, 4))
        np.testing.assert_allclose(phase[i], noise.phases(mine, 2).numpy() * (2 * np.pi / 2**64), rtol=1e-6)
    assert len(np.unique(z_local)) == z_local.numpy().size


def test_a_part_of_a_sample_is_that_of_the_whole_one():
    model = ModelConfig(local_channels=3, global_channels=4, waves=2)
    whole, part = (noise.sample(SEED, model, batch, 2, 6, first) for batch, first in ((5, 0), (2, 3)))
    for all_windows, some in zip(whole, part, strict=True):
        np.testing.assert_array_equal(some, all_windows[3:])


def test_fold_depends_on_the_order_of_counters():
    assert noise.fold(SEED, 1, 2) == noise.fold(noise.fold(SEED, 1), 2)
    assert noise.fold(SEED, 1, 2) != noise.fold(SEED, 2, 1)
    assert noise.fold(SEED) == SEED


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_below_is_uniform_over_its_range(limit):
    values = noise.below(noise.fold(SEED, tf.range(100 * limit, dtype=tf.int64)), limit).numpy()
    counts = np.bincount(values, minlength=limit)
    assert len(counts) == limit
    assert np.sum((counts - 100) ** 2) / 100 <= limit - 1 + 4 * np.sqrt(2 * limit)


def test_below_includes_0_and_limit_minus_1():
    keys = tf.constant([0, -1, 2**63 - 1, -(2**63)], tf.int64)
    assert noise.below(keys, 2**31).numpy().tolist() == [0, 2**31 - 1, 2**30 - 1, 2**30]
    assert noise.below(keys, tf.constant([1, 1, 3, 5], tf.int64)).numpy().tolist() == [0, 0, 1, 2]


def test_uniform_includes_the_smallest_and_the_largest_value():
    keys = tf.constant([0, -1, 2**63 - 1, -(2**63)], tf.int64)
    np.testing.assert_array_equal(noise.uniform(keys), [-1, 1 - 2**-23, -(2**-23), 0])
