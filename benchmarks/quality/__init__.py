"""Measures the similarity of generated pictures to their source with metrics that the training does not use."""
