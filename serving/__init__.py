"""Serving an export: a server, a client, settings for TensorFlow Serving. Knows the project through the wire only."""
