"""A small server with TensorFlow Serving's gRPC API over folders of SavedModels, in one Python process.

It implements TensorFlow Serving's protocol and loads models through the same SavedModel loader.
"""
