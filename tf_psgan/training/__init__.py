"""Training: the GAN step with its loss terms and optimisers, the loop around it, previews and the report."""
