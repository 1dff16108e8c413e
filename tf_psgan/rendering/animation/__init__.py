"""Looping animations: camera paths, encoders and the writer."""
