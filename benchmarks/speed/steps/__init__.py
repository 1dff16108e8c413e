"""One training step written with other libraries, for `training_step.py`."""
