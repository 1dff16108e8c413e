"""The spectral loss: second-order statistics of real and fake crops."""
