"""Small synthetic textures: another seed is another window of the same texture."""

import numpy as np


def smooth(seed, side, pixels):
    """Random light of deviation 1 without detail finer than about `pixels`."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
    field = np.fft.fft2(np.random.default_rng(seed).normal(size=(side, side))) * np.exp(-((frequency * pixels) ** 2))
    light = np.real(np.fft.ifft2(field))
    return light / light.std()


def paint(light, colour):
    return np.clip(np.array(colour) * (1 + 0.25 * light[..., np.newaxis]), 0, 255).astype(np.uint8)


def lattice(seed, side=192, period=24, shift=0):
    """A square lattice under random light, uint8 [side, side, 3]."""
    rows, cols = np.meshgrid(*[2 * np.pi / period * (np.arange(side) + shift)] * 2, indexing="ij")
    return paint(
        np.cos(rows) + np.cos(cols) + 0.8 * smooth(seed, side, 30) + 0.1 * smooth(seed + 999, side, 1), (150, 110, 60)
    )


def blobs(seed, side=192, colour=(150, 110, 60)):
    """Structure of about 25 pixels without a period, uint8 [side, side, 3]."""
    return paint(smooth(seed, side, 25) + 0.1 * smooth(seed + 999, side, 1), colour)


def sand(seed, side=192):
    """Grain of about 4 pixels, uint8 [side, side, 3]."""
    return paint(smooth(seed, side, 4), (150, 110, 60))


def noise(pixels, seed, deviation=40.0):
    """White grey noise about 128, uint8 [pixels, pixels, 3]."""
    values = np.random.default_rng(seed).normal(128, deviation, (pixels, pixels, 1))
    return np.clip(np.repeat(values, 3, -1), 0, 255).astype(np.uint8)
