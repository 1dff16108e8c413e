"""The embedded server beside stalled peers, large requests, new versions, restarts and damaged requests.

Results are in docs/research/server.md.
"""
