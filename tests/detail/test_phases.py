import numpy as np

from tf_psgan.detail import phases


def grey(values):
    return np.repeat(np.round(values).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def lattice(waves, height=120, width=160, shift=(0.0, 0.0)):
    rows, cols = np.mgrid[:height, :width]
    turns = [row * (rows + shift[0]) + col * (cols + shift[1]) for row, col in waves]
    return grey(128 + 50 * sum(np.cos(2 * np.pi * turn) for turn in turns))


WAVES = np.array([[1 / 12, 0.0], [0.0, 1 / 20]])


def test_the_phase_of_a_plane_wave_is_its_turns_at_the_pixel():
    rows, cols = np.mgrid[:120, :160]
    found = phases.local_phases(lattice(WAVES), WAVES)
    expected = np.stack([rows / 12, cols / 20], axis=-1)
    inner = np.s_[30:90, 40:120]
    assert np.abs((found - expected + 0.5) % 1 - 0.5)[inner].max() < 0.01


def test_phase_features_are_triangles_a_quarter_turn_apart():
    found = phases.phase_features(np.array([[0.0], [0.25], [0.5], [0.75], [0.125]]))
    # 1024 steps a turn, 255 - |step - 512|, held within +-255
    np.testing.assert_array_equal(found, [[-1, -255], [255, -1], [-1, 255], [-255, -1], [127, -129]])
