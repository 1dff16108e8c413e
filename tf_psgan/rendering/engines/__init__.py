"""Engines that make the shards of a picture by processes on many machines: Ray and Apache Beam, each a thin adapter.

An engine hands out numbers of shards, nothing else: pixels go from a worker to the picture, and what is finished is
known from the records beside it (`raster.shards`).
"""
