"""Serving of exported models over TensorFlow Serving's gRPC API: a client and a small server.

This package depends on an export's signatures only. It never imports `tf_psgan`.
"""
