"""One training step in other people's libraries, for `training_speed.py`."""
