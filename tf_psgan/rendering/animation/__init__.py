"""Animations that repeat: paths, encoders and the writer."""
