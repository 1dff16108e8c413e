"""From crops to weights: the GAN step, its losses and optimisers, and the loop around it."""
